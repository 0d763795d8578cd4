import pytest

from lampyris_build.evaluation.overfitting import overfitting_statement
from lampyris_build.training.history import Epoch, History


def _history(*validation_losses: float, stopped_early: bool = False) -> History:
    return History(
        rows=tuple(
            Epoch(epoch=number, step=number, loss=loss, validation_loss=loss, learning_rate=1.0, seconds=1.0)
            for number, loss in enumerate(validation_losses, start=1)
        ),
        stopped_early=stopped_early,
    )


def test_gap_beyond_chance_is_overfitting() -> None:
    statement = overfitting_statement(train_score=0.998, test_score=0.912, test_rows=10_000)

    assert statement == (
        "It has overfitted. It scores 99.8% on its training set and 91.2% on data it has never seen: "
        "8.6 points less, where chance explains up to 2.0. More data, augmentation, a smaller model or "
        "weight decay help."
    )


def test_gap_that_chance_explains_is_none() -> None:
    # Two standard errors of 90 % of 40 samples are 9.5 points.
    statement = overfitting_statement(train_score=0.97, test_score=0.9, test_rows=40)

    assert statement == (
        "No sign of overfitting. It scores 97.0% on its training set and 90.0% on data it has never seen; "
        "chance alone explains up to 9.5 points."
    )


def test_more_on_the_test_set_than_chance_explains_asks_for_a_look() -> None:
    statement = overfitting_statement(train_score=0.8, test_score=0.9, test_rows=10_000)

    assert "10.0 points more" in statement
    assert "look at the split" in statement


@pytest.mark.parametrize("test_score", [1.0, 0.0, -3.0])
def test_score_at_or_beyond_the_ends_is_told_too(test_score: float) -> None:
    assert overfitting_statement(train_score=test_score, test_score=test_score, test_rows=1).startswith(
        "No sign"
    )


@pytest.mark.parametrize(
    ("history", "told"),
    [
        (
            _history(1.0, 0.5, 0.6, 0.7),
            (
                "least after epoch 2 and rose by 40% until epoch 4: it is surer than it should "
                "be. training.patience keeps the better weights."
            ),
        ),
        (
            _history(1.0, 0.5, 0.6, 0.7, stopped_early=True),
            (
                "stopped after epoch 4, as the validation loss had been least after epoch 2; it has the "
                "weights of that epoch."
            ),
        ),
        (
            _history(1.0, 0.8, 0.6),
            "The validation loss was still falling in the last epoch: more epochs may help.",
        ),
        (_history(1.0, 0.5, 0.51), "points."),
        (_history(1.0, 0.5, 0.499), "points."),
        (_history(1.0), "points."),
        (None, "points."),
    ],
)
def test_course_of_the_validation_loss_is_told_where_it_tells_something(
    history: History | None, told: str
) -> None:
    statement = overfitting_statement(train_score=0.9, test_score=0.9, test_rows=100, history=history)

    assert statement.endswith(told)


def test_loss_that_rose_is_a_sign_even_where_the_score_shows_none() -> None:
    told = [
        overfitting_statement(train_score=0.9, test_score=0.9, test_rows=100, history=history)
        for history in (_history(1.0, 0.5, 0.7), _history(1.0, 0.5, 0.7, stopped_early=True))
    ]

    assert told[0].startswith("Its score shows no overfitting.")
    assert told[1].startswith("No sign of overfitting.")
