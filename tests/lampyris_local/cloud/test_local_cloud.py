import contextlib
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from lampyris_local.cloud.intrinsics import TemplateError
from lampyris_local.cloud.local_cloud import LocalCloud

# Starts a local cloud, has one function idle and one busy, says so, and waits.
PROGRAM = """
import json, sys, threading, time
from pathlib import Path
from lampyris_local.cloud.local_cloud import LocalCloud

with LocalCloud(Path(sys.argv[1])) as cloud:
    idle = cloud.invoke("Describe", {}).payload
    threading.Thread(target=cloud.invoke, args=("Sleep", {"seconds": 600}), daemon=True).start()
    time.sleep(1)
    print(json.dumps({"url": cloud.api_url, "temporary": idle["temporary"]}), flush=True)
    time.sleep(600)
"""


class Running:
    """A local cloud in a process of its own, with all the processes it has started."""

    def __init__(self, template: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(template)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert self.process.stdout is not None
        self.facts: dict[str, Any] = json.loads(self.process.stdout.readline())
        self.children = psutil.Process(self.process.pid).children(recursive=True)

    def send(self, number: signal.Signals) -> str:
        """Send a signal, wait for the end, return what was written to stderr."""
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=20)
        return str(errors, "utf-8")


@pytest.fixture
def running(small_template: Path) -> Iterator[Running]:
    running = Running(small_template)
    yield running
    running.process.kill()
    running.process.communicate()
    for child in running.children:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_and_no_file_survives_a_signal(running: Running, number: signal.Signals) -> None:
    errors = running.send(number)

    _, alive = psutil.wait_procs(running.children, timeout=10)
    assert len(running.children) == 3  # two environments and the guard
    assert alive == []
    assert not Path(running.facts["temporary"]).exists()
    assert not Path(running.facts["temporary"]).parent.exists()
    assert errors.endswith("KeyboardInterrupt\n" if number == signal.SIGINT else "")
    assert "Task was destroyed" not in errors


def test_all_is_gone_when_the_cloud_is_left(small_template: Path) -> None:
    before = set(psutil.Process().children(recursive=True))

    with LocalCloud(small_template) as cloud:
        cloud.invoke("Count", {})
        started = set(psutil.Process().children(recursive=True)) - before
        address = (cloud.api_url.rpartition("/")[2].partition(":")[0], int(cloud.api_url.rpartition(":")[2]))

    assert len(started) == 2  # the environment and the guard
    assert not any(process.is_running() for process in started)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)


def test_two_clouds_in_one_process_keep_apart(cloud: LocalCloud, toy_template: Path) -> None:
    with LocalCloud(toy_template) as other:
        outputs = dict(other.outputs)

    assert outputs["Bucket"] != cloud.outputs["Bucket"]
    assert cloud.invoke("Echo", {}).function_error is None


def test_cloud_on_a_named_endpoint_finds_its_resources_again(cloud: LocalCloud, toy_template: Path) -> None:
    with LocalCloud(toy_template, endpoint=cloud.endpoint_url) as first:
        outputs = dict(first.outputs)
    with LocalCloud(toy_template, endpoint=cloud.endpoint_url) as second:
        again = dict(second.outputs)

    assert {**again, "Url": ""} == {**outputs, "Url": ""}
    assert second.endpoint_url == cloud.endpoint_url


def test_ports_can_be_chosen(small_template: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        port, endpoint_port = one.getsockname()[1], two.getsockname()[1]

    with LocalCloud(small_template, port=port, endpoint_port=endpoint_port) as cloud:
        urls = (cloud.api_url, cloud.endpoint_url)

    assert urls == (f"http://127.0.0.1:{port}", f"http://127.0.0.1:{endpoint_port}")


@pytest.mark.parametrize("which", ["port", "endpoint_port"])
def test_port_that_is_taken_is_told(small_template: Path, which: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        options: dict[str, Any] = {which: port}

        with pytest.raises(OSError, match=f"port {port} is taken"), LocalCloud(small_template, **options):
            pass


def test_template_that_cannot_run_leaves_nothing_behind(tmp_path: Path) -> None:
    before = set(psutil.Process().children(recursive=True))
    (tmp_path / "template.yaml").write_text("Resources: { Old: { Type: AWS::Lambda::Function } }")

    with pytest.raises(TemplateError, match="does not run"), LocalCloud(tmp_path / "template.yaml"):
        pass

    assert set(psutil.Process().children(recursive=True)) == before


def test_routes_are_told(cloud: LocalCloud) -> None:
    keys = [(route.key, route.function) for route in cloud.routes]

    assert keys == [("ANY /echo/{rest+}", "Echo"), ("POST /binary", "Binary"), ("GET /fail", "Fail")]
