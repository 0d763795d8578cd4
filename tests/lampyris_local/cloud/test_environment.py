import asyncio
import sys
from pathlib import Path

import pytest

from lampyris_local.cloud.environment import Environment, Machine
from lampyris_local.cloud.faults import Fates, Faults
from lampyris_local.cloud.guard import Guard
from lampyris_local.cloud.invocation import Invocation
from lampyris_local.cloud.runtime_api import RuntimeApi
from lampyris_local.cloud.stack import Function


@pytest.fixture
def code(toy_template: Path) -> Path:
    return toy_template.parent / "functions"


def run_slow(
    code: Path,
    folder: Path,
    *,
    init_s: float = 0,
    init_limit_s: float = 10,
    timeout_s: int = 30,
    faults: Faults | None = None,
) -> Invocation:
    """Run one request in a new environment whose INIT sleeps for `init_s`."""
    function = Function(
        logical_id="Slow",
        name="slow",
        arn="arn:aws:lambda:us-east-1:123456789012:function:slow",
        handler="slow.handler",
        runtime="python3.13",
        code=code,
        memory_mb=128,
        timeout_s=timeout_s,
        environment={"INIT_S": str(init_s)},
        reserved_concurrency=None,
    )

    async def run(guard: Guard) -> Invocation:
        runtime_api = RuntimeApi()
        await runtime_api.start()
        machine = Machine(
            python=Path(sys.executable),
            variables={},
            folder=folder,
            runtime_api=runtime_api,
            guard=guard,
            on_line=lambda _: None,
            init_limit_s=init_limit_s,
            fates=None if faults is None else Fates(faults, {"Slow"}),
        )
        environment = Environment(function, machine)
        try:
            return await environment.invoke("some-id", b"{}")
        finally:
            await environment.stop()
            await runtime_api.stop()

    with Guard(folder) as guard:
        return asyncio.run(run(guard))


def test_init_is_measured_until_the_runtime_asks_for_work(code: Path, tmp_path: Path) -> None:
    invocation = run_slow(code, tmp_path, init_s=0.5, init_limit_s=10, timeout_s=1)

    assert invocation.payload == "at last"
    assert invocation.init_duration_ms is not None
    assert invocation.init_duration_ms > 500


def test_init_over_its_limit_begins_again_within_the_functions_timeout(code: Path, tmp_path: Path) -> None:
    invocation = run_slow(code, tmp_path, init_s=1, init_limit_s=0.2, timeout_s=30)

    assert invocation.payload == "at last"
    assert invocation.function_error is None


def test_init_over_both_limits_is_a_timeout(code: Path, tmp_path: Path) -> None:
    invocation = run_slow(code, tmp_path, init_s=60, init_limit_s=0.2, timeout_s=1)

    assert invocation.function_error == "Unhandled"
    assert invocation.payload == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": "RequestId: some-id Error: Task timed out after 1.00 seconds",
    }
    assert invocation.log[-1].endswith("Status: timeout")


def test_invocation_that_is_killed_before_it_has_a_process_is_killed_all_the_same(
    code: Path, tmp_path: Path
) -> None:
    soonest = Faults(kill=1, seed=687)  # of which the first is killed after 10 ms

    invocation = run_slow(code, tmp_path, faults=soonest)

    assert invocation.function_error == "Unhandled"
    assert invocation.payload["errorType"] == "Runtime.ExitError"
