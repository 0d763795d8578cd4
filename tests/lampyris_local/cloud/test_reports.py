from typing import Any

import pytest

from lampyris_local.cloud.reports import Report


def test_report_line_reads_as_cloudwatch_prints_it() -> None:
    report = Report(
        request_id="3604209a-e9a3-11e6-939a-754dd98c7be3",
        duration_ms=12.341,
        init_duration_ms=150.2,
        memory_mb=1769,
        max_memory_mb=86,
        status=None,
    )

    line = report.line()

    assert line == (
        "REPORT RequestId: 3604209a-e9a3-11e6-939a-754dd98c7be3\tDuration: 12.34 ms\t"
        "Billed Duration: 163 ms\tMemory Size: 1769 MB\tMax Memory Used: 86 MB\tInit Duration: 150.20 ms"
    )


def report(**facts: Any) -> Report:
    usual = {"request_id": "1", "duration_ms": 3.2, "init_duration_ms": None, "memory_mb": 128}
    return Report(**{**usual, "max_memory_mb": 40, "status": None, **facts})


def test_warm_report_bills_the_duration_alone() -> None:
    warm = report(duration_ms=3.2)

    assert warm.billed_ms == 4
    assert "Init Duration" not in warm.line()


@pytest.mark.parametrize(
    ("status", "error_type", "end"),
    [
        ("timeout", "Sandbox.Timedout", "Max Memory Used: 40 MB\tStatus: timeout"),
        (
            "error",
            "Runtime.OutOfMemory",
            "Max Memory Used: 40 MB\tStatus: error\tError Type: Runtime.OutOfMemory",
        ),
    ],
)
def test_report_of_a_lost_environment_tells_why(status: str, error_type: str, end: str) -> None:
    line = report(status=status, error_type=error_type).line()

    assert line.endswith(end)
