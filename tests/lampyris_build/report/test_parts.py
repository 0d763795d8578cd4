"""The parts of a report that are a sentence, a table and charts."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from lampyris_build.report import Report
from lampyris_build.report.certainty import certainty
from lampyris_build.report.choice import choice
from lampyris_build.report.compression import compression
from lampyris_build.report.folds import folds
from lampyris_build.report.learning import learning
from lampyris_build.report.provenance import data, provenance
from lampyris_build.training.history import Epoch, History


def _plain(html: str) -> str:
    return html.replace("\N{NO-BREAK SPACE}", " ")


def test_every_step_is_told_with_what_it_won_and_cost(whole: Report) -> None:
    shown = _plain(compression(whole))

    assert (
        "What ships is 2.0 times smaller than the uncompressed model and answers 1.0 times as fast" in shown
    )
    assert "its score is \N{MINUS SIGN}0.50 points from there" in shown
    assert '<td class="n">÷ 2.0</td>' in shown
    assert "<td>ships</td>" in shown
    assert "<td>structured-pruning takes the score to 0.7</td>" in shown


def test_model_whose_steps_all_cost_too_much_ships_as_it_was(whole: Report) -> None:
    forms = (whole.forms[0], whole.forms[2])

    assert "No step was kept" in compression(replace(whole, forms=forms))


def test_mean_and_spread_stand_below_the_folds(whole: Report) -> None:
    shown = _plain(folds(whole))

    assert "The score is 85.00 % ± 7.07 from fold to fold." in shown
    assert shown.index("Fold 2") < shown.index("Mean") < shown.index("Spread")


def test_losses_are_drawn_for_both_sets(whole: Report) -> None:
    shown = learning(whole)

    assert "on the training set from 2.3 to 0.3, on the validation set from 2.32 to 0.8" in shown
    assert "No sign of overfitting." in shown


@pytest.mark.parametrize("losses", [[0.5], [1.0, 1.0], [0.0, 0.0], [5.0, 0.001], [-3.0, -4.0]])
def test_any_course_of_losses_can_be_drawn(whole: Report, losses: list[float]) -> None:
    rows = tuple(
        Epoch(epoch=number, step=number, loss=loss, validation_loss=loss, learning_rate=0.0, seconds=0.1)
        for number, loss in enumerate(losses, start=1)
    )

    assert "<svg" in learning(replace(whole, history=History(rows=rows)))


def test_statement_about_a_model_that_was_not_trained_stands_alone(whole: Report) -> None:
    assert learning(replace(whole, history=None)) == (
        "<section><h2>Generalisation</h2><p>No sign of overfitting.</p></section>"
    )


def test_picked_model_comes_first_and_says_why(whole: Report) -> None:
    shown = choice(whole)

    assert "cnn 8 is the cheapest" in shown
    assert shown.index('<th scope="row"><strong>cnn 8') < shown.index("forest") < shown.index("mlp 64")
    assert shown.count("<figure>") == 3


def test_front_without_prices_has_no_chart_of_them(whole: Report) -> None:
    trials = tuple(replace(one, dollars_per_million=None) for one in whole.trials)

    assert choice(replace(whole, trials=trials)).count("<figure>") == 2


def test_single_trial_can_be_drawn(whole: Report) -> None:
    assert choice(replace(whole, trials=whole.trials[:1])).count("<figure>") == 3


def test_two_classes_have_a_roc_curve_and_three_have_none() -> None:
    three = np.eye(3)[[0, 1, 2]]
    two = np.array([[0.8, 0.2], [0.3, 0.7]])

    assert "ROC" not in certainty(three, np.array([0, 1, 2]), ("a", "b", "c"))
    assert "ROC curve of class b: the area under it is 1.0000." in certainty(
        two, np.array([0, 1]), ("a", "b")
    )


def test_logits_have_no_calibration() -> None:
    assert certainty(np.array([[2.0, -1.0, 5.0]]), np.array([0]), ("a", "b", "c")) == ""


def test_cleaning_is_told_beside_the_counts(whole: Report) -> None:
    shown = data(whole)

    assert '<th scope="row">training</th><td class="n">800</td>' in shown
    assert "<li>12 duplicates were dropped</li>" in shown


def test_nested_provenance_is_told_by_its_path(whole: Report) -> None:
    shown = provenance(whole)

    assert '<th scope="row">libraries.torch</th><td>2.13.0</td>' in shown
    assert '<th scope="row">seed</th><td>3</td>' in shown
    assert "2026-07-01 12:30 UTC" in shown
    assert "<pre>name = &quot;tried&quot;" in shown


def test_many_classes_are_shown_to_those_who_ask(classifier: Callable[..., Report]) -> None:
    from lampyris_build.report.classes import classes

    few, many = (classes(classifier(tuple(map(str, range(count))), 400)) for count in (30, 31))

    assert "<details>" not in few
    assert "<details><summary>All 31 classes</summary>" in many
