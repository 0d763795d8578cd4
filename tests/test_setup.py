"""`scripts/setup` where there is nothing to do, and where it cannot work; other scripts run it for real."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TOOLS = ("cat", "cmp", "dirname", "env", "head", "sh")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with what setup reads, and a PATH beside it without any Python."""
    clone = tmp_path / "clone"
    (clone / "scripts").mkdir(parents=True)
    for name in ("pyproject.toml", "constraints.txt", "scripts/setup"):
        shutil.copy(ROOT / name, clone / name)
    (tmp_path / "bin").mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found
        (tmp_path / "bin" / tool).symlink_to(found)
    return clone


def add_program(path: Path, body: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def run_setup(clone: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    path = str(clone.parent / "bin")
    return subprocess.run(
        [clone / "scripts/setup"],
        env={"PATH": path, **variables},
        cwd=os.sep,
        capture_output=True,
        text=True,
        check=False,
    )


def finish(clone: Path, folder: Path) -> None:
    """Leave what a finished setup of `folder` leaves."""
    add_program(clone / ".venv/bin/python", "exit 1")
    inputs = (clone / "pyproject.toml").read_text() + (clone / "constraints.txt").read_text()
    (clone / ".venv/lampyris-setup").write_text(f"{folder}\n{inputs}")


def test_finished_setup_has_nothing_to_do_and_says_nothing(clone: Path) -> None:
    finish(clone, clone)

    done = run_setup(clone)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_changed_dependencies_are_not_taken_as_installed(clone: Path) -> None:
    finish(clone, clone)
    (clone / "constraints.txt").write_text("numpy==0\n")

    done = run_setup(clone)

    assert done.returncode != 0


def test_environment_of_a_folder_that_moved_is_not_taken_as_done(clone: Path) -> None:
    finish(clone, clone.parent / "elsewhere")

    done = run_setup(clone)

    assert done.returncode != 0


def test_half_done_setup_is_not_taken_as_done(clone: Path) -> None:
    finish(clone, clone)
    (clone / ".venv/lampyris-setup").unlink()

    done = run_setup(clone)

    assert done.returncode != 0


def test_setup_without_python_says_which_one_to_install(clone: Path) -> None:
    done = run_setup(clone)

    assert done.returncode != 0
    assert "no Python 3.11 or later on PATH" in done.stderr


def test_setup_passes_over_a_shim_without_a_version_behind_it(clone: Path) -> None:
    add_program(clone.parent / "bin/python3.13", "echo 'command not found' >&2; exit 127")

    done = run_setup(clone)

    assert "no Python 3.11 or later on PATH" in done.stderr
    assert "command not found" not in done.stderr


def test_setup_with_python_but_without_venv_names_the_package_that_has_it(clone: Path) -> None:
    add_program(clone.parent / "bin/python3.12", 'case "$2" in *ensurepip*) exit 1 ;; esac')

    done = run_setup(clone)

    assert done.returncode != 0
    assert "found python3.12, but without the modules venv and ensurepip" in done.stderr
    assert "python3-venv" in done.stderr


def test_setup_refuses_an_interpreter_that_is_none(clone: Path) -> None:
    done = run_setup(clone, PYTHON="/nowhere/python3")

    assert done.returncode != 0
    assert "PYTHON=/nowhere/python3 is not a Python 3.11 or later" in done.stderr
