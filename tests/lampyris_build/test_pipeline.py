import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from threading import Event, Thread

import msgspec
import numpy as np
import pytest
from rich.console import Console

from lampyris.domain.bundle import Gates, Probe
from lampyris.domain.tensors import array_of, check_inputs
from lampyris_build.errors import DatasetMissing, InvalidRecipe, OutputOccupied, ScoreFloor
from lampyris_build.evaluation.session import open_session
from lampyris_build.pipeline import BuildResult, build
from lampyris_build.recipe import Recipe
from lampyris_build.recipe.compression import Compression, Distillation
from lampyris_build.recipe.models import MlpModel, RecurrentModel
from lampyris_build.recipe.recipe import Export
from lampyris_build.recipe.sources import NpzSource, SklearnSource


def built(recipe: Recipe, out: Path, printed: StringIO | None = None, *, fresh: bool = False) -> BuildResult:
    return build(recipe, out, console=Console(file=printed or StringIO(), width=120), fresh=fresh)


@contextmanager
def ctrl_c_after(written: Path) -> Iterator[None]:
    """Press Ctrl-C as soon as a file is there."""
    over = Event()

    def press() -> None:
        while not over.wait(0.001):
            if written.exists():
                signal.raise_signal(signal.SIGINT)
                return

    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = Thread(target=press)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        signal.signal(signal.SIGINT, handler)


@pytest.fixture(scope="module")
def result(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    return built(recipe, tmp_path_factory.mktemp("bundles") / "corners")


def test_build_leaves_a_bundle_and_nothing_beside_it(result: BuildResult) -> None:
    assert (result.bundle_dir / "bundle.json").is_file()
    assert [path.name for path in result.bundle_dir.parent.iterdir()] == ["corners"]


def test_shipped_model_answers_the_probe(result: BuildResult) -> None:
    files = result.bundle_dir / "files"
    probe = msgspec.json.decode((files / "probe.json").read_bytes(), type=Probe)
    feed = {tensor.name: array_of(tensor) for tensor in probe.inputs}
    check_inputs(result.bundle.signature, feed)

    (answers,) = open_session(files / "model.onnx").run(None, feed)

    np.testing.assert_allclose(answers, array_of(probe.outputs[0]), rtol=probe.rtol, atol=probe.atol)


def test_compressed_model_is_shipped_and_smaller(result: BuildResult) -> None:
    fp32, int8 = result.variants.values()
    assert int8.size_bytes < fp32.size_bytes
    assert result.bundle.files["model.onnx"].size_bytes == int8.size_bytes
    assert result.bundle.metrics["static-int8"]["accuracy"] == int8.score


def test_result_holds_what_a_demonstration_shows(result: BuildResult) -> None:
    assert result.test.inputs["image"].shape == (80, 8, 8, 1)
    assert result.classes == result.bundle.signature.labels
    assert result.parity < 1e-4
    assert list(result.elapsed_s) == [
        "data", "torch", "model", "export", "compression", "evaluation", "report", "bundle",
    ]  # fmt: skip


def test_recipe_in_the_bundle_builds_the_same_again(
    result: BuildResult, recipe: Recipe, tmp_path: Path
) -> None:
    again = built(recipe, tmp_path / "again")

    assert again.bundle.files == result.bundle.files
    assert again.variants["fp32"].scores == result.variants["fp32"].scores


def test_test_set_goes_along_as_callers_would_send_it(result: BuildResult) -> None:
    with np.load(result.bundle_dir / "files" / "evaluation.npz", allow_pickle=False) as arrays:
        inputs, labels = arrays["image"], arrays["labels"]
    check_inputs(result.bundle.signature, {"image": inputs})

    (answers,) = open_session(result.bundle_dir / "files" / "model.onnx").run(None, {"image": inputs})

    assert (answers.argmax(axis=1) == labels).mean() == result.variants["static-int8"].score


def test_model_before_its_compression_goes_along_only_for_a_gate(
    result: BuildResult, recipe: Recipe, tmp_path: Path
) -> None:
    recipe = msgspec.structs.replace(recipe, gates=Gates(max_drop_fp32=0.01))

    compared = built(recipe, tmp_path / "corners")

    assert "reference.onnx" not in result.bundle.files
    assert compared.bundle.files["reference.onnx"].size_bytes == compared.variants["fp32"].size_bytes


def test_without_compression_the_shipped_model_is_fp32(recipe: Recipe, tmp_path: Path) -> None:
    recipe = msgspec.structs.replace(recipe, compression=Compression())

    result = built(recipe, tmp_path / "corners")

    assert result.bundle.metrics.keys() == {"fp32"}
    assert result.bundle.files["model.onnx"].size_bytes == result.variants["fp32"].size_bytes


def test_vectors_are_built_with_an_mlp(recipe: Recipe, tmp_path: Path) -> None:
    assert recipe.training is not None
    recipe = msgspec.structs.replace(
        recipe,
        dataset=SklearnSource(name="wine"),
        model=MlpModel(hidden=(16,)),
        training=msgspec.structs.replace(recipe.training, epochs=20),
        export=Export(min_score=0.8),
    )

    result = built(recipe, tmp_path / "wine")

    assert result.bundle.signature.inputs[0].name == "features"
    assert result.bundle.signature.inputs[0].datatype == "FP32"


def test_model_below_the_floor_leaves_no_bundle_but_its_training(recipe: Recipe, tmp_path: Path) -> None:
    strict = msgspec.structs.replace(
        recipe,
        dataset=SklearnSource(name="wine"),
        model=MlpModel(hidden=(1,)),
        compression=Compression(),
        export=Export(min_score=1.0),
    )
    with pytest.raises(ScoreFloor, match=r"export\.min_score demands 100\.00%"):
        built(strict, tmp_path / "wine")
    assert [path.name for path in tmp_path.iterdir()] == ["wine.training"]
    printed = StringIO()

    built(msgspec.structs.replace(strict, export=Export()), tmp_path / "wine", printed)

    assert "from the checkpoint" in printed.getvalue()
    assert [path.name for path in tmp_path.iterdir()] == ["wine"]


def test_gate_of_accuracy_without_classes_is_a_mistake_in_the_recipe(recipe: Recipe, tmp_path: Path) -> None:
    recipe = msgspec.structs.replace(
        recipe, task="regression", dataset=SklearnSource(name="diabetes"), gates=Gates(min_accuracy=0.9)
    )

    with pytest.raises(InvalidRecipe, match=r"regression has no accuracy: leave min_accuracy"):
        built(recipe, tmp_path / "out")


def test_missing_data_are_told_before_anything_is_written(recipe: Recipe, tmp_path: Path) -> None:
    recipe = msgspec.structs.replace(recipe, dataset=NpzSource(path=str(tmp_path / "none.npz")))

    with pytest.raises(DatasetMissing):
        built(recipe, tmp_path / "out")

    assert list(tmp_path.iterdir()) == []


def test_folder_of_somebody_else_is_not_overwritten(recipe: Recipe, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")

    with pytest.raises(OutputOccupied):
        built(recipe, tmp_path)


# Ctrl-C may come between the opening of a file and what would close it.
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
def test_build_stopped_by_ctrl_c_goes_on_to_the_same_model(recipe: Recipe, tmp_path: Path) -> None:
    assert recipe.training is not None
    training = msgspec.structs.replace(recipe.training, epochs=100, batch_size=400)
    recipe = msgspec.structs.replace(recipe, model=MlpModel(hidden=(4,)), training=training)
    with ctrl_c_after(tmp_path / "out.training" / "checkpoint.safetensors"), pytest.raises(KeyboardInterrupt):
        built(recipe, tmp_path / "out")
    shutil.copytree(tmp_path / "out.training", tmp_path / "fresh.training")
    printed, printed_fresh = StringIO(), StringIO()

    resumed = built(recipe, tmp_path / "out", printed)
    fresh = built(recipe, tmp_path / "fresh", printed_fresh, fresh=True)

    assert "from the checkpoint" in printed.getvalue()
    assert "from the checkpoint" not in printed_fresh.getvalue()
    assert resumed.bundle.files == fresh.bundle.files


def test_student_that_cannot_read_the_data_is_told_before_its_teacher_learns(
    recipe: Recipe, tmp_path: Path
) -> None:
    steps = (Distillation(student=RecurrentModel()),)
    recipe = msgspec.structs.replace(recipe, compression=Compression(steps=steps))

    with pytest.raises(InvalidRecipe, match="recurrent takes series, but the dataset holds pictures"):
        built(recipe, tmp_path / "out")

    assert not (tmp_path / "out.training").exists()
