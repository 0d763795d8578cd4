"""How a published model's data lies in memory: as is faster, on any CPU, or not touched at all."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from lampyris.domain.bundle import MODEL_FILE
from lampyris.domain.tensors import Array
from lampyris.publishing.layout import choose_layout, is_tunable
from lampyris.publishing.optimise import NCHWC_DOMAIN, operators, optimise, put_channels_last, tune
from lampyris.publishing.trial import try_model
from lampyris.serving.fetch import GRAPH_FILE, WEIGHTS_FILE
from lampyris.serving.runtime import open_session

LIMIT_BYTES = 2**30
CHANNELS_LAST = ("com.microsoft", "QLinearConv")
CHANNELS_FIRST = ("", "QLinearConv")
Convolutions = Callable[..., onnx.ModelProto]


def pictures(channels: int, side: int) -> dict[str, Array]:
    return {"x": np.random.default_rng(1).uniform(0, 2, (1, channels, side, side)).astype(np.float32)}


def answer(session: onnxruntime.InferenceSession, channels: int = 16, side: int = 16) -> Array:
    return np.asarray(session.run(None, pictures(channels, side))[0])


def opened(folder: Path) -> onnxruntime.InferenceSession:
    return open_session(folder / GRAPH_FILE, threads=1)


@pytest.fixture
def artifact(folder: Path) -> Callable[[onnx.ModelProto], Path]:
    def optimised(model: onnx.ModelProto) -> Path:
        onnx.save(model, folder / MODEL_FILE)
        optimise(folder / MODEL_FILE, limit_bytes=LIMIT_BYTES)
        return folder

    return optimised


@pytest.mark.parametrize("int8", [False, True])
@pytest.mark.parametrize("channels", [16, 128])
def test_published_graph_depends_on_no_cpu(
    convolutions: Convolutions, folder: Path, *, int8: bool, channels: int
) -> None:
    model = convolutions(int8=int8, channels=channels)
    onnx.save(model, folder / MODEL_FILE)

    try_model(folder, limit_bytes=LIMIT_BYTES)

    domains = {domain for domain, _ in operators(folder / GRAPH_FILE)}
    assert domains <= {"", "com.microsoft"}
    assert NCHWC_DOMAIN not in domains
    reference = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(
        answer(opened(folder), channels), answer(reference, channels), rtol=1e-4, atol=1e-5
    )


def test_channels_last_is_another_graph_with_the_same_answers(
    artifact: Callable[[onnx.ModelProto], Path], convolutions: Convolutions, tmp_path: Path
) -> None:
    folder = artifact(convolutions(int8=True))

    put_channels_last(folder / GRAPH_FILE, tmp_path)

    assert CHANNELS_FIRST in operators(folder / GRAPH_FILE)
    assert CHANNELS_LAST in operators(tmp_path / GRAPH_FILE)
    np.testing.assert_array_equal(answer(opened(tmp_path)), answer(opened(folder)))


def test_channels_last_never_lays_fp32_out_for_this_cpu(
    artifact: Callable[[onnx.ModelProto], Path], convolutions: Convolutions, tmp_path: Path
) -> None:
    folder = artifact(convolutions())

    put_channels_last(folder / GRAPH_FILE, tmp_path)

    assert {domain for domain, _ in operators(tmp_path / GRAPH_FILE)} <= {"", "com.microsoft"}


def test_faster_layout_takes_the_place_of_the_artifact(
    artifact: Callable[[onnx.ModelProto], Path], convolutions: Convolutions, tmp_path: Path
) -> None:
    folder = artifact(convolutions(int8=True, channels=128, side=12))
    assert (folder / WEIGHTS_FILE).exists()
    expected = answer(opened(folder), 128, 12)
    slow = tmp_path / "slow.onnx"
    onnx.save(slowed(onnx.load(folder / GRAPH_FILE)), slow)

    choose_layout(folder, open_session(slow, threads=1), pictures(128, 12))

    assert CHANNELS_LAST in operators(folder / GRAPH_FILE)
    np.testing.assert_array_equal(answer(opened(folder), 128, 12), expected)
    assert {file.name for file in folder.iterdir()} == {MODEL_FILE, GRAPH_FILE, WEIGHTS_FILE}


def slowed(model: onnx.ModelProto) -> onnx.ModelProto:
    """Have a model do twenty times as much, and answer the same."""
    copies = []
    for number in range(20):
        copy = onnx.compose.add_prefix_graph(
            model.graph, f"{number}_", rename_inputs=False, rename_initializers=False, rename_outputs=True
        )
        copies.extend(copy.node)
    end = onnx.helper.make_node("Max", [f"{number}_y" for number in range(20)], ["y"])
    slow = onnx.ModelProto()
    slow.CopyFrom(model)
    del slow.graph.node[:]
    slow.graph.node.extend([*copies, end])
    return slow


def test_layout_that_answers_otherwise_is_not_taken(
    artifact: Callable[[onnx.ModelProto], Path], convolutions: Convolutions, tmp_path: Path
) -> None:
    folder = artifact(convolutions(int8=True))
    before = (folder / GRAPH_FILE).read_bytes()
    onnx.save(convolutions(), tmp_path / "another.onnx")

    choose_layout(folder, open_session(tmp_path / "another.onnx", threads=1), pictures(16, 16))

    assert (folder / GRAPH_FILE).read_bytes() == before
    assert {file.name for file in folder.iterdir()} == {MODEL_FILE, GRAPH_FILE}


def test_model_without_int8_convolutions_stays_as_it_is(
    artifact: Callable[[onnx.ModelProto], Path], convolutions: Convolutions
) -> None:
    folder = artifact(convolutions())
    before = (folder / GRAPH_FILE).read_bytes()

    choose_layout(folder, opened(folder), pictures(16, 16))

    assert (folder / GRAPH_FILE).read_bytes() == before


def test_only_fp32_convolutions_are_worth_a_file_for_one_cpu(
    artifact: Callable[[onnx.ModelProto], Path],
    convolutions: Convolutions,
    mlp: Callable[..., onnx.ModelProto],
    tmp_path: Path,
) -> None:
    folder = artifact(convolutions())
    is_for_this_cpu = tune(folder / GRAPH_FILE, tmp_path)

    fp32, int8, linear = (
        is_tunable(artifact(model)) for model in (convolutions(), convolutions(int8=True), mlp(4, 3))
    )

    assert (fp32, int8, linear) == (is_for_this_cpu, False, False)
    assert {file.name for file in folder.iterdir()} == {MODEL_FILE, GRAPH_FILE}
