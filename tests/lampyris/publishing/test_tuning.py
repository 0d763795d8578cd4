"""An artifact's form for this CPU: made in a process with limits, and held against the artifact."""

import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from lampyris.domain.bundle import MODEL_FILE
from lampyris.domain.signature import TensorSpec
from lampyris.publishing.confinement import TUNED_FOLDER, Limits, TrialFailed, run_tuning
from lampyris.publishing.optimise import NCHWC_DOMAIN, operators, optimise
from lampyris.publishing.tuning import drawn, tune_artifact
from lampyris.serving.fetch import GRAPH_FILE
from lampyris.serving.runtime import open_session

LIMITS = Limits(upload_bytes=2**30, memory_bytes=2**30, time_s=60)


def put(model: onnx.ModelProto, folder: Path) -> Path:
    onnx.save(model, folder / MODEL_FILE)
    optimise(folder / MODEL_FILE, limit_bytes=2**30)
    return folder


@pytest.mark.nchwc
def test_form_for_this_cpu_answers_as_the_artifact_does(
    convolutions: Callable[..., onnx.ModelProto], folder: Path
) -> None:
    put(convolutions(), folder)

    speedup = tune_artifact(folder)

    x = {"x": np.random.default_rng(2).uniform(0, 2, (1, 16, 16, 16)).astype(np.float32)}
    answers = [
        open_session(graph, threads=1).run(None, x)[0]
        for graph in (folder / GRAPH_FILE, folder / TUNED_FOLDER / GRAPH_FILE)
    ]
    assert speedup is not None
    assert NCHWC_DOMAIN in {domain for domain, _ in operators(folder / TUNED_FOLDER / GRAPH_FILE)}
    np.testing.assert_allclose(answers[1], answers[0], rtol=1e-4, atol=1e-5)


def test_artifact_that_no_cpu_runs_in_a_form_of_its_own_has_none(
    convolutions: Callable[..., onnx.ModelProto], folder: Path
) -> None:
    put(convolutions(int8=True), folder)

    assert tune_artifact(folder) is None


def test_artifact_that_cannot_run_on_drawn_numbers_has_no_form(
    model_of: Callable[..., onnx.ModelProto], folder: Path
) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["y"]),
        helper.make_node("Reshape", ["y", "shape"], ["z"]),
    ]
    weights = numpy_helper.from_array(np.zeros((16, 16, 1, 1), np.float32), "w")
    shape = numpy_helper.from_array(np.array([16 * 5]), "shape")  # five pixels, and no other number
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 16, 1, "width"])
    z = helper.make_tensor_value_info("z", TensorProto.FLOAT, [16 * 5])
    put(model_of(nodes, [x], [z], [weights, shape]), folder)

    assert tune_artifact(folder) is None


@pytest.mark.parametrize(
    ("datatype", "shape", "drawn_shape"),
    [
        ("FP32", (-1, 3, -1, -1), (1, 3, 64, 64)),
        ("FP16", (2, 3), (2, 3)),
        ("UINT8", (-1, 28, 28, 1), (1, 28, 28, 1)),
        ("INT64", (-1, -1), (1, 64)),
        ("BYTES", (-1,), (1,)),
        ("BOOL", (), ()),
    ],
)
def test_every_kind_of_input_can_be_drawn(
    datatype: str, shape: tuple[int, ...], drawn_shape: tuple[int, ...]
) -> None:
    spec = msgspec.convert({"name": "x", "datatype": datatype, "shape": shape}, TensorSpec)

    assert drawn(spec).shape == drawn_shape


@pytest.mark.nchwc
def test_tuning_in_its_own_process_leaves_the_form(
    convolutions: Callable[..., onnx.ModelProto], folder: Path
) -> None:
    put(convolutions(), folder)

    speedup = run_tuning(folder, limits=LIMITS)

    assert speedup is not None
    assert (folder / TUNED_FOLDER / GRAPH_FILE).exists()


@pytest.fixture
def costly(
    endless: onnx.ModelProto, model_of: Callable[..., onnx.ModelProto]
) -> Callable[..., onnx.ModelProto]:
    """Make a convolution whose result is repeated, 0.5 MB each time; with `loop`, it never ends."""

    def build(*, times: int, loop: bool = False) -> onnx.ModelProto:
        other = endless.graph if loop else onnx.GraphProto()
        constants = {"w": np.zeros((32, 32, 3, 3), np.float32), "times": np.array([times, 32, 62, 62])}
        return model_of(
            [
                helper.make_node("Conv", ["picture", "w"], ["a"]),
                helper.make_node("Expand", ["a", "times"], ["b"]),
                *other.node,
            ],
            [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 32, 64, 64]), *other.input],
            [helper.make_tensor_value_info("b", TensorProto.FLOAT, [times, 32, 62, 62]), *other.output],
            [
                *(numpy_helper.from_array(value, name) for name, value in constants.items()),
                *other.initializer,
            ],
        )

    return build


@pytest.mark.nchwc
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps to RLIMIT_DATA")
def test_tuning_that_takes_too_much_memory_leads_to_no_form(
    costly: Callable[..., onnx.ModelProto], folder: Path, tmp_path: Path
) -> None:
    limits = Limits(upload_bytes=2**30, memory_bytes=2**29, time_s=60)
    small = tmp_path / "small"
    small.mkdir()
    put(costly(times=1), small)
    put(costly(times=1600), folder)

    assert run_tuning(small, limits=limits) is not None
    assert run_tuning(folder, limits=limits) is None


@pytest.mark.nchwc
def test_tuning_that_does_not_end_leads_to_no_form(
    costly: Callable[..., onnx.ModelProto], folder: Path
) -> None:
    put(costly(times=1, loop=True), folder)
    started_s = perf_counter()

    speedup = run_tuning(folder, limits=Limits(upload_bytes=2**30, memory_bytes=2**30, time_s=1))

    assert speedup is None
    assert perf_counter() - started_s > 1  # it ran, and was ended


def test_tuning_that_breaks_says_nothing_about_the_model(tmp_path: Path) -> None:
    with pytest.raises(TrialFailed, match="FileNotFoundError"):
        run_tuning(tmp_path, limits=Limits(upload_bytes=1, memory_bytes=2**30, time_s=60))
