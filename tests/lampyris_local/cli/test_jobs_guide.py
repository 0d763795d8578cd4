"""Every command of docs/jobs.md is one that the command line takes, and all about jobs are in it."""

import json
import re
import shlex
from pathlib import Path

import msgspec
import pytest
import typer

from lampyris.control.jobs import Submit
from lampyris_local.cli.commands import app

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "jobs.md").read_text()
README = (ROOT / "README.md").read_text().partition("## In the background\n")[2].partition("\n## ")[0]
LINES = [
    line
    for block in re.findall(r"^```sh\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
] + re.findall(r"^    (?:\.venv/bin/)?(lampyris .+)", GUIDE + README, re.MULTILINE)


def parsed(line: str) -> list[str]:
    """Read a line as the command line does, without running it; return the names of its commands."""
    program, *words = shlex.split(line)
    assert program == "lampyris"
    command = typer.main.get_command(app)
    names: list[str] = []
    while True:
        context = command.make_context(program, list(words), resilient_parsing=False)
        resolve = getattr(command, "resolve_command", None)
        if resolve is None:
            return names
        name, command, words = resolve(context, [*context._protected_args, *context.args])
        names.append(name)


@pytest.mark.parametrize("line", LINES)
def test_command_of_the_guide_is_taken(line: str) -> None:
    assert parsed(line)


def test_guide_names_every_command_about_jobs() -> None:
    jobs = typer.main.get_command(app).commands["jobs"].commands  # type: ignore[attr-defined]  # groups have them
    named = {names[1] for names in map(parsed, LINES) if names[0] == "jobs"}

    assert set(jobs) == named


def test_request_of_the_guide_is_one() -> None:
    requests = [
        block
        for block in re.findall(r"^```json\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
        if "spec" in json.loads(block)
    ]

    assert requests
    for block in requests:
        assert msgspec.json.decode(block, type=Submit).max_attempts == 3
