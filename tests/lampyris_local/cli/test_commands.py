import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from lampyris_local.cli.commands import app
from lampyris_local.cloud.local_cloud import LocalCloud

Run = Callable[..., Result]

COMMANDS = ("demo", "build", "publish", "models", "predict", "local")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_shows_an_example(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"])

    assert "Example:" in result.stdout
    assert f"lampyris {command}" in result.stdout


def test_help_names_every_command() -> None:
    result = CliRunner().invoke(app, ["--help"])

    assert all(command in result.stdout for command in COMMANDS)


def test_version_is_that_of_the_package() -> None:
    result = CliRunner().invoke(app, ["--version"])

    assert result.stdout.startswith("lampyris 0.")


def test_wrong_usage_exits_2() -> None:
    assert CliRunner().invoke(app, ["models", "--colour"]).exit_code == 2


def imported_by(*arguments: str, endpoint: str = "", exit_code: int = 0) -> set[str]:
    """Run a command that must end so, and return the modules that it left behind."""
    script = (
        "import sys; from typer.testing import CliRunner; from lampyris_local.cli.commands import app;"
        "result = CliRunner().invoke(app, sys.argv[1:]);"
        f"print(*sys.modules); sys.exit(result.exit_code != {exit_code})"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env={**os.environ, "LAMPYRIS_ENDPOINT": endpoint},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_help_imports_nothing_heavy() -> None:
    imported = imported_by("--help")

    assert not imported & {"torch", "moto", "boto3", "onnxruntime", "numpy", "httpx"}


@pytest.mark.parametrize("command", ["build", "tune"])
def test_mistake_in_a_recipe_is_told_before_torch_is_imported(command: str, tmp_path: Path) -> None:
    recipe = tmp_path / "flowers.toml"
    recipe.write_text('name = "flowers"')

    imported = imported_by(command, str(recipe), exit_code=1)

    assert f"lampyris_local.cli.{command}" in imported
    assert not imported & {"torch", "sklearn"}


def test_asking_the_local_cloud_imports_neither_it_nor_boto3(cloud: LocalCloud, published: str) -> None:
    imported = imported_by("models", published, endpoint=cloud.api_url)

    assert not imported & {"torch", "moto", "boto3", "onnxruntime"}


def test_endpoint_where_nothing_listens_is_one_sentence_and_exit_1() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        endpoint = f"http://127.0.0.1:{free.getsockname()[1]}"

    result = CliRunner().invoke(app, ["models", "--endpoint", endpoint])

    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert f"Nothing answers at {endpoint}" in result.stderr
    assert "[nothing-listens]" in result.stderr


def test_proxy_in_the_environment_is_not_asked_for_the_local_cloud(
    run: Run, published: str, bright_png: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{free.getsockname()[1]}")

    assert run("models", published).exit_code == 0
    assert run("predict", published, bright_png).exit_code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("local", "--port", "65536"),
        ("local", "--port=-1"),
        ("local", "--idle=-1"),
        ("demo", "--port", "65536"),
        ("publish", "bundle", "--timeout=-1"),
    ],
)
def test_number_that_cannot_be_is_wrong_usage(arguments: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, arguments)

    assert result.exit_code == 2
    assert "Invalid value for" in result.stderr
