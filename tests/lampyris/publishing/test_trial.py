"""The trial of a model, every check in order, in this process."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import msgspec
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from lampyris.domain.bundle import EVALUATION_FILE, MODEL_FILE, PROBE_FILE, Probe
from lampyris.domain.layout import BUNDLE_FILE
from lampyris.domain.signature import Signature, TensorSpec
from lampyris.domain.tensors import Tensor
from lampyris.errors import CorruptBundle, ProbeDisagrees, UnsupportedModel
from lampyris.publishing.confinement import Accepted
from lampyris.publishing.trial import try_model
from lampyris.serving.fetch import GRAPH_FILE, WEIGHTS_FILE

Files = dict[str, bytes]
LIMIT_BYTES = 2**30


@pytest.fixture
def try_files(folder: Path) -> Callable[[Files], Accepted]:
    def try_in_folder(files: Files) -> Accepted:
        for name, data in files.items():
            (folder / name).write_bytes(data)
        return try_model(folder, limit_bytes=LIMIT_BYTES)

    return try_in_folder


@pytest.fixture
def try_bare(try_files: Callable[[Files], Accepted]) -> Callable[[onnx.ModelProto], Accepted]:
    return lambda model: try_files({MODEL_FILE: model.SerializeToString()})


def spec(name: str, datatype: str, *shape: int) -> TensorSpec:
    return msgspec.convert({"name": name, "datatype": datatype, "shape": shape}, TensorSpec)


def signature(x: TensorSpec, y: TensorSpec, *labels: str) -> Signature:
    return Signature(inputs=(x,), outputs=(y,), labels=labels or None)


X = spec("x", "FP32", -1, 4)
Y = spec("y", "FP32", -1, 3)


def test_bare_model_gets_its_signature_from_its_graph(
    mlp: Callable[..., onnx.ModelProto], try_bare: Callable[[onnx.ModelProto], Accepted]
) -> None:
    accepted = try_bare(mlp(4, 8, 3))

    assert accepted.signature == signature(X, Y)
    assert accepted.onnxruntime == onnxruntime.__version__


def test_bundle_keeps_its_own_signature(bundle: Files, try_files: Callable[[Files], Accepted]) -> None:
    accepted = try_files(bundle)

    assert accepted.signature == signature(X, Y, "setosa", "versicolor", "virginica")


def test_small_model_is_one_file(
    mlp: Callable[..., onnx.ModelProto], try_bare: Callable[[onnx.ModelProto], Accepted], folder: Path
) -> None:
    try_bare(mlp(4, 8, 3))

    assert (folder / GRAPH_FILE).exists()
    assert not (folder / WEIGHTS_FILE).exists()


def test_large_weights_stand_beside_a_small_graph_and_are_found_wherever_the_two_are(
    mlp: Callable[..., onnx.ModelProto],
    try_bare: Callable[[onnx.ModelProto], Accepted],
    folder: Path,
    tmp_path: Path,
) -> None:
    model = mlp(600, 600, 3)
    rows = np.linspace(-1, 1, 1200, dtype=np.float32).reshape(2, 600)
    expected = np.asarray(ReferenceEvaluator(model).run(None, {"x": rows}))[0]
    try_bare(model)

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in (GRAPH_FILE, WEIGHTS_FILE):
        (folder / name).rename(elsewhere / name)
    session = onnxruntime.InferenceSession(str(elsewhere / GRAPH_FILE), providers=["CPUExecutionProvider"])

    assert (elsewhere / GRAPH_FILE).stat().st_size < 64_000
    assert (elsewhere / WEIGHTS_FILE).stat().st_size >= 600 * 600 * 4
    np.testing.assert_allclose(session.run(None, {"x": rows})[0], expected, atol=1e-5)


def test_weights_that_are_mapped_begin_on_a_page(
    mlp: Callable[..., onnx.ModelProto], try_bare: Callable[[onnx.ModelProto], Accepted], folder: Path
) -> None:
    try_bare(mlp(601, 701, 503))  # neither size is a multiple of anything

    graph = onnx.load(str(folder / GRAPH_FILE), load_external_data=False).graph
    places = [
        {entry.key: entry.value for entry in tensor.external_data}
        for tensor in graph.initializer
        if tensor.data_location == TensorProto.EXTERNAL
    ]
    assert len(places) == 2
    assert {place["location"] for place in places} == {WEIGHTS_FILE}
    assert [int(place["offset"]) % 4096 for place in places] == [0, 0]


def test_equal_models_make_equal_artifacts(mlp: Callable[..., onnx.ModelProto], tmp_path: Path) -> None:
    artifacts = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / MODEL_FILE).write_bytes(mlp(200, 200, 3).SerializeToString())
        try_model(folder, limit_bytes=LIMIT_BYTES)
        artifacts.append([(folder / file).read_bytes() for file in (GRAPH_FILE, WEIGHTS_FILE)])

    assert artifacts[0] == artifacts[1]


def test_output_that_declares_another_shape_than_it_has_is_corrected(
    model_of: Callable[..., onnx.ModelProto], try_bare: Callable[[onnx.ModelProto], Accepted]
) -> None:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1, 4])
    axes = helper.make_tensor_value_info("axes", TensorProto.INT64, [1])  # known only when it runs
    wrong = helper.make_tensor_value_info("y", TensorProto.FLOAT, [7, 7, 7])

    accepted = try_bare(model_of([helper.make_node("Squeeze", ["x", "axes"], ["y"])], [x, axes], [wrong]))

    assert accepted.signature.outputs == (spec("y", "FP32", -1, -1),)


def test_model_that_cannot_run_on_zeros_is_published_by_what_it_declares(
    model_of: Callable[..., onnx.ModelProto], try_bare: Callable[[onnx.ModelProto], Accepted]
) -> None:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 2])
    shape = helper.make_tensor("shape", TensorProto.INT64, [2], [2, 2])

    accepted = try_bare(model_of([helper.make_node("Reshape", ["x", "shape"], ["y"])], [x], [y], [shape]))

    assert accepted.signature == signature(spec("x", "FP32", -1), spec("y", "FP32", 2, 2))


def test_model_of_strings_runs_on_empty_ones(
    model_of: Callable[..., onnx.ModelProto], try_bare: Callable[[onnx.ModelProto], Accepted]
) -> None:
    x = helper.make_tensor_value_info("x", TensorProto.STRING, ["n"])
    y = helper.make_tensor_value_info("y", TensorProto.STRING, ["n"])

    accepted = try_bare(model_of([helper.make_node("Identity", ["x"], ["y"])], [x], [y]))

    assert accepted.signature == signature(spec("x", "BYTES", -1), spec("y", "BYTES", -1))


@pytest.mark.parametrize(
    ("output", "kind"),
    [
        (helper.make_tensor_sequence_value_info("y", TensorProto.FLOAT, None), "seq"),
        (helper.make_tensor_value_info("y", TensorProto.BFLOAT16, [2]), "bfloat16"),
    ],
)
def test_value_that_the_wire_does_not_know_is_refused(
    model_of: Callable[..., onnx.ModelProto],
    try_bare: Callable[[onnx.ModelProto], Accepted],
    output: onnx.ValueInfoProto,
    kind: str,
) -> None:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])
    node = (
        helper.make_node("SequenceConstruct", ["x"], ["y"])
        if kind == "seq"
        else helper.make_node("Cast", ["x"], ["y"], to=TensorProto.BFLOAT16)
    )

    with pytest.raises(UnsupportedModel, match=rf"Output 'y' is a .*{kind}"):
        try_bare(model_of([node], [x], [output]))


def test_constants_that_grow_beyond_the_limit_are_refused(
    counting: Callable[[int], onnx.ModelProto], folder: Path
) -> None:
    (folder / MODEL_FILE).write_bytes(counting(1_000_000).SerializeToString())

    with pytest.raises(UnsupportedModel, match=r"8,000,\d+ bytes once its constants are computed"):
        try_model(folder, limit_bytes=1_000_000)


def test_constants_do_not_grow_a_small_model_without_end(
    counting: Callable[[int], onnx.ModelProto],
    try_bare: Callable[[onnx.ModelProto], Accepted],
    folder: Path,
) -> None:
    try_bare(counting(5_000_000))

    assert sum(file.stat().st_size for file in folder.iterdir()) < 10_000


def test_model_that_onnxruntime_cannot_load_is_refused_in_its_words(
    model_of: Callable[..., onnx.ModelProto], try_bare: Callable[[onnx.ModelProto], Accepted]
) -> None:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 2])

    with pytest.raises(UnsupportedModel, match=r"onnxruntime cannot load the model: .*MatMul"):
        try_bare(model_of([helper.make_node("MatMul", ["x", "x"], ["y"])], [x], [y]))


def test_what_is_measured_is_the_artifact_that_is_left(
    mlp: Callable[..., onnx.ModelProto], try_bare: Callable[[onnx.ModelProto], Accepted], folder: Path
) -> None:
    measured = try_bare(mlp(300, 300, 3)).measured

    size_bytes = sum((folder / name).stat().st_size for name in (GRAPH_FILE, WEIGHTS_FILE))
    assert measured["size_bytes"] == size_bytes
    assert 0 < measured["latency_p50_ms"] <= measured["latency_p99_ms"]
    assert "accuracy" not in measured


def test_model_that_answers_no_single_row_is_timed_on_all(
    model_of: Callable[..., onnx.ModelProto],
    changed: Callable[..., Files],
    try_files: Callable[[Files], Accepted],
) -> None:
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in "xy")
    pairs = helper.make_tensor("pairs", TensorProto.INT64, [2], [-1, 2])
    flat = helper.make_tensor("flat", TensorProto.INT64, [1], [-1])
    nodes = [
        helper.make_node("Reshape", ["x", "pairs"], ["two"]),
        helper.make_node("Reshape", ["two", "flat"], ["y"]),
    ]
    values = Tensor(name="x", shape=(4,), datatype="FP32", data=[1.0, 2.0, 3.0, 4.0])
    probe = Probe(inputs=(values,), outputs=(msgspec.structs.replace(values, name="y"),), rtol=0, atol=0)
    files = changed(
        {
            MODEL_FILE: model_of(nodes, [x], [y], [pairs, flat]).SerializeToString(),
            PROBE_FILE: msgspec.json.encode(probe),
        },
        signature=signature(spec("x", "FP32", -1), spec("y", "FP32", -1)),
    )

    assert "latency_p99_ms" in try_files(files).measured


def test_bundle_is_measured_on_its_test_set_whatever_it_says(
    bundle: Files, changed: Callable[..., Files], try_files: Callable[[Files], Accepted]
) -> None:
    inputs = np.random.default_rng(0).normal(size=(100, 4)).astype(np.float32)
    model = onnxruntime.InferenceSession(bundle[MODEL_FILE], providers=["CPUExecutionProvider"])
    labels = model.run(None, {"x": inputs})[0].argmax(axis=1)
    labels[:50] = (labels[:50] + 1) % 3
    file = BytesIO()
    np.savez(file, x=inputs, labels=labels)

    accepted = try_files(changed({EVALUATION_FILE: file.getvalue()}, metrics={"fp32": {"accuracy": 0.99}}))

    assert (accepted.measured["accuracy"], accepted.measured["samples"]) == (0.5, 100)


def altered(probe: bytes, **fields: object) -> bytes:
    return msgspec.json.encode(msgspec.structs.replace(msgspec.json.decode(probe, type=Probe), **fields))


def answers(probe: bytes) -> Tensor:
    return msgspec.json.decode(probe, type=Probe).outputs[0]


def test_probe_that_disagrees_says_where_and_by_how_much(
    bundle: Files, changed: Callable[..., Files], try_files: Callable[[Files], Accepted]
) -> None:
    output = answers(bundle[PROBE_FILE])
    values = list(output.data)
    values[4] += 0.25
    probe = altered(bundle[PROBE_FILE], outputs=(msgspec.structs.replace(output, data=values),))

    with pytest.raises(ProbeDisagrees, match=r"Output 'y' .* 1 of 6 elements .* 0\.25 at \[1, 1\]"):
        try_files(changed({PROBE_FILE: probe}))


def test_probe_within_its_tolerance_agrees(
    bundle: Files, changed: Callable[..., Files], try_files: Callable[[Files], Accepted]
) -> None:
    output = answers(bundle[PROBE_FILE])
    nearby = msgspec.structs.replace(output, data=[value + 0.009 for value in output.data])
    probe = altered(bundle[PROBE_FILE], outputs=(nearby,), atol=0.01, rtol=0.0)

    assert try_files(changed({PROBE_FILE: probe})).signature.labels is not None


def test_probe_of_another_model_disagrees(
    mlp: Callable[..., onnx.ModelProto],
    changed: Callable[..., Files],
    try_files: Callable[[Files], Accepted],
) -> None:
    other = mlp(4, 8, 3, seed=1).SerializeToString()

    with pytest.raises(ProbeDisagrees):
        try_files(changed({MODEL_FILE: other}))


def test_answer_that_is_not_a_number_disagrees(
    model_of: Callable[..., onnx.ModelProto],
    changed: Callable[..., Files],
    try_files: Callable[[Files], Accepted],
) -> None:
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])
    model = model_of([helper.make_node("Sqrt", ["x"], ["y"])], [x], [y])
    probe = Probe(
        inputs=(Tensor(name="x", shape=(1, 4), datatype="FP32", data=[-1.0, 4.0, 0.0, 1.0]),),
        outputs=(Tensor(name="y", shape=(1, 4), datatype="FP32", data=[0.0, 2.0, 0.0, 1.0]),),
        rtol=1e9,
        atol=1e9,
    )
    files = changed(
        {MODEL_FILE: model.SerializeToString(), PROBE_FILE: msgspec.json.encode(probe)},
        signature=signature(X, spec("y", "FP32", -1, 4)),
    )

    with pytest.raises(ProbeDisagrees, match="nan where the build saw 0"):
        try_files(files)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"outputs": ()}, "must hold an output to compare"),
        ({"atol": -1.0}, "tolerances of 0 or more"),
        ({"inputs": ()}, "does not fit the signature. Tensor 'x': this input is missing"),
        (
            {"inputs": (Tensor(name="x", shape=(1, 5), datatype="FP32", data=[0.0] * 5),)},
            r"shape is \[1, 5\]",
        ),
        (
            {"inputs": (Tensor(name="x", shape=(1, 4), datatype="FP32", data=[0.0] * 3),)},
            "data holds 3",
        ),
        (
            {"outputs": (Tensor(name="z", shape=(1,), datatype="FP32", data=[0.0]),)},
            "has an output 'z'; the model gives y",
        ),
    ],
)
def test_probe_that_does_not_fit_is_refused(
    bundle: Files,
    changed: Callable[..., Files],
    try_files: Callable[[Files], Accepted],
    fields: dict[str, object],
    reason: str,
) -> None:
    with pytest.raises(CorruptBundle, match=reason):
        try_files(changed({PROBE_FILE: altered(bundle[PROBE_FILE], **fields)}))


def test_probe_whose_answer_has_another_shape_disagrees(
    bundle: Files, changed: Callable[..., Files], try_files: Callable[[Files], Accepted]
) -> None:
    half = Tensor(name="y", shape=(1, 3), datatype="FP32", data=[0.2, 0.3, 0.5])

    with pytest.raises(ProbeDisagrees, match=r"float32 \[2, 3\], where the build saw float32 \[1, 3\]"):
        try_files(changed({PROBE_FILE: altered(bundle[PROBE_FILE], outputs=(half,))}))


def test_probe_that_is_not_json_is_refused(
    changed: Callable[..., Files], try_files: Callable[[Files], Accepted]
) -> None:
    with pytest.raises(CorruptBundle, match=r"probe\.json cannot be read"):
        try_files(changed({PROBE_FILE: b"{"}))


@pytest.mark.parametrize(
    ("promised", "reason"),
    [
        (signature(spec("pixels", "FP32", -1, 4), Y), "has the inputs pixels; its graph has x"),
        (signature(X, spec("p", "FP32", -1, 3)), "has the outputs p; its graph has y"),
        (Signature(inputs=(), outputs=(Y,)), r"has the inputs \(none\); its graph has x"),
        (signature(spec("x", "FP64", -1, 4), Y), r"'x' is FP64 \[-1, 4\]; in its graph it is FP32 \[-1, 4\]"),
        (signature(spec("x", "FP32", 4), Y), r"'x' is FP32 \[4\]"),
        (signature(spec("x", "FP32", -1, 5), Y), r"'x' is FP32 \[-1, 5\]"),
        (signature(spec("x", "FP32", -1, -1), Y), r"'x' is FP32 \[-1, -1\]"),
        (signature(X, spec("y", "FP32", -1, 10)), r"'y' is FP32 \[-1, 10\]"),
        (signature(X, Y, "setosa", "virginica"), "2 labels; output 'y' has 3 classes"),
        (signature(X, Y, "setosa", "virginica", "setosa"), "name every class, each differently"),
    ],
)
def test_signature_that_disagrees_with_the_graph_is_refused(
    changed: Callable[..., Files],
    try_files: Callable[[Files], Accepted],
    promised: Signature,
    reason: str,
) -> None:
    with pytest.raises(CorruptBundle, match=reason):
        try_files(changed(signature=promised))


def test_signature_may_fix_what_the_graph_leaves_open(
    bundle: Files, changed: Callable[..., Files], try_files: Callable[[Files], Accepted]
) -> None:
    narrow = signature(spec("x", "FP32", 2, 4), spec("y", "FP32", 2, -1))

    assert try_files(changed(signature=narrow)).signature == narrow
    assert BUNDLE_FILE in bundle


def test_input_larger_than_any_memory_lacks_memory(
    model_of: Callable[..., onnx.ModelProto], try_bare: Callable[[onnx.ModelProto], Accepted]
) -> None:
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [2**40, 2**40]) for name in ("x", "y"))

    with pytest.raises(MemoryError):
        try_bare(model_of([helper.make_node("Relu", ["x"], ["y"])], [x], [y]))
