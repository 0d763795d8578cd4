"""What the README tells people to type works as it is printed."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lampyris_local.cloud.local_cloud import LocalCloud

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    with LocalCloud(ROOT / "template.yaml") as cloud:
        yield cloud


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with what the commands name; what they write goes beside it."""
    for name in ("recipes", "docs"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def commands(heading: str) -> list[str]:
    """Return the `lampyris` commands of a section, in order."""
    section = README.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^    \.venv/bin/lampyris ([^#\n]+)", section, re.MULTILINE)


def test_the_local_walkthrough_ends_with_the_right_answer(cloud: LocalCloud, clone: Path) -> None:
    lampyris = Path(sys.executable).with_name("lampyris")
    environ = {**os.environ, "LAMPYRIS_ENDPOINT": cloud.api_url}
    local, *steps = commands("On your machine")

    outputs = [
        subprocess.run(
            [lampyris, *shlex.split(step)],
            env=environ,
            cwd=clone,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for step in steps
    ]

    assert local.strip() == "local"
    assert [step.split()[0] for step in steps] == ["build", "publish", "models", "predict"]
    assert "digits" in outputs[2]
    assert re.search(r"seven\.png\W+7\b", outputs[3])


def test_every_file_that_the_readme_links_to_is_there() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if not link.startswith("http")]

    assert links
    assert all((ROOT / link).exists() for link in links)
