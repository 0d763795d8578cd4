import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lampyris_build.tuning.memory_size import LEAST_MB, MOST_MB, VCPU_MB, cheapest_size
from lampyris_build.tuning.prices import dollars_per_million

MB = 2**20


def test_a_short_request_is_cheapest_with_the_least_memory() -> None:
    size = cheapest_size(np.full(20, 0.1), 50 * MB, "x86_64")

    # 0.1 ms on a whole core are 0.69 ms with 256 MB: one billed millisecond in 256 to 258 MB, which is a tie.
    assert size is not None
    assert LEAST_MB <= size.memory_mb <= LEAST_MB * 1.01
    assert size.request_p50_ms == pytest.approx(0.1 * VCPU_MB / size.memory_mb)


def test_a_long_request_costs_the_same_everywhere_so_the_fastest_size_is_taken() -> None:
    size = cheapest_size(np.full(20, 500.0), 50 * MB, "x86_64")

    assert size is not None
    assert (size.memory_mb, size.request_p50_ms) == (VCPU_MB, 500.0)


def test_a_model_that_holds_much_gets_a_quarter_more_than_it_holds() -> None:
    size = cheapest_size(np.full(20, 5.0), 4000 * MB, "x86_64")

    assert size is not None
    assert (size.memory_mb, size.request_p50_ms) == (5000, 5.0)


def test_a_model_too_large_for_any_function_has_no_size() -> None:
    assert cheapest_size(np.full(20, 5.0), MOST_MB * MB, "x86_64") is None


@settings(deadline=None)
@given(st.floats(0.01, 1000), st.integers(1, 1500))
def test_no_other_size_is_cheaper_by_more_than_a_tie(duration_ms: float, held_mb: int) -> None:
    durations_ms = np.array([duration_ms])
    size = cheapest_size(durations_ms, held_mb * MB, "arm64")
    assert size is not None

    least_mb = max(LEAST_MB, -(-held_mb * 5 // 4))
    for other in {least_mb, (least_mb + VCPU_MB) // 2, VCPU_MB} - set(range(least_mb)):
        price = dollars_per_million(durations_ms * max(1, VCPU_MB / other), other, "arm64")
        assert size.dollars_per_million <= 1.2 + (price - 1.2) * 1.011
