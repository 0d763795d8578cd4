import math

from hypothesis import given, settings
from hypothesis import strategies as st

from lampyris_build.tuning.pareto import beats, on_front

# Few different values, so that equals and ties come up.
COSTS = st.lists(st.tuples(*[st.integers(0, 4).map(float)] * 3), min_size=1, max_size=12)


@settings(deadline=None)
@given(COSTS)
def test_front_is_beaten_by_none_and_beats_all_others(costs: list[tuple[float, ...]]) -> None:
    on = on_front(costs)

    front = [one for one, is_on in zip(costs, on, strict=True) if is_on]
    rest = [one for one, is_on in zip(costs, on, strict=True) if not is_on]
    assert front
    assert not any(beats(other, one) for one in front for other in costs)
    assert all(any(beats(one, other) for one in front) for other in rest)


@settings(deadline=None)
@given(COSTS)
def test_order_of_the_models_does_not_matter(costs: list[tuple[float, ...]]) -> None:
    assert on_front(costs[::-1]) == on_front(costs)[::-1]


def test_equals_are_on_the_front_together() -> None:
    assert on_front([(1.0, 2.0), (1.0, 2.0), (2.0, 2.0)]) == [True, True, False]


def test_what_is_no_number_is_never_on_the_front() -> None:
    assert on_front([(math.nan, 0.0), (1.0, 1.0)]) == [False, True]
