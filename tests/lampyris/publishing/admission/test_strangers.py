"""What strangers put into the inbox instead of a model, and what they are told."""

import io
import json
import pickle
import re
import struct
import tarfile
import zipfile
from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from lampyris.adapters.memory_store import MemoryStore
from lampyris.domain.layout import BLOBS, MODELS, Upload
from lampyris.domain.manifest import Manifest, Rejection
from lampyris.registry.documents import read_rejection

Files = dict[str, bytes]
Changed = Callable[..., Files]
Send = Callable[..., Upload]
Publish = Callable[..., Manifest | Rejection]


def zipped(*names: str) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        for name in names:
            opened.writestr(name, b"x")
    return archive.getvalue()


def tarred() -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as opened:
        opened.addfile(tarfile.TarInfo("model.onnx"))
    return archive.getvalue()


def npz() -> bytes:
    archive = io.BytesIO()
    np.savez(archive, w=np.zeros(3))
    return archive.getvalue()


def npy() -> bytes:
    array = io.BytesIO()
    np.save(array, np.zeros(3))
    return array.getvalue()


def safetensors() -> bytes:
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(4)


NOT_MODELS = {
    "nothing": b"",
    "zip": zipped("model.onnx"),
    "torch checkpoint": zipped("archive/data.pkl", "archive/data/0", "archive/version"),
    "keras": zipped("config.json", "model.weights.h5"),
    "tar": tarred(),
    "gzip": b"\x1f\x8b\x08\x00" + bytes(64),
    "pickle": pickle.dumps({"weights": [1.0]}),
    "old pickle": pickle.dumps({"weights": [1.0]}, protocol=0),
    "npz": npz(),
    "npy": npy(),
    "safetensors": safetensors(),
    "GGUF": b"GGUF\x03\x00\x00\x00" + bytes(64),
    "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(64),
    "TensorFlow Lite": b"\x1c\x00\x00\x00TFL3" + bytes(64),
    "picture": b"\x89PNG\r\n\x1a\n" + bytes(64),
    "program": b"\x7fELF\x02\x01\x01" + bytes(64),
    "script": b"#!/bin/sh\nrm -rf /\n",
    "page": b"<html>404</html>",
    "JSON": b'{"inputs": []}',
}


@pytest.mark.parametrize("data", NOT_MODELS.values(), ids=NOT_MODELS)
def test_what_is_no_onnx_is_refused_under_an_onnx_name(
    store: MemoryStore, send: Send, publish: Publish, data: bytes
) -> None:
    rejection = publish(send({"model.onnx": data}))

    assert isinstance(rejection, Rejection)
    assert rejection.code == "not-onnx"
    assert rejection.detail.startswith("The file is not an ONNX model: ")
    assert list(store.list(MODELS)) == list(store.list(BLOBS)) == []


@pytest.mark.parametrize("data", NOT_MODELS.values(), ids=NOT_MODELS)
def test_what_is_no_onnx_is_refused_inside_a_bundle(
    changed: Changed, send: Send, publish: Publish, data: bytes
) -> None:
    rejection = publish(send(changed({"model.onnx": data})))

    assert isinstance(rejection, Rejection)
    assert rejection.code == "not-onnx"


# onnx may know opsets that onnxruntime does not run yet.
NEWEST_FOR_SURE = 23
OLDEST_OPSET, NEWEST_OPSET = 7, onnx.defs.onnx_opset_version()
# Before this one, the weights of a graph were inputs of it as well.
FIRST_OPSET_WITH_WEIGHTS_ALONE = 9


@pytest.mark.parametrize("opset", range(OLDEST_OPSET, NEWEST_OPSET + 1))
def test_model_of_any_opset_that_onnxruntime_runs_is_published(
    send: Send, publish: Publish, opset: int
) -> None:
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])]
    if opset < FIRST_OPSET_WITH_WEIGHTS_ALONE:
        inputs.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [2, 2]))
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Relu", ["h"], ["y"])],
        "graph",
        inputs,
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])],
        [numpy_helper.from_array(np.eye(2, dtype=np.float32), "w")],
    )
    model = helper.make_model_gen_version(graph, opset_imports=[helper.make_opsetid("", opset)])

    outcome = publish(send({"model.onnx": model.SerializeToString()}))

    if isinstance(outcome, Rejection):
        assert opset > NEWEST_FOR_SURE
        assert re.search(r"till opset \d+|max supported IR version", outcome.detail)
    else:
        assert [spec.name for spec in outcome.signature.inputs] == ["x"]
        assert outcome.artifact.onnxruntime == onnxruntime.__version__


def test_model_of_an_opset_of_the_future_is_refused(send: Send, publish: Publish) -> None:
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 999)], ir_version=8)

    rejection = publish(send({"model.onnx": model.SerializeToString()}))

    assert isinstance(rejection, Rejection)
    assert rejection.code == "unsupported-model"


def test_external_data_does_not_read_what_stands_beside_it_in_the_inbox(send: Send, publish: Publish) -> None:
    weights = numpy_helper.from_array(np.ones(2, np.float32), "w")
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value="model.onnx.data")
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

    rejection = publish(send({"model.onnx": model.SerializeToString(), "model.onnx.data": bytes(8)}))

    assert isinstance(rejection, Rejection)
    assert rejection.code == "external-data"
    assert "save_as_external_data=False" in rejection.detail


@pytest.mark.parametrize("letters", [1, 63])
def test_model_may_have_a_name_of_up_to_63_letters(
    mlp: Callable[..., onnx.ModelProto], send: Send, publish: Publish, letters: int
) -> None:
    upload = send({"model.onnx": mlp(4, 3).SerializeToString()}, model="m" * letters, upload="u" * 63)

    assert isinstance(publish(upload), Manifest)


def test_sentence_about_an_upload_is_fit_for_a_terminal_and_short(
    store: MemoryStore, changed: Changed, send: Send, publish: Publish
) -> None:
    files = changed({"\x1b[31m" + 9999 * "x": b""})

    rejection = publish(send({name: data for name, data in files.items() if "\x1b" not in name}))

    assert isinstance(rejection, Rejection)
    assert rejection.code == "corrupt-bundle"
    assert rejection.detail.isprintable()
    assert len(rejection.detail) <= 2000
    assert read_rejection(store, "iris", "u1") == rejection


def test_names_of_thousands_of_tensors_make_no_endless_sentence(
    changed: Changed, send: Send, publish: Publish
) -> None:
    names = [f"input{number}" for number in range(2000)]
    graph = helper.make_graph(
        [helper.make_node("Sum", names, ["y"])],
        "graph",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in names],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

    rejection = publish(send(changed({"model.onnx": model.SerializeToString()})))

    assert isinstance(rejection, Rejection)
    assert rejection.code == "corrupt-bundle"
    assert len(rejection.detail) == 2000


def test_bundle_of_too_many_files_is_refused(changed: Changed, send: Send, publish: Publish) -> None:
    rejection = publish(send(changed({f"{number}.txt": b"" for number in range(100)})))

    assert isinstance(rejection, Rejection)
    assert "names 103 files; at most 100" in rejection.detail


@pytest.mark.parametrize("levels", [21, 500])
def test_provenance_of_too_many_levels_is_refused(
    changed: Changed, send: Send, publish: Publish, levels: int
) -> None:
    nested: object = 1
    for _ in range(levels):
        nested = [nested] if levels % 2 else {"a": nested}

    rejection = publish(send(changed(provenance={"a": nested})))

    assert isinstance(rejection, Rejection)
    assert "more than 20 levels" in rejection.detail


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(noise=st.binary(max_size=200), name=st.sampled_from(["model.onnx", "bundle.json", "probe.json"]))
def test_noise_in_place_of_any_file_is_refused(
    bundle: Files, send: Send, publish: Publish, noise: bytes, name: str
) -> None:
    assert isinstance(publish(send({**bundle, name: noise})), Rejection)
