"""Take the recipe's steps one after the other, as long as the model stays good enough."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from lampyris_build.compression.context import Context
from lampyris_build.compression.static_int8 import static_int8
from lampyris_build.evaluation.metrics import Metrics
from lampyris_build.recipe.compression import AnyStep, StaticInt8
from lampyris_build.trained import Trained

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
    model is not kept, and none after it is taken.

    Raises: InvalidRecipe if the model cannot take a step.
    """
    compression = context.recipe.compression
    first = Variant(name="fp32", step=None, path=exported, trained=trained, metrics=measure(exported))
    variants = [first]
    for place, step in enumerate(compression.steps, start=1):
        before = variants[-1]
        tag = str(step.__struct_config__.tag)
        # A step that is taken twice is told apart by its place.
        name = f"{tag}-{place}" if tag in {one.name for one in variants} else tag
        variant = _take(step, before, context, measure, work / f"{name}.onnx")
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


def _take(step: AnyStep, before: Variant, context: Context, measure: Measure, out: Path) -> Variant:
    match step:
        case StaticInt8():
            static_int8(before.path, step, context, out)
    return Variant(name=out.stem, step=step, path=out, trained=None, metrics=measure(out))
