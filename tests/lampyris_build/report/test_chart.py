from math import inf, nan

import pytest

from lampyris_build.report.chart import Axis, Mark, Series, axis_of, chart


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0.3, 2.4, [0.5, 1, 1.5, 2]),
        (-150, 130, [-150, -100, -50, 0, 50, 100]),
        (0.912, 0.9134, [0.912, 0.9125, 0.913]),
        (1e6, 5e6, [1e6, 2e6, 3e6, 4e6, 5e6]),
    ],
)
def test_ticks_are_round_numbers_within_the_axis(low: float, high: float, ticks: list[float]) -> None:
    assert Axis(label="x", low=low, high=high).ticks == pytest.approx(ticks)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.05, 500, [0.1, 1, 10, 100]),
        (0.8, 50, [1, 3, 10, 30]),
        (2, 4.5, [2, 3]),
        (2.1, 2.9, [2.2, 2.4, 2.6, 2.8]),
    ],
)
def test_ticks_of_a_logarithmic_axis_are_powers_or_near(low: float, high: float, ticks: list[float]) -> None:
    assert Axis(label="x", low=low, high=high, log=True).ticks == pytest.approx(ticks)


@pytest.mark.parametrize("values", [[], [nan], [0.0], [3.0, 3.0], [-inf, 2.0], [-1e-9], [1e30, -1e30]])
@pytest.mark.parametrize("log", [False, True])
def test_axis_holds_whatever_comes(values: list[float], *, log: bool) -> None:
    axis = axis_of("x", values, log=log)

    assert axis.low < axis.high
    assert axis.ticks


def test_points_that_are_no_numbers_are_left_out() -> None:
    axis = Axis(label="x", low=0, high=4)

    drawn = chart("t", axis, axis, [Series(name="", x=[0, 1, 2, 3], y=[0, nan, inf, 4])])

    assert "nan" not in drawn
    assert "inf" not in drawn


def test_line_of_one_point_is_a_dot() -> None:
    axis = Axis(label="x", low=0, high=2)

    drawn = chart("t", axis, axis, [Series(name="", x=[1], y=[1])])

    assert 'class="dots c0"' in drawn


def test_many_points_are_thinned_out() -> None:
    axis = Axis(label="x", low=0, high=100_000)
    numbers = list(range(100_000))

    drawn = chart("t", axis, axis, [Series(name="", x=numbers, y=numbers, kind="dots")])

    assert len(drawn) < 50_000


def test_series_are_named_where_there_are_several() -> None:
    axis = Axis(label="x", low=0, high=1)
    one, other = (Series(name=name, x=(0, 1), y=(0, 1)) for name in ("this", "that"))

    assert ">this<" not in chart("t", axis, axis, [one])
    assert ">that<" in chart("t", axis, axis, [one, other])


def test_epochs_are_counted_in_whole_numbers() -> None:
    assert axis_of("epoch", [1.0, 2.0, 3.0], whole=True).ticks == [1, 2, 3]


@pytest.mark.parametrize(("x", "anchor"), [(0.1, "start"), (0.95, "end")])
def test_words_beside_a_point_stay_within_the_chart(x: float, anchor: str) -> None:
    axis = Axis(label="x", low=0, high=1)

    drawn = chart("t", axis, axis, [], [Mark(x=x, y=0.5, words="the one that was picked")])

    assert f'text-anchor="{anchor}">the one that was picked<' in drawn
