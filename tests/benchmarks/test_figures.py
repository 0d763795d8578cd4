from io import StringIO

import pytest
from rich.console import Console

from figures import Comparison, Figure, as_table, compare, p99


def compared(comparison: Comparison, aim: float) -> Figure:
    return compare(
        "warm",
        model="iris",
        reference="run",
        reference_s=[0.001, 0.002, 0.010],
        ours_s=[0.003, 0.002, 0.0105],
        comparison=comparison,
        aim=aim,
    )


@pytest.mark.parametrize(
    ("comparison", "value"), [("ratio", 1.05), ("added_us", 500.0), ("speedup", 1 / 1.05)]
)
def test_value_is_the_median_over_pairs_and_not_the_ratio_of_medians(
    comparison: Comparison, value: float
) -> None:
    figure = compared(comparison, aim=1)

    assert figure.value == pytest.approx(value)
    assert (figure.reference_p50_ms, figure.p50_ms) == (2, 3)


def test_less_is_better_except_for_a_speedup() -> None:
    assert compared("ratio", aim=1.1).met
    assert not compared("ratio", aim=1.0).met
    assert compared("speedup", aim=0.9).met
    assert not compared("speedup", aim=4).met


def test_lists_of_different_lengths_are_no_pairs() -> None:
    with pytest.raises(ValueError, match="argument 2 is longer"):
        compare("x", model="", reference="", reference_s=[1.0, 2.0], ours_s=[1.0], comparison="ratio", aim=1)


def test_p99_of_one_duration_is_itself() -> None:
    assert p99([0.25]) == 0.25


def test_table_says_what_was_found_and_what_was_aimed_at() -> None:
    out = StringIO()

    Console(file=out, width=130).print(as_table("Warm", [compared("added_us", aim=150)]))

    assert "+500 µs" in out.getvalue()
    assert "≤ +150" in out.getvalue()
    assert "2.000 / 9.840" in out.getvalue()
