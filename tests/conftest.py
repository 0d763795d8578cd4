"""No test ever reaches a real account: whatever credentials the shell has, tests run with none that count."""

import os
import platform
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
