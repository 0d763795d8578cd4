from typing import Literal

import pytest

from lampyris_build.recipe.tuning import Tune
from lampyris_build.tuning.choice import pick
from lampyris_build.tuning.points import Point
from lampyris_build.tuning.trials import Form, Outcome, Tried


def point(name: str, *, score: float, latency_ms: float, size: int, dollars: float) -> Point:
    form = Form(
        name=name,
        steps=0,
        score=score,
        size_bytes=size,
        latency_p50_ms=latency_ms,
        request_p50_ms=latency_ms,
        memory_mb=256,
        dollars_per_million=dollars,
    )
    tried = Tried(number=1, changes={}, recipe=None, outcome=Outcome(forms=(form,), elapsed_s=0))
    return Point(tried=tried, form=form, is_on_front=True)


FRONT = (
    point("good", score=0.99, latency_ms=3, size=300, dollars=3),
    point("cheap", score=0.90, latency_ms=2, size=200, dollars=1),
    point("fast", score=0.91, latency_ms=1, size=250, dollars=2),
    point("small", score=0.50, latency_ms=2, size=100, dollars=2),
)


@pytest.mark.parametrize(
    ("rule", "name"), [("cheapest", "cheap"), ("fastest", "fast"), ("smallest", "small"), ("best", "good")]
)
def test_rule_decides(rule: Literal["cheapest", "fastest", "smallest", "best"], name: str) -> None:
    picked, _ = pick(FRONT, Tune(pick=rule), samples=100)

    assert picked is not None
    assert picked.form.name == name


def test_what_scores_too_little_is_not_picked_however_small() -> None:
    picked, why = pick(FRONT, Tune(pick="smallest", min_score=0.9), samples=1234)

    assert picked is not None
    assert picked.form.name == "cheap"
    words = why.replace("\N{NO-BREAK SPACE}", " ")
    assert "the smallest of 3 models on the Pareto front that score at least 90.00 %" in words
    assert "The highest score is that of 1 , good: 99.00 %" in words
    assert "on the 1,234 samples of the validation set" in words


def test_nothing_is_picked_where_nothing_is_good_enough() -> None:
    picked, why = pick(FRONT, Tune(min_score=0.999), samples=100)

    assert picked is None
    assert "None of 4 models" in why
    assert "99.00" in why


def test_better_of_equals_is_picked() -> None:
    worse = point("worse", score=0.8, latency_ms=1, size=1, dollars=1)
    better = point("better", score=0.9, latency_ms=2, size=1, dollars=1)

    picked, _ = pick([worse, better], Tune(pick="cheapest"), samples=1)

    assert picked is better


def test_difference_that_measuring_again_would_turn_round_does_not_decide() -> None:
    worse = point("worse", score=0.8, latency_ms=1, size=1, dollars=1.2000)
    better = point("better", score=0.9, latency_ms=2, size=1, dollars=1.2005)

    picked, why = pick([worse, better], Tune(pick="cheapest"), samples=1)

    assert picked is better
    assert "the best of 2 that are as much so within 1%" in why
