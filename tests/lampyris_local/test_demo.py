"""The whole path, as `lampyris demo --keep` goes it: train, compress, publish, call, and stay up."""

import json
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

PROGRAM = Path(sys.executable).with_name("lampyris")


@dataclass(frozen=True, kw_only=True)
class Demo:
    process: "subprocess.Popen[str]"
    facts: dict[str, Any]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    bundle = tmp_path_factory.mktemp("demo") / "bundle"
    process = subprocess.Popen(
        [PROGRAM, "demo", "--keep", "--json", "--out", bundle],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    document = ""
    for line in process.stdout:
        document += line
        if line == "}\n":
            break
    yield Demo(process=process, facts=json.loads(document))
    process.terminate()
    process.communicate(timeout=30)


def test_int8_is_smaller_and_about_as_accurate(demo: Demo) -> None:
    fp32, int8 = demo.facts["metrics"]["fp32"], demo.facts["metrics"]["static-int8"]

    assert int8["accuracy"] >= 0.97
    assert fp32["accuracy"] - int8["accuracy"] <= 0.01
    assert int8["size_bytes"] < fp32["size_bytes"] / 2


def test_onnx_agrees_with_torch(demo: Demo) -> None:
    assert demo.facts["parity"] < 1e-4


def test_published_model_answers_over_http_as_well_as_it_was_measured(demo: Demo) -> None:
    facts = demo.facts

    assert (facts["model"], facts["version"]) == ("digits", 1)
    assert facts["requests"] == len(facts["predictions"]) == 200
    assert facts["correct"] / facts["requests"] >= 0.95
    assert facts["correct"] == sum(each["true"] == each["label"] for each in facts["predictions"])


def test_canary_gets_its_share_of_the_requests_until_it_is_rolled_back(demo: Demo) -> None:
    by_version = demo.facts["requests_by_version"]

    assert by_version.keys() == {"1", "2"}
    assert by_version["1"] > by_version["2"]


def test_cold_start_is_the_sum_of_its_parts(demo: Demo) -> None:
    parts_ms = demo.facts["cold_start_parts_ms"]

    assert list(parts_ms) == ["init", "fetch", "session", "run", "rest"]
    assert all(part_ms > 0 for part_ms in parts_ms.values())
    assert sum(parts_ms.values()) == pytest.approx(demo.facts["cold_start_ms"])


def test_warm_requests_pay_for_no_cold_start(demo: Demo) -> None:
    assert demo.facts["handler_ms"]["p50_ms"] < demo.facts["warm_ms"]["p50_ms"] < demo.facts["cold_start_ms"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="the demo prints curl commands")
def test_printed_calls_work_as_they_are(demo: Demo) -> None:
    picture, tensor, metadata = (
        json.loads(subprocess.run(call, shell=True, capture_output=True, check=True).stdout)
        for call in demo.facts["calls"]
    )

    assert picture["predictions"][0]["label"] == demo.facts["predictions"][0]["label"]
    assert tensor["outputs"][0]["shape"] == [1, 10]
    assert "1" in metadata["versions"]


def test_bundle_that_was_kept_can_be_published_again(demo: Demo) -> None:
    endpoint = demo.facts["calls"][-1].split()[-1].removesuffix("/v2/models/digits")

    done = subprocess.run(
        [PROGRAM, "publish", demo.facts["bundle"], "--endpoint", endpoint, "--json"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert json.loads(done.stdout)["version"] == 3


def test_ending_leaves_neither_process_nor_temporary_file(demo: Demo) -> None:
    sample = Path(demo.facts["calls"][0].partition("@")[2].split()[0])
    children = psutil.Process(demo.process.pid).children(recursive=True)
    assert sample.exists()

    demo.process.send_signal(signal.SIGINT)
    demo.process.communicate(timeout=30)

    _, alive = psutil.wait_procs(children, timeout=10)
    assert not alive
    assert not sample.parent.exists()
    assert demo.process.returncode == 130


def test_port_that_is_taken_is_told_before_anything_is_built() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        done = subprocess.run([PROGRAM, "demo", "--port", port], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert f"Port {port} is taken" in done.stderr
    assert "training" not in done.stderr
