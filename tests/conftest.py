"""No test ever reaches a real account: whatever credentials the shell has, tests run with none that count."""

import os
import platform
import signal
from collections.abc import Iterator

import pytest

TEST_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
}


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("nchwc") and platform.machine() not in {"x86_64", "AMD64"}:
        pytest.skip("whether onnxruntime lays convolutions out for this CPU is not known")


@pytest.fixture(scope="session", autouse=True)
def _no_real_account() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as environment:
        for name in [name for name in os.environ if name.startswith(("AWS_", "LAMPYRIS_"))]:
            environment.delenv(name)
        for name, value in TEST_ENVIRONMENT.items():
            environment.setenv(name, value)
        yield


@pytest.fixture(scope="session", autouse=True)
def _interruptible_processes() -> Iterator[None]:
    """Let SIGINT end the processes that tests start, even when the tests were started to ignore it.

    Scripts start what they put into the background (`scripts/test &`) that way, and a process passes on which
    signals it ignores, but not which it handles. So the tests handle it, by doing nothing.
    """
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGINT, lambda _number, _frame: None)
    yield
    signal.signal(signal.SIGINT, signal.SIG_IGN)
