import json
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from lampyris_local.cloud.invocation import (
    REQUEST_LIMIT_BYTES,
    RESPONSE_LIMIT_BYTES,
    RequestTooLargeError,
    ThrottledError,
    UnknownFunctionError,
)
from lampyris_local.cloud.local_cloud import LocalCloud
from lampyris_local.cloud.reports import LogLine

UNTIL_BUSY_S = 0.3  # a request needs this long to have got hold of an environment


def test_answer_and_its_report_come_back(cloud: LocalCloud) -> None:
    cloud.stop_environments("Echo")

    cold = cloud.invoke("Echo", {"text": "é", "n": [1, 2.5, None]})
    warm = cloud.invoke("Echo", {})

    assert cold.payload == {"text": "é", "n": [1, 2.5, None]}
    assert cold.function_error is None
    assert cold.init_duration_ms is not None
    assert cold.billed_ms >= cold.init_duration_ms + cold.duration_ms
    assert warm.init_duration_ms is None
    assert warm.request_id != cold.request_id
    assert 5 < warm.max_memory_mb < 256


def test_environment_is_used_again_while_warm_and_new_when_stopped(cloud: LocalCloud) -> None:
    first = cloud.invoke("Count", {}).payload
    second = cloud.invoke("Count", {}).payload
    cloud.stop_environments("Count")
    third = cloud.invoke("Count", {}).payload

    assert second == {"pid": first["pid"], "requests": first["requests"] + 1}
    assert third["requests"] == 1
    assert third["pid"] != first["pid"]
    assert not psutil.pid_exists(first["pid"])


def test_function_sees_what_lambda_shows_it(cloud: LocalCloud, toy_template: Path) -> None:
    invocation = cloud.invoke("Describe", {})

    seen = invocation.payload
    environment = seen["environment"]
    code = str(toy_template.parent / "functions")
    assert seen["request_id"] == invocation.request_id
    assert 0 < seen["remaining_ms"] <= 5_000
    assert re.fullmatch(
        r"arn:aws:lambda:us-east-1:123456789012:function:local-.*-Describe", seen["function_arn"]
    )
    assert seen["folder"] == environment["LAMBDA_TASK_ROOT"] == code
    assert environment["AWS_LAMBDA_FUNCTION_NAME"] == seen["function_arn"].rpartition(":")[2]
    assert environment["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "256"
    assert environment["AWS_LAMBDA_FUNCTION_VERSION"] == "$LATEST"
    assert (
        environment["AWS_LAMBDA_LOG_GROUP_NAME"] == f"/aws/lambda/{environment['AWS_LAMBDA_FUNCTION_NAME']}"
    )
    assert environment["AWS_EXECUTION_ENV"] == "AWS_Lambda_python3.13"
    assert environment["AWS_REGION"] == cloud.region
    assert environment["AWS_ENDPOINT_URL"] == cloud.endpoint_url
    assert environment["_HANDLER"] == "toys.describe"
    assert environment["_X_AMZN_TRACE_ID"].startswith("Root=1-")


def test_function_does_not_see_the_users_own_environment(
    small_template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "HTTP_PROXY", "SECRET_OF_MINE"):
        monkeypatch.setenv(name, "mine")

    with LocalCloud(small_template) as cloud:
        environment = cloud.invoke("Describe", {}).payload["environment"]

    assert "mine" not in environment.values()


def test_temporary_folder_is_private_and_goes_with_the_environment(cloud: LocalCloud) -> None:
    temporary = Path(cloud.invoke("Describe", {}).payload["temporary"])
    existed = temporary.is_dir()

    cloud.stop_environments("Describe")

    assert existed
    assert not temporary.exists()
    assert not temporary.parent.exists()


def test_exception_is_a_function_error_with_the_runtimes_account(cloud: LocalCloud) -> None:
    invocation = cloud.invoke("Fail", {})
    again = cloud.invoke("Fail", {})

    assert invocation.function_error == "Unhandled"
    assert invocation.payload["errorType"] == "ValueError"
    assert invocation.payload["errorMessage"] == "no good"
    assert invocation.payload["requestId"] == invocation.request_id
    assert "toys.py" in invocation.payload["stackTrace"][0]
    assert again.init_duration_ms is None


def test_log_is_what_cloudwatch_would_show(cloud: LocalCloud, lines: list[LogLine]) -> None:
    invocation = cloud.invoke("Fail", {})

    request_id = invocation.request_id
    own = [line for line in lines if line.request_id == request_id]
    assert [line.kind for line in own][:3] == ["START", "LOG", "LOG"]
    assert [line.kind for line in own][-2:] == ["END", "REPORT"]
    assert [line.text for line in own][:3] == [
        f"START RequestId: {request_id} Version: $LATEST",
        "about to fail",
        "and one more",
    ]
    assert own[3].text.startswith("[ERROR] ValueError: no good\nTraceback")
    assert own[-1].text.startswith(f"REPORT RequestId: {request_id}\tDuration: ")
    assert {line.function for line in own} == {"Fail"}
    assert len({line.stream for line in own}) == 1
    assert list(invocation.log)[-5:] == [line.text for line in own][-5:]


def test_function_that_overruns_its_timeout_is_killed(cloud: LocalCloud) -> None:
    invocation = cloud.invoke("Sleep", {"seconds": 60})
    after = cloud.invoke("Sleep", {"seconds": 0})

    assert invocation.function_error == "Unhandled"
    assert invocation.payload == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {invocation.request_id} Error: Task timed out after 1.00 seconds",
    }
    assert invocation.log[-1].endswith("Status: timeout")
    assert after.payload == "awake"
    assert after.init_duration_ms is not None


def test_function_that_takes_too_much_memory_is_killed(cloud: LocalCloud) -> None:
    invocation = cloud.invoke("Hog", {"mb": 2_000})
    after = cloud.invoke("Hog", {"mb": 16})

    assert invocation.function_error == "Unhandled"
    assert invocation.payload["errorType"] == "Runtime.OutOfMemory"
    assert invocation.payload["errorMessage"] == (
        f"RequestId: {invocation.request_id} Error: Runtime exited with error: signal: killed"
    )
    assert invocation.log[-1].endswith("Status: error\tError Type: Runtime.OutOfMemory")
    assert invocation.max_memory_mb == 128
    assert after.payload == 2


@pytest.mark.parametrize("code", [0, 3])
def test_process_that_ends_itself_is_an_exit_error(cloud: LocalCloud, code: int) -> None:
    invocation = cloud.invoke("Crash", {"code": code})

    assert invocation.function_error == "Unhandled"
    assert invocation.payload["errorType"] == "Runtime.ExitError"
    assert invocation.payload["errorMessage"].endswith(f"Runtime exited with error: exit status {code}")


def test_function_that_cannot_be_imported_says_why(cloud: LocalCloud) -> None:
    invocation = cloud.invoke("Broken", {})

    assert invocation.function_error == "Unhandled"
    assert invocation.payload["errorType"] == "Runtime.ImportModuleError"
    assert "there_is_no_such_module" in invocation.payload["errorMessage"]


def test_process_that_died_while_idle_is_replaced(cloud: LocalCloud) -> None:
    first = cloud.invoke("Count", {}).payload
    process = psutil.Process(first["pid"])

    process.kill()
    process.wait()
    time.sleep(UNTIL_BUSY_S)
    second = cloud.invoke("Count", {})

    assert second.function_error is None
    assert second.payload["requests"] == 1


def test_what_a_function_started_ends_with_its_environment(cloud: LocalCloud) -> None:
    grandchild = psutil.Process(cloud.invoke("Spawn", {}).payload)

    cloud.stop_environments("Spawn")

    _, alive = psutil.wait_procs([grandchild], timeout=10)
    assert alive == []


def test_request_at_the_limit_passes_and_one_byte_more_does_not(cloud: LocalCloud) -> None:
    frame = len(json.dumps({"x": ""}, separators=(",", ":")))
    largest = {"x": "y" * (REQUEST_LIMIT_BYTES - frame)}

    passed = cloud.invoke("Echo", largest)
    with pytest.raises(RequestTooLargeError, match="6291457 byte payload is too large"):
        cloud.invoke("Echo", {"x": largest["x"] + "y"})

    assert passed.function_error is None


def test_response_at_the_limit_passes_and_one_byte_more_does_not(cloud: LocalCloud) -> None:
    passed = cloud.invoke("Swell", {"bytes": RESPONSE_LIMIT_BYTES})
    refused = cloud.invoke("Swell", {"bytes": RESPONSE_LIMIT_BYTES + 1})
    after = cloud.invoke("Swell", {"bytes": 10})

    assert len(passed.body) == RESPONSE_LIMIT_BYTES
    assert refused.function_error == "Unhandled"
    assert refused.payload["errorType"] == "Function.ResponseSizeTooLarge"
    assert (
        "(6291557 bytes) exceeded maximum allowed payload size (6291556 bytes)"
        in refused.payload["errorMessage"]
    )
    assert after.payload == "x" * 8


def test_unknown_function_is_told_with_the_known_ones(cloud: LocalCloud) -> None:
    with pytest.raises(UnknownFunctionError, match="no function Ecko; the template has Echo, Binary"):
        cloud.invoke("Ecko", {})


def test_requests_at_once_get_an_environment_each(cloud: LocalCloud) -> None:
    cloud.stop_environments("Describe")

    with ThreadPoolExecutor(3) as threads:
        described = list(threads.map(lambda _: cloud.invoke("Describe", {}), range(3)))

    assert all(invocation.init_duration_ms is not None for invocation in described)
    assert len({invocation.payload["temporary"] for invocation in described}) == 3


def test_environment_used_last_is_used_first(cloud: LocalCloud) -> None:
    cloud.stop_environments("Count")
    barrier = threading.Barrier(2)

    def count(_: int) -> int:
        barrier.wait()
        return int(cloud.invoke("Count", {}).payload["pid"])

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(count, range(2)))
    last = cloud.invoke("Count", {}).payload["pid"]
    following = [cloud.invoke("Count", {}).payload["pid"] for _ in range(3)]

    assert following == [last] * 3


def test_reserved_concurrency_throttles_one_function_only(cloud: LocalCloud) -> None:
    with ThreadPoolExecutor(1) as threads:
        busy = threads.submit(cloud.invoke, "Single", {"seconds": 1})
        time.sleep(UNTIL_BUSY_S)
        with pytest.raises(ThrottledError, match="Single was throttled"):
            cloud.invoke("Single", {"seconds": 0})
        other = cloud.invoke("Echo", {})

    assert busy.result().payload == "awake"
    assert other.function_error is None


@pytest.fixture(scope="module")
def small_cloud(small_template: Path) -> Iterator[LocalCloud]:
    """One request at a time, and no queue that makes any; an idle environment ends at once."""
    with LocalCloud(small_template, concurrency=1, idle_s=0.2) as cloud:
        yield cloud


def test_all_functions_together_keep_to_the_concurrency(small_cloud: LocalCloud) -> None:
    with ThreadPoolExecutor(1) as threads:
        busy = threads.submit(small_cloud.invoke, "Sleep", {"seconds": 1})
        time.sleep(UNTIL_BUSY_S)
        with pytest.raises(ThrottledError) as throttled:
            small_cloud.invoke("Count", {})

    assert throttled.value.limit == 1
    assert busy.result().payload == "awake"


def test_idle_environment_ends(small_cloud: LocalCloud) -> None:
    pid = small_cloud.invoke("Count", {}).payload["pid"]

    ends = time.monotonic() + 20
    while psutil.pid_exists(pid) and time.monotonic() < ends:
        time.sleep(0.05)

    assert not psutil.pid_exists(pid)
    assert small_cloud.invoke("Count", {}).payload["requests"] == 1


def test_stopping_lets_a_busy_environment_finish(cloud: LocalCloud) -> None:
    with ThreadPoolExecutor(1) as threads:
        busy = threads.submit(cloud.invoke, "Single", {"seconds": 1})
        time.sleep(UNTIL_BUSY_S)
        cloud.stop_environments("Single")

    assert busy.result().payload == "awake"
    assert cloud.invoke("Single", {"seconds": 0}).init_duration_ms is not None
