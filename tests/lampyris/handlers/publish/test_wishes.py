"""Wishes for the form of an artifact that is faster on one kind of CPU."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from lampyris.adapters.object_keys import is_key
from lampyris.domain.layout import TUNING, blob_key, wish_key
from lampyris.domain.manifest import Artifact, Blob
from lampyris.domain.tuned import Tuned, read_tuned
from lampyris.handlers.publish import App
from lampyris.publishing.tuning import tune_artifact
from lampyris.registry.documents import read_version

Deliver = Callable[..., list[int]]
DIGEST = "a" * 64
CPU_KEY = "0" * 32


def wish(digest: str, *, tunable: bool) -> bytes:
    graph = Blob(digest=digest, size_bytes=4, part_size_bytes=4, part_digests=("0" * 64,))
    return msgspec.json.encode(Artifact(graph=graph, weights=None, onnxruntime="1", tunable=tunable))


def convolutions() -> bytes:
    """Make a model that runs faster in the form for one CPU, by far: wide convolutions in fp32."""
    weights = np.random.default_rng(0).normal(scale=0.02, size=(64, 64, 3, 3)).astype(np.float32)
    convolution: dict[str, Any] = {"kernel_shape": [3, 3], "pads": [1] * 4}
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w"], ["a"], **convolution),
            helper.make_node("Relu", ["a"], ["b"]),
            helper.make_node("Conv", ["b", "w"], ["c"], **convolution),
            helper.make_node("GlobalAveragePool", ["c"], ["y"]),
        ],
        "convolutions",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 64, 16, 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 64, 1, 1])],
        [numpy_helper.from_array(weights, "w")],
    )
    made: onnx.ModelProto = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    return bytes(made.SerializeToString())


@pytest.fixture
def artifact(drop: Callable[..., str], deliver: Deliver, app: App) -> Artifact:
    """Publish it."""
    deliver([drop("lamp", "u1", data=convolutions())])
    return read_version(app.store, "lamp", 1).artifact


def wishes(app: App) -> list[str]:
    return [entry.key for entry in app.store.list(TUNING)]


def granted(app: App, artifact: Artifact) -> Tuned:
    tuned = read_tuned(app.store, artifact, CPU_KEY)
    assert tuned is not None
    return tuned


@pytest.fixture
def half(app: App) -> App:
    """An app whose tuned forms take half the time, whatever the machine: nothing is timed."""

    def twice_as_fast(folder: Path) -> float | None:
        return None if tune_artifact(folder) is None else 2.0

    return replace(app, tuning=twice_as_fast)


@pytest.mark.nchwc
def test_published_convolutions_are_wished_for_and_then_tuned(
    half: App, capsys: pytest.CaptureFixture[str], artifact: Artifact, deliver: Deliver
) -> None:
    assert wishes(half) == [wish_key(artifact.digest, CPU_KEY)]

    failed = deliver(wishes(half), to=half)

    tuned = granted(half, artifact)
    assert failed == []
    assert tuned.artifact is not None
    assert half.store.size_bytes(blob_key(tuned.artifact.graph.digest)) > 0
    assert tuned.artifact.digest != artifact.digest
    assert (tuned.cpu, tuned.onnxruntime, tuned.speedup) == ("x86_64, a CPU", onnxruntime.__version__, 2.0)
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert line["Tuned"] == [1.0]
    assert (line["artifact"], line["cpu"], line["speedup"]) == (artifact.digest, "x86_64, a CPU", 2.0)


def test_model_that_gains_nothing_is_not_wished_for(
    app: App, drop: Callable[..., str], deliver: Deliver
) -> None:
    deliver([drop("iris", "u1")])

    assert not read_version(app.store, "iris", 1).artifact.tunable
    assert wishes(app) == []


@pytest.mark.nchwc
def test_nothing_is_wished_for_where_the_cpu_is_not_known(
    app: App, drop: Callable[..., str], deliver: Deliver
) -> None:
    unknown = replace(app, cpu=None)

    deliver([drop("lamp", "u1", data=convolutions())], to=unknown)

    assert read_version(app.store, "lamp", 1).artifact.tunable
    assert wishes(app) == []


@pytest.mark.nchwc
@pytest.mark.parametrize("speedup", [None, 0.5, 1.04])
def test_form_that_is_hardly_faster_is_not_kept_and_not_tried_again(
    app: App, speedup: float | None, artifact: Artifact, deliver: Deliver
) -> None:
    blobs = list(app.store.list("blobs/"))
    tried: list[Path] = []

    def slow(folder: Path) -> float | None:
        tried.append(folder)
        return speedup

    for _ in range(2):
        deliver(wishes(app), to=replace(app, tuning=slow))

    tuned = granted(app, artifact)
    assert (tuned.artifact, tuned.speedup) == (None, speedup)
    assert len(tried) == 1
    assert list(app.store.list("blobs/")) == blobs


@pytest.mark.nchwc
def test_wish_delivered_again_changes_nothing(half: App, artifact: Artifact, deliver: Deliver) -> None:
    deliver(wishes(half), to=half)
    before = granted(half, artifact)

    assert deliver(wishes(half), to=half) == []
    assert granted(half, artifact) == before


@pytest.mark.nchwc
def test_wish_of_another_cpu_is_granted_for_this_one(half: App, artifact: Artifact, deliver: Deliver) -> None:
    key = wish_key(artifact.digest, "f" * 32)
    half.store.put(key, half.store.get(*wishes(half)).data)

    deliver([key], to=half)

    assert granted(half, artifact).cpu == "x86_64, a CPU"
    assert read_tuned(half.store, artifact, "f" * 32) is None


@pytest.mark.nchwc
def test_tuning_that_breaks_comes_again(app: App, artifact: Artifact, deliver: Deliver) -> None:

    def breaks(folder: Path) -> float | None:
        raise OSError("No space left on device")

    failed = deliver(wishes(app), to=replace(app, tuning=breaks))

    assert failed == [1]
    assert read_tuned(app.store, artifact, CPU_KEY) is None


@pytest.mark.parametrize(
    ("key", "document"),
    [
        ("tuning/", b"{}"),
        ("tuning/glow.json", b"{}"),
        (f"tuning/../{'0' * 32}.json", b"{}"),
        (f"tuning/{DIGEST}/{'0' * 32}.txt", b"{}"),
        (wish_key(DIGEST, CPU_KEY), b""),
        (wish_key(DIGEST, CPU_KEY), b"\xff"),
        (wish_key(DIGEST, CPU_KEY), b"[" * 100_000),
        (wish_key(DIGEST, CPU_KEY), b"{}"),
        (wish_key(DIGEST, CPU_KEY), wish("b" * 64, tunable=True)),
        (wish_key(DIGEST, CPU_KEY), wish(DIGEST, tunable=False)),
    ],
)
def test_wish_that_is_none_is_logged_and_dropped(
    app: App, log: io.StringIO, key: str, document: bytes, deliver: Deliver
) -> None:
    if is_key(key):
        app.store.put(key, document)

    failed = deliver([key])

    line = json.loads(log.getvalue())
    assert failed == []
    assert (line["level"], line["key"]) == ("WARNING", key)
    assert list(app.store.list("tuned/")) == []


def test_wish_whose_artifact_is_gone_is_logged_and_dropped(
    app: App, log: io.StringIO, artifact: Artifact, deliver: Deliver
) -> None:
    app.store.put(wish_key(DIGEST, CPU_KEY), wish(DIGEST, tunable=True))

    failed = deliver([wish_key(DIGEST, CPU_KEY)])

    assert failed == []
    assert "artifact is gone" in json.loads(log.getvalue())["message"]


def test_wish_that_has_expired_is_done_at_once(app: App, log: io.StringIO, deliver: Deliver) -> None:
    failed = deliver([wish_key(DIGEST, CPU_KEY)])

    assert failed == []
    assert log.getvalue() == ""
