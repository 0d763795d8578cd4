"""Every command of docs/registry.md, and of the README's section about it, in its order, as it is printed."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from lampyris_local.cli.commands import app

Run = Callable[..., Result]

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "registry.md").read_text()


@pytest.fixture
def working_folder(tmp_path: Path, bundle: Path, onnx_file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the guide's reader has: a bundle, a model of other origin, a picture."""
    shutil.copytree(bundle, tmp_path / "bundles" / "digits")
    document = tmp_path / "bundles" / "digits" / "bundle.json"
    document.write_text(document.read_text().replace('"brightness"', '"digits"'))
    shutil.copy(onnx_file, tmp_path / "resnet50.onnx")
    shutil.copy(ROOT / "docs" / "seven.png", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the guide makes its key with openssl")
def test_guide_works_as_it_is_printed(run: Run, working_folder: Path) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]

    for line in lines:
        program, *arguments = shlex.split(line.replace("$PWD", str(working_folder)))
        if program == "lampyris":
            result = run(*arguments)
            assert result.exit_code == 0, f"{line}: {result.stdout}{result.stderr}"
        else:
            subprocess.run([program, *arguments], check=True, capture_output=True)

    assert (working_folder / "card.html").read_text().startswith("<!DOCTYPE html>")
    assert (working_folder / "backups" / "monday" / "models" / "digits" / "versions" / "1.json").exists()


def test_guide_names_every_command(run: Run) -> None:
    printed = set(re.findall(r"\blampyris ((?:versions|aliases|uploads) \w+|\w+)", GUIDE))

    commands = run("--help").stdout
    groups = {name: run(name, "--help").stdout for name in ("versions", "aliases", "uploads")}

    listed = {name for name in re.findall(r"│ ([a-z]+)  ", commands) if name not in groups}
    listed |= {
        f"{group} {name}" for group, text in groups.items() for name in re.findall(r"│ ([a-z]+)  ", text)
    }
    assert listed - {"demo", "build", "local", "tune", "jobs", "data"} <= printed


def test_readme_releases_as_it_is_printed(working_folder: Path) -> None:
    section = (ROOT / "README.md").read_text().partition("## The registry\n")[2].partition("\n## ")[0]
    commands = re.findall(r"^    \.venv/bin/lampyris (.+)", section, re.MULTILINE)
    runner = CliRunner(env={"LAMPYRIS_ENDPOINT": (working_folder / "registry").as_uri()})

    results = [runner.invoke(app, shlex.split(command)) for command in ("publish bundles/digits", *commands)]

    assert len(results) == 7
    assert [result.exit_code for result in results] == [0] * 7, results[-1].stderr
