"""Models as people upload them, and what is wrong with some."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from lampyris.domain.bundle import MODEL_FILE, PROBE_FILE, Bundle, BundleFile, Probe
from lampyris.domain.layout import BUNDLE_FILE
from lampyris.domain.signature import Signature, TensorSpec
from lampyris.domain.tensors import tensor_of

LABELS = ("setosa", "versicolor", "virginica")
NOW = datetime(2026, 7, 1, tzinfo=UTC)


@pytest.fixture
def model_of() -> Callable[..., onnx.ModelProto]:
    """Put nodes together into a model of opset 17."""

    def build(
        nodes: list[onnx.NodeProto],
        inputs: list[onnx.ValueInfoProto],
        outputs: list[onnx.ValueInfoProto],
        initializers: list[onnx.TensorProto] | None = None,
        **extra: object,
    ) -> onnx.ModelProto:
        graph = helper.make_graph(nodes, "graph", inputs, outputs, initializers or [])
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.example", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8, **extra)

    return build


@pytest.fixture
def mlp(model_of: Callable[..., onnx.ModelProto]) -> Callable[..., onnx.ModelProto]:
    """Make a classifier: FP32 (n, sizes[0]) in, probabilities FP32 (n, sizes[-1]) out."""

    def build(*sizes: int, seed: int = 0) -> onnx.ModelProto:
        rng = np.random.default_rng(seed)
        nodes, initializers, values = [], [], "x"
        for layer, (fan_in, fan_out) in enumerate(pairwise(sizes)):
            weights = rng.standard_normal((fan_in, fan_out)).astype(np.float32) / np.float32(fan_in**0.5)
            initializers.append(numpy_helper.from_array(weights, f"w{layer}"))
            initializers.append(numpy_helper.from_array(np.zeros(fan_out, np.float32), f"b{layer}"))
            nodes.append(helper.make_node("Gemm", [values, f"w{layer}", f"b{layer}"], [f"g{layer}"]))
            nodes.append(helper.make_node("Relu", [f"g{layer}"], [f"r{layer}"]))
            values = f"r{layer}"
        nodes.append(helper.make_node("Softmax", [values], ["y"]))
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", sizes[0]])
        y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", sizes[-1]])
        return model_of(nodes, [x], [y], initializers)

    return build


@pytest.fixture
def bundle(mlp: Callable[..., onnx.ModelProto]) -> dict[str, bytes]:
    """Make a whole bundle: its files by name, `bundle.json` among them."""
    model = mlp(4, 8, 3)
    rows = np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)
    answers = np.asarray(ReferenceEvaluator(model).run(None, {"x": rows}))[0]
    inputs = TensorSpec(name="x", datatype="FP32", shape=(-1, 4))
    outputs = TensorSpec(name="y", datatype="FP32", shape=(-1, 3))
    probe = Probe(
        inputs=(tensor_of(inputs, rows),), outputs=(tensor_of(outputs, answers),), rtol=1e-4, atol=1e-5
    )
    files = {
        MODEL_FILE: model.SerializeToString(),
        PROBE_FILE: msgspec.json.encode(probe),
        "report.html": b"<html></html>",
    }
    document = Bundle(
        model="iris",
        created_at=NOW,
        files={name: promise_of(data) for name, data in files.items()},
        signature=Signature(inputs=(inputs,), outputs=(outputs,), labels=LABELS),
        metrics={"fp32": {"accuracy": 0.97}},
        provenance={"seed": 7},
    )
    return {**files, BUNDLE_FILE: msgspec.json.encode(document)}


def promise_of(data: bytes) -> BundleFile:
    return BundleFile(digest=hashlib.sha256(data).hexdigest(), size_bytes=len(data))


@pytest.fixture
def changed(bundle: dict[str, bytes]) -> Callable[..., dict[str, bytes]]:
    """Change a bundle as its builder could have: files that it then promises, fields of its document."""

    def change(files: dict[str, bytes] | None = None, **fields: object) -> dict[str, bytes]:
        document = msgspec.json.decode(bundle[BUNDLE_FILE], type=Bundle)
        promises = document.files | {name: promise_of(data) for name, data in (files or {}).items()}
        document = msgspec.structs.replace(document, **{"files": promises, **fields})
        return {**bundle, **(files or {}), BUNDLE_FILE: msgspec.json.encode(document)}

    return change


@pytest.fixture
def endless(model_of: Callable[..., onnx.ModelProto]) -> onnx.ModelProto:
    """Make a model whose loop does not end in this century."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Identity", ["v"], ["next"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v", TensorProto.FLOAT, [1]),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, [1]),
        ],
    )
    return model_of(
        [helper.make_node("Loop", ["trips", "true", "x"], ["y"], body=body)],
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
        [
            numpy_helper.from_array(np.array(2**62), "trips"),
            numpy_helper.from_array(np.array(True), "true"),
        ],
    )


@pytest.fixture
def counting(model_of: Callable[..., onnx.ModelProto]) -> Callable[[int], onnx.ModelProto]:
    """Make a model of some hundred bytes that counts up to a number: eight bytes of memory for each."""

    def build(limit: int) -> onnx.ModelProto:
        bounds = {"start": 0, "limit": limit, "step": 1}
        return model_of(
            [helper.make_node("Range", list(bounds), ["y"])],
            [],
            [helper.make_tensor_value_info("y", TensorProto.INT64, [None])],
            [numpy_helper.from_array(np.array(value), name) for name, value in bounds.items()],
        )

    return build


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a model is tried."""
    path = tmp_path / "trial"
    path.mkdir()
    return path


@pytest.fixture
def convolutions(model_of: Callable[..., onnx.ModelProto]) -> Callable[..., onnx.ModelProto]:
    """Make three convolutions of FP32 (1, 16, side, side), in fp32 or in int8."""

    def build(*, int8: bool = False, channels: int = 16, side: int = 16) -> onnx.ModelProto:
        rng = np.random.default_rng(0)
        nodes: list[onnx.NodeProto] = []
        constants: dict[str, np.ndarray] = {
            "scale": np.array(0.05, np.float32),
            "zero": np.array(0, np.uint8),
        }

        def add(operator: str, *inputs: str, **attributes: Any) -> str:
            nodes.append(helper.make_node(operator, list(inputs), [f"v{len(nodes)}"], **attributes))
            return f"v{len(nodes) - 1}"

        def rounded(value: str) -> str:
            quantized = add("QuantizeLinear", value, "scale", "zero")
            return add("DequantizeLinear", quantized, "scale", "zero")

        x = rounded("x") if int8 else "x"
        for layer in range(3):
            weights = rng.integers(-20, 20, (channels, channels, 3, 3))
            constants |= {f"w{layer}_scale": np.array(0.005, np.float32)}
            if int8:
                constants |= {
                    f"q{layer}": weights.astype(np.int8),
                    f"q{layer}_zero": np.array(0, np.int8),
                }
                w = add("DequantizeLinear", f"q{layer}", f"w{layer}_scale", f"q{layer}_zero")
            else:
                constants |= {f"w{layer}": (weights * 0.005).astype(np.float32)}
                w = f"w{layer}"
            x = add("Relu", add("Conv", x, w, kernel_shape=[3, 3], pads=[1] * 4))
            x = rounded(x) if int8 else x
        nodes.append(helper.make_node("GlobalAveragePool", [x], ["y"]))
        shape = [1, channels, side, side]
        return model_of(
            nodes,
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, channels, 1, 1])],
            [numpy_helper.from_array(value, name) for name, value in constants.items()],
        )

    return build
