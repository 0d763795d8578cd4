from collections.abc import Iterator
from pathlib import Path

import pytest

from lampyris_local.cloud.local_cloud import LocalCloud
from lampyris_local.cloud.reports import LogLine

TOYS = Path(__file__).parent / "toys"


@pytest.fixture(scope="session")
def toy_template() -> Path:
    return TOYS / "template.yaml"


@pytest.fixture(scope="session")
def small_template() -> Path:
    return TOYS / "small.yaml"


@pytest.fixture(scope="session")
def lines() -> list[LogLine]:
    """Every line that the toys' log has so far."""
    return []


@pytest.fixture(scope="session")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the function Work notes its messages."""
    return tmp_path_factory.mktemp("notes")


@pytest.fixture(scope="session")
def cloud(toy_template: Path, notes: Path, lines: list[LogLine]) -> Iterator[LocalCloud]:
    """A local cloud that runs the toys."""
    with LocalCloud(toy_template, parameters={"Notes": str(notes)}, on_line=lines.append) as cloud:
        yield cloud
