import pytest

from lampyris_local.cloud.reports import LogLine
from lampyris_local.demo.measure import InitDuration, latency


def report(function: str, text: str) -> LogLine:
    return LogLine(
        time_s=0.0, function=function, stream="s", request_id="r", kind="REPORT", text=f"REPORT\t{text}"
    )


def test_init_is_remembered_from_the_last_cold_report_of_predict() -> None:
    inits = InitDuration()

    inits.hear(report("PredictFunction", "Init Duration: 310.50 ms"))
    inits.hear(report("PublishFunction", "Init Duration: 99.00 ms"))
    inits.hear(report("PredictFunction", "Duration: 3.00 ms"))

    assert inits.latest_ms == 310.5


def test_latency_is_told_by_percentiles() -> None:
    found = latency([float(number) for number in range(101)])

    assert (found.p50_ms, found.p99_ms) == pytest.approx((50.0, 99.0))
