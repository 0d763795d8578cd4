from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from lampyris_build.compression.chain import compress
from lampyris_build.compression.context import Context
from lampyris_build.errors import InvalidRecipe
from lampyris_build.evaluation.metrics import Metrics
from lampyris_build.evaluation.session import open_session, run
from lampyris_build.recipe.compression import (
    AnyStep,
    Compression,
    Distillation,
    Fp16,
    Int4,
    QuantizationAwareTraining,
    StaticInt8,
    UnstructuredPruning,
)
from lampyris_build.recipe.models import CnnModel
from lampyris_build.stages import TimeIsUp
from lampyris_build.trained import TrainedNetwork


def metrics_of(score: float, path: Path) -> Metrics:
    return Metrics(
        score=score, size_bytes=path.stat().st_size, latency_p50_ms=1, latency_p99_ms=1, memory_bytes=1
    )


def with_steps(context: Context, *steps: AnyStep, max_drop: float = 1.0) -> Context:
    compression = Compression(steps=steps, max_drop=max_drop)
    return replace(context, recipe=msgspec.structs.replace(context.recipe, compression=compression))


@pytest.fixture
def measure(context: Context) -> Callable[[Path], Metrics]:
    """Measure the accuracy, and nothing that takes time."""

    def measure(path: Path) -> Metrics:
        answers = run(open_session(path), context.dataset.test.inputs)
        return metrics_of(context.task.score(answers, context.dataset.test), path)

    return measure


def test_without_steps_the_model_ships_as_it_was_exported(
    trained: TrainedNetwork, fp32: Path, context: Context, measure: Callable[[Path], Metrics], tmp_path: Path
) -> None:
    chain = compress(trained, fp32, with_steps(context), measure, tmp_path)

    assert [variant.name for variant in chain.variants] == ["fp32"]
    assert chain.shipped.path == fp32


def test_a_chain_of_all_kinds_makes_a_model_small_that_still_answers(
    trained: TrainedNetwork, fp32: Path, context: Context, measure: Callable[[Path], Metrics], tmp_path: Path
) -> None:
    steps = with_steps(
        context,
        Distillation(student=CnnModel(channels=(4, 8), hidden=8)),
        UnstructuredPruning(share=0.2),
        UnstructuredPruning(share=0.2, epochs=0),
        QuantizationAwareTraining(),
        StaticInt8(),
        max_drop=0.05,
    )

    chain = compress(trained, fp32, steps, measure, tmp_path)

    assert [variant.name for variant in chain.variants] == [
        "fp32",
        "distillation",
        "unstructured-pruning",
        "unstructured-pruning-3",
        "quantization-aware-training",
        "static-int8",
    ]
    assert chain.shipped.name == "static-int8"
    assert chain.shipped.metrics.score >= 0.95
    assert chain.shipped.metrics.size_bytes < 0.4 * chain.variants[0].metrics.size_bytes
    assert chain.shipped.trained is None
    assert all(variant.kept for variant in chain.variants)


def test_after_a_step_that_costs_too_much_none_is_taken(
    trained: TrainedNetwork, fp32: Path, context: Context, tmp_path: Path
) -> None:
    scores = iter([0.99, 0.985, 0.5])
    steps = with_steps(context, Int4(), Fp16(), StaticInt8(), max_drop=0.01)

    chain = compress(trained, fp32, steps, lambda one: metrics_of(next(scores), one), tmp_path)

    assert [(one.name, one.kept) for one in chain.variants] == [
        ("fp32", True),
        ("int4", True),
        ("fp16", False),
    ]
    assert chain.shipped.name == "int4"


def test_a_refused_step_says_what_it_cost(
    trained: TrainedNetwork, fp32: Path, context: Context, tmp_path: Path
) -> None:
    steps = with_steps(context, StaticInt8(), Fp16(), max_drop=0.01)

    chain = compress(
        trained, fp32, steps, lambda one: metrics_of(0.99 if one == fp32 else 0.97, one), tmp_path
    )

    assert [(variant.name, variant.kept) for variant in chain.variants] == [
        ("fp32", True),
        ("static-int8", False),
    ]
    assert chain.shipped.name == "fp32"
    assert chain.variants[-1].reason == (
        "static-int8 takes the score from 0.9900 to 0.9700; compression.max_drop allows 0.01, "
        "so the model stays as it was before."
    )


def test_the_drop_is_counted_from_the_uncompressed_model(
    trained: TrainedNetwork, fp32: Path, context: Context, tmp_path: Path
) -> None:
    scores = iter([0.99, 0.985, 0.978])
    steps = with_steps(context, Int4(), Fp16(), max_drop=0.01)

    chain = compress(trained, fp32, steps, lambda one: metrics_of(next(scores), one), tmp_path)

    assert [variant.kept for variant in chain.variants] == [True, True, False]


def test_a_score_that_is_no_number_is_not_kept(
    trained: TrainedNetwork, fp32: Path, context: Context, tmp_path: Path
) -> None:
    scores = iter([0.99, float("nan")])

    chain = compress(
        trained, fp32, with_steps(context, Fp16()), lambda one: metrics_of(next(scores), one), tmp_path
    )

    assert chain.shipped.name == "fp32"


def test_a_step_that_finds_nothing_to_do_is_refused(
    trained: TrainedNetwork, fp32: Path, context: Context, tmp_path: Path
) -> None:
    steps = with_steps(context, StaticInt8(), Fp16())

    with pytest.raises(InvalidRecipe, match="fp16, which finds nothing to make smaller; leave it out"):
        compress(trained, fp32, steps, lambda one: metrics_of(1, one), tmp_path)


def test_interrupted_chain_neither_changes_a_file_nor_measures_a_form_again(
    trained: TrainedNetwork, fp32: Path, context: Context, tmp_path: Path
) -> None:
    steps = with_steps(context, UnstructuredPruning(share=0.2, epochs=0), StaticInt8())
    measured: list[str] = []

    def measure(path: Path) -> Metrics:
        measured.append(path.stem)
        if len(measured) == 3:
            raise TimeIsUp
        return metrics_of(len(measured) / 10, path)

    with pytest.raises(TimeIsUp):
        compress(trained, fp32, steps, measure, tmp_path)
    written = (tmp_path / "static-int8.onnx").stat().st_mtime_ns

    chain = compress(trained, fp32, steps, measure, tmp_path)

    assert measured == ["fp32", "unstructured-pruning", "static-int8", "static-int8"]
    assert [variant.metrics.score for variant in chain.variants] == [0.1, 0.2, 0.4]
    assert (tmp_path / "static-int8.onnx").stat().st_mtime_ns == written
