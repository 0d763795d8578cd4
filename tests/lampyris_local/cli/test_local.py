"""`lampyris local` as a process, since stopping it is half of what it does."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx
import psutil
import pytest

PROGRAM = Path(sys.executable).with_name("lampyris")


@contextmanager
def started() -> "Iterator[subprocess.Popen[str]]":
    """Run `lampyris local`; whatever becomes of the test, it is gone afterwards, and its pipes are closed."""
    with subprocess.Popen(
        [PROGRAM, "local", "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def read_until(pattern: str, stream: IO[str]) -> tuple[str, re.Match[str]]:
    """Read lines until one matches; return all of them, and the match."""
    seen = ""
    for line in stream:
        seen += line
        found = re.search(pattern, line)
        if found is not None:
            return seen, found
    pytest.fail(f"{pattern} is not in:\n{seen}")


@dataclass(frozen=True, kw_only=True)
class Up:
    endpoint: str
    greeting: str
    output: IO[str]


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    """A local cloud that runs, and what it said when it came up."""
    with started() as process:
        assert process.stdout is not None
        greeting, _ = read_until(r"lampyris models", process.stdout)
        found = re.search(r"export LAMPYRIS_ENDPOINT=(http://127.0.0.1:\d+)", greeting)
        assert found is not None
        yield Up(endpoint=found[1], greeting=greeting, output=process.stdout)
        process.terminate()
        process.communicate(timeout=30)


def test_addresses_and_routes_are_printed(up: Up) -> None:
    assert re.search(rf"API +{up.endpoint}\s", up.greeting)
    assert re.search(r"S3, SQS +http://127.0.0.1:\d+", up.greeting)
    assert re.search(r"POST +/models/\{model\}/predict +PredictFunction", up.greeting)


def test_queues_and_what_they_wake_are_printed(up: Up) -> None:
    assert re.search(r"InboxQueue +PublishFunction +1 +5\s", up.greeting)
    assert re.search(r"OrderedPredictionsQueue, in order +PredictionsFunction", up.greeting)


def test_commands_to_try_work_as_printed(up: Up) -> None:
    export, models = (
        re.search(rf"^  ({command}.*)$", up.greeting, re.MULTILINE)
        for command in ("export", r"\S*lampyris models")
    )
    assert export is not None
    assert models is not None

    # Nothing but what any terminal finds.
    done = subprocess.run(
        ["/bin/sh", "-c", f"{export[1]}; {models[1]}"],
        env={"PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, "")
    assert "There is no model yet" in done.stderr


def test_invocations_are_logged_as_they_happen(up: Up) -> None:
    httpx.post(f"{up.endpoint}/models/absent/predict", json={"inputs": [1]}, timeout=30)

    printed, _ = read_until(r"PredictFunction +REPORT", up.output)

    assert re.search(r"POST /models/\{model\}/predict  404  model-not-found", printed)
    assert re.search(r"Duration: +[\d.]+ ms  Max Memory Used: +\d+ MB  Init Duration: +[\d.]+ ms", printed)


@pytest.mark.parametrize(("stop", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_being_stopped_leaves_no_process_behind(stop: signal.Signals, exit_code: int) -> None:
    with started() as process:
        assert process.stdout is not None
        _, found = read_until(r"LAMPYRIS_ENDPOINT=(\S+)", process.stdout)
        httpx.get(f"{found[1]}/v2/health/live", timeout=30)
        children = psutil.Process(process.pid).children(recursive=True)

        process.send_signal(stop)
        _, remarks = process.communicate(timeout=30)

    _, alive = psutil.wait_procs(children, timeout=10)
    assert children
    assert not alive
    assert (process.returncode, remarks) == (exit_code, "")


def test_faults_that_make_no_sense_are_refused() -> None:
    done = subprocess.run(
        [PROGRAM, "local", "--faults", "kill=often"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert "kill must be a probability from 0 to 1" in done.stderr


def test_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        done = subprocess.run([PROGRAM, "local", "--port", port], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert f"Port {port} is taken" in done.stderr


def test_template_that_cannot_run_is_told(tmp_path: Path) -> None:
    template = tmp_path / "template.yaml"
    template.write_text("Resources: {F: {Type: AWS::Serverless::Function, Properties: {Events: {}}}}")

    done = subprocess.run(
        [PROGRAM, "local", "--port", "0", "--template", template], capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert "[invalid-template]" in done.stderr
    assert os.fspath(template) in done.stderr
