"""The limits are a process's own, so each test has a process."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps such a limit")

PREDICT = """
import math
from tempfile import mkdtemp
from time import perf_counter
import numpy as np
import onnx
import onnxruntime
from datetime import UTC, datetime
from onnx import TensorProto, helper
from lampyris.adapters.object_store import memory_store
from lampyris.domain.manifest import Artifact, Change, Manifest
from lampyris.registry.blobs import put_blobs
from lampyris.domain.signature import Signature, TensorSpec
from lampyris.errors import OutOfMemory
from lampyris.serving.infer import Inference
from lampyris.serving.memory import free_bytes, limit_memory
from lampyris.serving.sessions import Sessions

def scalar(name): return helper.make_tensor_value_info(name, TensorProto.INT64, [])

store = memory_store()

def publish(name):
    graph = helper.make_graph(
        [helper.make_node("Range", ["a", "b", "c"], ["y"])], name, [scalar("a"), scalar("b"), scalar("c")],
        [helper.make_tensor_value_info("y", TensorProto.INT64, ["n"])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    inputs = tuple(TensorSpec(name=name, datatype="INT64", shape=()) for name in "abc")
    outputs = (TensorSpec(name="y", datatype="INT64", shape=(-1,)),)
    (blob,) = put_blobs(store, "a test", [model.SerializeToString()])
    return Manifest(
        model=name, version=1, created_at=datetime.now(UTC), upload="u", source="0",
        signature=Signature(inputs=inputs, outputs=outputs),
        published=Change(id="c", action="publish", by="a test", reason="", at=datetime.now(UTC), audited=0),
        artifact=Artifact(graph=blob, weights=None, onnxruntime="1"),
    )

manifest = publish("range")
sessions = Sessions(store, folder=mkdtemp(), memory_mb=512, clock=perf_counter)
inference = Inference(sessions, clock=perf_counter)

def count(to, manifest=manifest):
    inputs = {"a": np.array(0), "b": np.array(to), "c": np.array(1)}
    return inference.run(manifest, inputs, deadline_s=perf_counter() + 60).outputs["y"].size

limit_memory(512)
"""


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", PREDICT + code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_model_that_wants_more_memory_than_there_is_fails_and_the_next_request_is_served() -> None:
    code = """
for to in (150_000_000, 10, 2_000_000, 150_000_000, 10):
    try:
        print(count(to))
    except OutOfMemory:
        print("out of memory")
"""

    assert run(code).split("\n")[:-1] == ["out of memory", "10", "2000000", "out of memory", "10"]


def test_what_the_function_has_it_may_use() -> None:
    code = """
print(count(25_000_000))
"""

    assert run(code) == "25000000\n"


def test_python_too_is_told_instead_of_killed_and_models_make_room() -> None:
    code = """
count(1)
try:
    bytearray(600 * 2**20)
except MemoryError:
    inference.free_memory()
print(len(sessions._loaded), count(5))
"""

    assert run(code) == "0 5\n"


def test_a_run_without_memory_takes_that_of_other_models() -> None:
    code = """
other = publish("other")
print(count(25_000_000), count(5, other), len(sessions._loaded))
print(count(25_000_000, other), len(sessions._loaded))
"""

    assert run(code) == "25000000 5 2\n25000000 1\n"


def test_what_is_free_shrinks_with_what_is_taken() -> None:
    code = """
before = free_bytes(512)
taken = bytearray(b"1") * (100 * 2**20)
print(round((before - free_bytes(512)) / 2**20))
del taken
print(abs(before - free_bytes(512)) < 2**20)
"""

    assert run(code) == "100\nTrue\n"
