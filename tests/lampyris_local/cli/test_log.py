import json

from lampyris_local.cli.log import log_text
from lampyris_local.cloud.reports import LineKind, LogLine


def line(text: str, kind: LineKind = "LOG") -> LogLine:
    return LogLine(time_s=0.0, function="PredictFunction", stream="s", request_id="r", kind=kind, text=text)


def plain(of: LogLine) -> str:
    """What follows the time and the function."""
    text = log_text(of)
    assert text is not None
    return text.plain.partition("PredictFunction")[2].strip()


def report(*more: str) -> LogLine:
    parts = (
        "Duration: 12.30 ms",
        "Billed Duration: 323 ms",
        "Memory Size: 1769 MB",
        "Max Memory Used: 77 MB",
    )
    return line("\t".join(("REPORT RequestId: r", *parts, *more)), "REPORT")


def test_report_keeps_cloudwatch_words_in_columns() -> None:
    assert plain(report()) == "REPORT  Duration:    12.30 ms  Max Memory Used:   77 MB"


def test_report_of_a_cold_start_tells_of_init() -> None:
    assert plain(report("Init Duration: 310.00 ms")).endswith("77 MB  Init Duration:  310.00 ms")


def test_faults_and_messages_that_wait_are_told() -> None:
    assert plain(line("call 3 throttled", "FAULT")) == "FAULT   call 3 throttled"
    assert plain(line("2 messages wait here", "QUEUE")) == "2 messages wait here"


def test_report_of_a_failure_tells_its_status_and_its_reason() -> None:
    failed = report("Status: error", "Error Type: Runtime.OutOfMemory")

    assert plain(failed).endswith("77 MB  Status: error  Error Type: Runtime.OutOfMemory")


def test_request_is_told_by_route_status_and_code() -> None:
    record = {"_aws": {}, "route": "POST /models/{model}/predict", "status": 422, "code": "invalid-tensor"}

    assert plain(line(json.dumps(record))) == "POST /models/{model}/predict  422  invalid-tensor"


def test_verdict_on_an_upload_is_told() -> None:
    admitted = {"_aws": {}, "model": "digits", "upload": "u1", "version": 3}
    refused = {"_aws": {}, "model": "digits", "upload": "u2", "code": "not-onnx"}

    held = {**admitted, "Held": [1.0]}

    assert plain(line(json.dumps(admitted))) == "digits, upload u1: version 3"
    assert plain(line(json.dumps(held))) == "digits, upload u1: version 3, held"
    assert plain(line(json.dumps(refused))) == "digits, upload u2: not-onnx"


def test_answer_of_a_shadow_is_told() -> None:
    same: dict[str, object] = {
        "_aws": {},
        "model": "digits",
        "copy": "c1",
        "version": "4",
        "code": None,
        "ShadowRuns": 1,
    }
    other = {**same, "ShadowDifferences": 1}
    none = {**same, "code": "out-of-memory", "ShadowFailures": 1}

    assert plain(line(json.dumps(same))) == "digits, shadow version 4: the same answer"
    assert plain(line(json.dumps(other))) == "digits, shadow version 4: another answer"
    assert plain(line(json.dumps(none))) == "digits, shadow version 4: out-of-memory"


def test_log_record_is_told_by_level_and_message() -> None:
    record = {"level": "ERROR", "message": "it broke", "timestamp": "now", "service": "predict"}

    assert plain(line(json.dumps(record))) == "ERROR  it broke"


def test_other_words_are_printed_as_they_are() -> None:
    assert plain(line("[red] Traceback")) == "[red] Traceback"


def test_start_and_end_say_nothing_that_report_does_not() -> None:
    assert [log_text(line("START RequestId: r", "START")), log_text(line("END RequestId: r", "END"))] == [
        None,
        None,
    ]
