"""Take the recipe's steps one after the other, as long as the model stays good enough."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from pathlib import Path
from typing import assert_never

import onnx

from lampyris_build.compression.context import Context
from lampyris_build.compression.distillation import distil
from lampyris_build.compression.dynamic_int8 import dynamic_int8
from lampyris_build.compression.fp16 import fp16
from lampyris_build.compression.int4 import int4
from lampyris_build.compression.order import check_steps
from lampyris_build.compression.quantization_aware_training import train_rounded
from lampyris_build.compression.static_int8 import static_int8
from lampyris_build.compression.tidying import tidy
from lampyris_build.compression.unstructured_pruning import prune_weights
from lampyris_build.errors import InvalidRecipe
from lampyris_build.evaluation.metrics import Metrics
from lampyris_build.findings import Findings, file_digest
from lampyris_build.recipe.compression import (
    AnyStep,
    Distillation,
    DynamicInt8,
    FileStep,
    Fp16,
    Int4,
    NetworkStep,
    QuantizationAwareTraining,
    StaticInt8,
    StructuredPruning,
    UnstructuredPruning,
)
from lampyris_build.trained import Trained, TrainedNetwork

Measure = Callable[[Path], Metrics]


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One form of the model: as it was exported (`step` is None), or after one more step.

    `trained` is what the framework holds of it; None after a step that only its ONNX file has taken.
    `reason` says why it was not kept.
    """

    name: str
    step: AnyStep | None
    path: Path
    trained: Trained | None
    metrics: Metrics
    kept: bool = True
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Chain:
    """Every form that was made, in order; the last that was kept is what ships."""

    variants: tuple[Variant, ...]

    @property
    def shipped(self) -> Variant:
        return [variant for variant in self.variants if variant.kept][-1]


def compress(trained: Trained, exported: Path, context: Context, measure: Measure, work: Path) -> Chain:
    """Take the recipe's steps until one costs too much; write each form into `work`.

    The first step after which the score is more than compression.max_drop below that of the uncompressed
    model is not kept, and none after it is taken. Files that steps changed, and what was measured, are in
    `work` for a later call that comes to the same.

    Raises: InvalidRecipe if the model cannot take a step; TrainingDiverged; TimeIsUp, after any step.
    """
    check_steps(context.recipe)
    compression = context.recipe.compression
    findings = Findings(work, context.recipe, context.dataset, context.stage)
    metrics = findings.once("fp32", [file_digest(exported)], Metrics, partial(measure, exported))
    first = Variant(name="fp32", step=None, path=exported, trained=trained, metrics=metrics)
    variants = [first]
    for place, step in enumerate(compression.steps, start=1):
        before = variants[-1]
        tag = str(step.__struct_config__.tag)
        # A step that is taken twice is told apart by its place.
        name = f"{tag}-{place}" if tag in {one.name for one in variants} else tag
        path = work / f"{name}.onnx"
        after = _take(step, before, context, path, findings)
        metrics = findings.once(name, [file_digest(path)], Metrics, partial(measure, path))
        variant = Variant(name=name, step=step, path=path, trained=after, metrics=metrics)
        drop = first.metrics.score - variant.metrics.score
        # Written so that NaN is too much as well.
        if not drop <= compression.max_drop:
            reason = (
                f"{name} takes the score from {first.metrics.score:.4f} to {variant.metrics.score:.4f}; "
                f"compression.max_drop allows {compression.max_drop:g}, so the model stays as it was before."
            )
            context.stage.note(reason)
            variants.append(replace(variant, kept=False, reason=reason))
            break
        variants.append(variant)
    return Chain(variants=tuple(variants))


def _take(step: AnyStep, before: Variant, context: Context, out: Path, findings: Findings) -> Trained | None:
    if isinstance(step, NetworkStep):
        assert isinstance(before.trained, TrainedNetwork)
        after = _change_network(step, before.trained, context)  # its trainings have checkpoints
        after.export(out)
        tidy(out)
        return after

    def change() -> str:
        _change_file(step, before.path, context, out)
        if _numbers(out) >= _numbers(before.path):
            raise InvalidRecipe(
                recipe=context.recipe.name,
                reason=f"compression.steps has {out.stem}, which finds nothing to make smaller; "
                "leave it out.",
            )
        tidy(out)
        return file_digest(out)

    findings.once(out.name, [step, file_digest(before.path)], str, change)
    return None


def _change_network(step: NetworkStep, trained: TrainedNetwork, context: Context) -> TrainedNetwork:
    match step:
        case Distillation():
            return distil(trained, step, context)
        case UnstructuredPruning():
            return prune_weights(trained, step, context)
        case StructuredPruning():
            # It alone needs torch-pruning.
            from lampyris_build.compression.structured_pruning import remove_channels  # noqa: PLC0415

            return remove_channels(trained, step, context)
        case QuantizationAwareTraining():
            return train_rounded(trained, step, context)
        case _:
            assert_never(step)


def _change_file(step: FileStep, path: Path, context: Context, out: Path) -> None:
    match step:
        case Fp16():
            fp16(path, out)
        case DynamicInt8():
            dynamic_int8(path, out)
        case StaticInt8():
            static_int8(path, step, context, out)
        case Int4():
            int4(path, step, out)
        case _:
            assert_never(step)


def _numbers(path: Path) -> int:
    """Count the numbers in 32 bits that a file holds."""
    constants = onnx.load(path).graph.initializer
    return sum(prod(one.dims) for one in constants if one.data_type == onnx.TensorProto.FLOAT)
