import numpy as np
import pytest

from lampyris_build.tuning.prices import billed_gb_s, dollars_per_million


def test_a_million_predictions_cost_what_a_calculation_by_hand_gives() -> None:
    durations_ms = np.array([100.0])

    # 1,000,000 x 0.1 s x 0.5 GB = 50,000 GB-s; and $0.20 for the invocations, $1.00 for the HTTP API.
    assert dollars_per_million(durations_ms, 512, "arm64") == pytest.approx(50_000 * 0.0000133334 + 1.20)
    assert dollars_per_million(durations_ms, 512, "x86_64") == pytest.approx(50_000 * 0.0000166667 + 1.20)


def test_a_millisecond_that_has_begun_is_billed_whole() -> None:
    assert billed_gb_s(np.array([0.2, 1.0, 1.1]), 1024) == pytest.approx((1 + 1 + 2) / 3 / 1000)


def test_several_sizes_are_billed_each_for_its_own_durations() -> None:
    durations_ms = np.array([[3.5, 4.5], [0.5, 1.5]])

    assert billed_gb_s(durations_ms, np.array([256, 1024])) == pytest.approx([4.5 / 4000, 1.5 / 1000])
