from collections.abc import Callable
from dataclasses import replace

import pytest
from scipy.stats import binomtest  # it carries no types

from lampyris_build.report import Report
from lampyris_build.report.verdict import interval, scores, verdict


@pytest.mark.parametrize(("right", "count"), [(0, 1), (1, 1), (5, 10), (350, 360), (9930, 10_000), (0, 50)])
def test_interval_is_wilson_s_as_scipy_computes_it(right: int, count: int) -> None:
    expected = binomtest(right, count).proportion_ci(0.95, method="wilson")

    assert interval(right / count, count) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_what_ships_is_told_beside_what_it_was(whole: Report) -> None:
    told = verdict(whole).replace("\N{NO-BREAK SPACE}", " ")

    assert "<h1>tried</h1>" in told
    assert "It is right about 179 of 200 samples that it has never seen: 89.50 %" in told
    assert "<dd>89.50 %</dd>" in told
    assert "was 90.00 %" in told


def test_uncompressed_model_was_nothing_else(classifier: Callable[..., Report]) -> None:
    assert "was" not in verdict(classifier())


@pytest.mark.parametrize(
    ("task", "measured", "sentence"),
    [
        ("regression", {"mae": 41.5}, "It explains 90.00 % of the variance of 200 samples"),
        (
            "anomaly",
            {"roc_auc": 0.9},
            "It tells the unusual from the usual with an area under the ROC curve of 90.00 %.",
        ),
        ("anomaly", {}, "It brings back 90.00 % of the variance"),
        (
            "language",
            {"perplexity": 4.31},
            "It foresees 90.00 % of the tokens of a text it has never seen (perplexity 4.31).",
        ),
        ("generation", {}, "It makes pictures of random numbers."),
    ],
)
def test_each_task_has_words_of_its_own(
    classifier: Callable[..., Report], task: str, measured: dict[str, float], sentence: str
) -> None:
    report = classifier()
    (form,) = report.forms
    form.metrics.scores.clear()
    form.metrics.scores.update(measured)

    told = verdict(replace(report, task=task)).replace("\N{NO-BREAK SPACE}", " ")  # type: ignore[arg-type]  # of the table

    assert sentence in told


def test_scores_stand_beside_each_other_for_what_was_kept(whole: Report) -> None:
    shown = scores(whole)

    assert '<th scope="col" class="n">int8</th>' in shown
    assert "structured-pruning" not in shown
    assert shown.count("<tr>") == 1 + len(whole.forms[0].metrics.scores)
