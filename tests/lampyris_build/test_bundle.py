import hashlib
import math
from pathlib import Path

import msgspec
import pytest

from lampyris.domain.bundle import Bundle, Gates, Probe
from lampyris_build.bundle import check_vacant, write_bundle
from lampyris_build.errors import OutputOccupied, WriteFailed
from lampyris_build.evaluation.metrics import Metrics
from lampyris_build.recipe import Recipe
from lampyris_build.tasks.task import Task

METRICS = {
    "fp32": Metrics(
        score=0.9,
        scores={"accuracy": 0.9, "r2": -math.inf},
        size_bytes=10,
        latency_p50_ms=0.1,
        latency_p99_ms=0.2,
        memory_bytes=1000,
    )
}


def write(out: Path, recipe: Recipe, task: Task, model: Path, reference: Path | None = None) -> Bundle:
    return write_bundle(
        out,
        recipe=recipe,
        model=model,
        signature=task.signature,
        probe=Probe(inputs=(), outputs=(), rtol=0, atol=0),
        evaluation_set=b"an .npz file",
        reference=reference,
        metrics=METRICS,
        provenance={"seed": 3},
        papers={"report.html": b"<html>"},
    )


def test_document_reads_back_as_serving_reads_it(
    tmp_path: Path, recipe: Recipe, task: Task, fp32: Path
) -> None:
    bundle = write(tmp_path / "corners", recipe, task, fp32)

    document = (tmp_path / "corners" / "bundle.json").read_bytes()
    assert msgspec.json.decode(document, type=Bundle) == bundle
    assert bundle.metrics["fp32"]["accuracy"] == 0.9
    assert "r2" not in bundle.metrics["fp32"]  # JSON has no number for it


def test_papers_stand_beside_the_files_and_are_not_uploaded(
    tmp_path: Path, recipe: Recipe, task: Task, fp32: Path
) -> None:
    bundle = write(tmp_path / "corners", recipe, task, fp32)

    assert (tmp_path / "corners" / "report.html").read_bytes() == b"<html>"
    assert "report.html" not in bundle.files


def test_every_file_has_the_digest_and_size_that_the_document_states(
    tmp_path: Path, recipe: Recipe, task: Task, fp32: Path
) -> None:
    bundle = write(tmp_path / "corners", recipe, task, fp32)

    files = tmp_path / "corners" / "files"
    assert {path.name for path in files.iterdir()} == bundle.files.keys()
    assert bundle.files.keys() == {"model.onnx", "probe.json", "evaluation.npz", "recipe.toml"}
    for name, file in bundle.files.items():
        data = (files / name).read_bytes()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (file.digest, file.size_bytes)


def test_gates_and_licences_are_those_of_the_recipe(
    tmp_path: Path, recipe: Recipe, task: Task, fp32: Path
) -> None:
    gates = Gates(min_accuracy=0.9, max_size_bytes=1_000_000, on_failure="refuse")
    recipe = msgspec.structs.replace(recipe, gates=gates, licences=("MIT", "CC-BY-4.0"))

    bundle = write(tmp_path / "corners", recipe, task, fp32)

    assert bundle.gates == gates
    assert bundle.licences == ("MIT", "CC-BY-4.0")


def test_model_before_its_compression_goes_along_where_the_two_are_to_be_compared(
    tmp_path: Path, recipe: Recipe, task: Task, fp32: Path, int8: Path
) -> None:
    bundle = write(tmp_path / "corners", recipe, task, int8, reference=fp32)

    assert (tmp_path / "corners" / "files" / "reference.onnx").read_bytes() == fp32.read_bytes()
    assert bundle.files["reference.onnx"].size_bytes == fp32.stat().st_size


def test_new_bundle_takes_the_place_of_the_old(
    tmp_path: Path, recipe: Recipe, task: Task, fp32: Path, int8: Path
) -> None:
    write(tmp_path / "corners", recipe, task, fp32)

    write(tmp_path / "corners", recipe, task, int8)

    assert (tmp_path / "corners" / "files" / "model.onnx").read_bytes() == int8.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["corners"]


def test_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "thesis.txt").write_text("years of work")

    with pytest.raises(OutputOccupied, match="no bundle"):
        check_vacant(tmp_path / "letters")


def test_new_and_empty_folders_are_vacant(tmp_path: Path) -> None:
    check_vacant(tmp_path)
    check_vacant(tmp_path / "new")


def test_bundle_that_cannot_be_written_is_told_and_leaves_nothing(
    tmp_path: Path, recipe: Recipe, task: Task, fp32: Path
) -> None:
    (tmp_path / "file").write_text("no folder")

    with pytest.raises(WriteFailed, match="corners could not be written: Not a directory"):
        write(tmp_path / "file" / "corners", recipe, task, fp32)

    assert [path.name for path in tmp_path.iterdir()] == ["file"]
