"""No test ever reaches a real account: whatever credentials the shell has, tests run with none that count."""

import ctypes
import os
import platform
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import settings

# No test asserts how long anything takes: machines are slow at times.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

TEST_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
}


# Linux' names for what root may do whatever a file's permissions say (linux/capability.h).
_CAPABILITY_VERSION = 0x20080522
_DAC_OVERRIDE, _DAC_READ_SEARCH = 1 << 1, 1 << 2


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


@pytest.fixture
def as_anybody() -> Callable[[Callable[[], Any]], Any]:
    """Return what runs a function so that permissions bind it, root too: in a thread that gave that up."""

    def run(function: Callable[[], Any]) -> Any:
        if os.geteuid() != 0:
            return function()
        with ThreadPoolExecutor(1, initializer=_obey_permissions) as thread:
            return thread.submit(function).result()

    return run


def _obey_permissions() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    # Effective, permitted and inheritable, of the lower half and then the upper.
    capabilities = (ctypes.c_uint32 * 6)()
    assert libc.capget(header, capabilities) == 0
    for kind in range(3):
        capabilities[kind] &= ~(_DAC_OVERRIDE | _DAC_READ_SEARCH)
    assert libc.capset(header, capabilities) == 0


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
