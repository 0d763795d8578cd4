"""What is refused before onnxruntime sees it."""

import bz2
import io
import lzma
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from lampyris.errors import ExternalData, NotOnnx, UnsupportedModel, UploadRefused
from lampyris.publishing.inspection import inspect

ModelOf = Callable[..., onnx.ModelProto]
X = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])
Y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[onnx.ModelProto], Path]:
    def save(model: onnx.ModelProto) -> Path:
        (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
        return tmp_path / "model.onnx"

    return save


def external(name: str = "hidden", kind: int = TensorProto.FLOAT) -> onnx.TensorProto:
    """Make a tensor whose data would be read from a file of the working folder."""
    tensor = numpy_helper.from_array(np.ones(2, helper.tensor_dtype_to_np_dtype(kind)), name)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="secret.bin")
    return tensor


def constant(tensor: onnx.TensorProto, output: str = "y") -> onnx.NodeProto:
    return helper.make_node("Constant", [], [output], value=tensor)


def sparse(values: onnx.TensorProto, indices: onnx.TensorProto) -> onnx.SparseTensorProto:
    return helper.make_sparse_tensor(values, indices, [4])


def in_initializer(model_of: ModelOf) -> onnx.ModelProto:
    return model_of([helper.make_node("Add", ["x", "hidden"], ["y"])], [X], [Y], [external()])


def in_initializer_without_location(model_of: ModelOf) -> onnx.ModelProto:
    tensor = external()
    tensor.ClearField("data_location")
    return model_of([helper.make_node("Add", ["x", "hidden"], ["y"])], [X], [Y], [tensor])


def in_constant(model_of: ModelOf) -> onnx.ModelProto:
    return model_of([constant(external())], [], [Y])


def in_list_attribute(model_of: ModelOf) -> onnx.ModelProto:
    node = helper.make_node("Identity", ["x"], ["y"])
    node.attribute.append(helper.make_attribute("tensors", [external()]))
    return model_of([node], [X], [Y])


def in_sparse_initializer(model_of: ModelOf) -> onnx.ModelProto:
    model = model_of([helper.make_node("Identity", ["x"], ["y"])], [X], [Y])
    indices = numpy_helper.from_array(np.array([0, 1]), "indices")
    model.graph.sparse_initializer.append(sparse(external(), indices))
    return model


def in_sparse_indices(model_of: ModelOf) -> onnx.ModelProto:
    model = model_of([helper.make_node("Identity", ["x"], ["y"])], [X], [Y])
    values = numpy_helper.from_array(np.ones(2, np.float32), "values")
    model.graph.sparse_initializer.append(sparse(values, external(kind=TensorProto.INT64)))
    return model


def in_sparse_constant(model_of: ModelOf) -> onnx.ModelProto:
    indices = numpy_helper.from_array(np.array([0, 1]), "indices")
    node = helper.make_node("Constant", [], ["y"], sparse_value=sparse(external(), indices))
    return model_of([node], [], [Y])


def in_subgraph(model_of: ModelOf) -> onnx.ModelProto:
    branch = helper.make_graph([constant(external(), "z")], "branch", [], [Y])
    condition = helper.make_tensor_value_info("c", TensorProto.BOOL, [])
    node = helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)
    return model_of([node], [condition], [Y])


def in_initializer_of_subgraph_of_subgraph(model_of: ModelOf) -> onnx.ModelProto:
    inner = helper.make_graph([helper.make_node("Identity", ["hidden"], ["y"])], "i", [], [Y], [external()])
    nested = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    outer = helper.make_graph([nested], "outer", [], [Y])
    condition = helper.make_tensor_value_info("c", TensorProto.BOOL, [])
    node = helper.make_node("If", ["c"], ["y"], then_branch=outer, else_branch=outer)
    return model_of([node], [condition], [Y])


def in_function(model_of: ModelOf) -> onnx.ModelProto:
    function = helper.make_function(
        "ai.example", "Secret", [], ["y"], [constant(external())], [helper.make_opsetid("", 17)]
    )
    node = helper.make_node("Secret", [], ["y"], domain="ai.example")
    return model_of([node], [], [Y], functions=[function])


def in_training_info(model_of: ModelOf) -> onnx.ModelProto:
    model = model_of([helper.make_node("Identity", ["x"], ["y"])], [X], [Y])
    step = helper.make_graph([helper.make_node("Identity", ["hidden"], ["y"])], "s", [], [Y], [external()])
    model.training_info.add(algorithm=step)
    return model


HIDING_PLACES = [
    in_initializer,
    in_initializer_without_location,
    in_constant,
    in_list_attribute,
    in_sparse_initializer,
    in_sparse_indices,
    in_sparse_constant,
    in_subgraph,
    in_initializer_of_subgraph_of_subgraph,
    in_function,
    in_training_info,
]


@pytest.mark.parametrize("hide", HIDING_PLACES)
def test_external_data_is_found_wherever_it_hides(
    model_of: ModelOf, saved: Callable[[onnx.ModelProto], Path], hide: Callable[[ModelOf], onnx.ModelProto]
) -> None:
    path = saved(hide(model_of))
    (path.parent / "secret.bin").write_bytes(bytes(16))

    with pytest.raises(ExternalData, match="'hidden' keeps its data in another file"):
        inspect(path)


def test_whole_model_passes(mlp: ModelOf, saved: Callable[[onnx.ModelProto], Path]) -> None:
    inspect(saved(mlp(4, 8, 3)))


def test_function_of_the_models_own_may_have_any_domain(
    model_of: ModelOf, saved: Callable[[onnx.ModelProto], Path]
) -> None:
    body = [helper.make_node("Relu", ["x"], ["y"])]
    function = helper.make_function("ai.example", "Own", ["x"], ["y"], body, [helper.make_opsetid("", 17)])
    node = helper.make_node("Own", ["x"], ["y"], domain="ai.example")

    inspect(saved(model_of([node], [X], [Y], functions=[function])))


def test_operator_of_another_domain_is_refused_by_name(
    model_of: ModelOf, saved: Callable[[onnx.ModelProto], Path]
) -> None:
    path = saved(model_of([helper.make_node("Mystery", ["x"], ["y"], domain="ai.example")], [X], [Y]))

    with pytest.raises(UnsupportedModel, match=r"'Mystery' is of domain 'ai.example'"):
        inspect(path)


def test_operator_that_the_standard_does_not_know_is_refused(
    model_of: ModelOf, saved: Callable[[onnx.ModelProto], Path]
) -> None:
    path = saved(model_of([helper.make_node("Mystery", ["x"], ["y"])], [X], [Y]))

    with pytest.raises(UnsupportedModel, match=r"breaks the ONNX standard: .*Mystery"):
        inspect(path)


def test_graph_whose_values_come_from_nowhere_is_refused(
    model_of: ModelOf, saved: Callable[[onnx.ModelProto], Path]
) -> None:
    path = saved(model_of([helper.make_node("Relu", ["nowhere"], ["y"])], [X], [Y]))

    with pytest.raises(UnsupportedModel, match="nowhere"):
        inspect(path)


@pytest.mark.parametrize("name", ["x", "y"])
def test_tensor_without_a_shape_is_refused_by_name(
    model_of: ModelOf, saved: Callable[[onnx.ModelProto], Path], name: str
) -> None:
    x, y = (
        helper.make_tensor_value_info(value, TensorProto.FLOAT, None if value == name else [2])
        for value in ("x", "y")
    )

    with pytest.raises(UnsupportedModel, match=f"Tensor '{name}' declares no shape"):
        inspect(saved(model_of([helper.make_node("Relu", ["x"], ["y"])], [x], [y])))


def test_breach_of_the_standard_is_told_in_one_whole_sentence(
    model_of: ModelOf, saved: Callable[[onnx.ModelProto], Path]
) -> None:
    nodes = [helper.make_node("Relu", ["y"], ["z"]), helper.make_node("Relu", ["z"], ["y"])]

    with pytest.raises(UnsupportedModel, match=r"'y' of node: .* is not output of any previous nodes"):
        inspect(saved(model_of(nodes, [X], [Y])))


def zip_archive() -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("archive/data.pkl", b"x")
    return archive.getvalue()


def tar_archive() -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as opened:
        opened.addfile(tarfile.TarInfo("model.onnx"))
    return archive.getvalue()


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "empty"),
        (zip_archive(), "zip archive"),
        (pickle.dumps({"weights": [1, 2]}), "pickle"),
        (pickle.dumps([0.5] * 99, protocol=2), "pickle"),
        (b"\x89HDF\r\n\x1a\n" + bytes(64), "HDF5"),
        (b"\x1c\x00\x00\x00TFL3" + bytes(64), "TensorFlow Lite"),
        (b"\x1c\x00\x00\x00ORTM" + bytes(64), "onnxruntime's own format"),
        (b"GGUF" + bytes(64), "GGUF"),
        (b"\x40\x00\x00\x00\x00\x00\x00\x00" + b'{"weight":{"dtype":"F32"}}', "safetensors"),
        (b"\x1f\x8b\x08\x00" + bytes(64), "gzip"),
        (bz2.compress(b"model"), "bzip2"),
        (lzma.compress(b"model"), "xz"),
        (tar_archive(), "tar archive"),
        (b"\x93NUMPY\x01\x00" + bytes(64), "numpy"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "Git LFS pointer"),
        (b"\xef\xbb\xbf\n<!DOCTYPE html><html>404</html>", "HTML"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "HTML or XML"),
        (b'  {"message": "Not Found"}', "JSON"),
        (b"ResNet-50, trained last week", "cannot be parsed"),
        (b"\x08\x08", "no graph"),
    ],
)
def test_what_is_not_onnx_is_told_what_it_looks_like(tmp_path: Path, data: bytes, what: str) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(data)

    with pytest.raises(NotOnnx, match=what):
        inspect(path)


def test_model_cut_short_anywhere_is_refused(mlp: ModelOf, saved: Callable[[onnx.ModelProto], Path]) -> None:
    path = saved(mlp(4, 8, 3))
    whole = path.read_bytes()

    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        with pytest.raises(UploadRefused):
            inspect(path)


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_altered_bits_are_admitted_or_refused_but_never_break_the_inspection(
    mlp: ModelOf, saved: Callable[[onnx.ModelProto], Path], data: st.DataObject
) -> None:
    path = saved(mlp(2, 2))
    altered = bytearray(path.read_bytes())
    for bit in data.draw(st.lists(st.integers(0, 8 * len(altered) - 1), min_size=1, max_size=8)):
        altered[bit // 8] ^= 1 << bit % 8
    path.write_bytes(altered)

    with suppress(UploadRefused):
        inspect(path)


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(noise=st.binary(max_size=200))
def test_noise_is_refused(tmp_path: Path, noise: bytes) -> None:
    (tmp_path / "model.onnx").write_bytes(noise)

    with pytest.raises(UploadRefused):
        inspect(tmp_path / "model.onnx")
