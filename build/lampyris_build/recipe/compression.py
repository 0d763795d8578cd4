"""`[compression]`: the steps that make a model small, in their order, and the floor at which they stop."""

from typing import Annotated, Literal

import msgspec

from lampyris.domain.bundle import Share
from lampyris_build.recipe.models import AnyModel
from lampyris_build.recipe.section import Count, Fraction, Positive, Section
from lampyris_build.recipe.training import Training


class Step(Section, frozen=True, kw_only=True, tag_field="step"):
    """What every step has: a name."""


class Distillation(Step, frozen=True, kw_only=True, tag="distillation"):
    """Teach a smaller model what the larger one answers: softened by `temperature`, weighed by `alpha`.

    Source: Hinton, Vinyals and Dean 2015.
    """

    student: AnyModel
    training: Training | None = None
    temperature: Positive = 4.0
    alpha: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.9


class UnstructuredPruning(Step, frozen=True, kw_only=True, tag="unstructured-pruning"):
    """Set the smallest weights to 0, `share` of all, in rounds with `epochs` of training after each."""

    share: Fraction
    rounds: Count = 1
    epochs: Annotated[int, msgspec.Meta(ge=0)] = 1


class StructuredPruning(Step, frozen=True, kw_only=True, tag="structured-pruning"):
    """Remove `share` of the channels of hidden layers, those of least norm, and train `epochs` more."""

    share: Fraction
    epochs: Annotated[int, msgspec.Meta(ge=0)] = 1


class QuantizationAwareTraining(Step, frozen=True, kw_only=True, tag="quantization-aware-training"):
    """Train `epochs` more while rounding as static-int8 will, which must be the next step."""

    epochs: Count = 1


class Fp16(Step, frozen=True, kw_only=True, tag="fp16"):
    """Keep weights in 16 bits."""


class DynamicInt8(Step, frozen=True, kw_only=True, tag="dynamic-int8"):
    """8-bit weights; the ranges of activations are found while the model runs."""


class StaticInt8(Step, frozen=True, kw_only=True, tag="static-int8"):
    """8-bit weights, by output channel, and activations, whose ranges `samples` of the training set show."""

    method: Literal["min-max", "entropy", "percentile"] = "min-max"
    samples: Count = 512
    per_channel: bool = True


class Int4(Step, frozen=True, kw_only=True, tag="int4"):
    """4-bit weights of matrix products, with a scale for each `block` of them."""

    block: Literal[16, 32, 64, 128] = 32


# What trains a network comes before what only changes its file.
NetworkStep = Distillation | UnstructuredPruning | StructuredPruning | QuantizationAwareTraining
FileStep = Fp16 | DynamicInt8 | StaticInt8 | Int4
AnyStep = NetworkStep | FileStep


class Compression(Section, frozen=True, kw_only=True):
    """`max_drop` is the floor: how much of the score all steps together may cost (0.003: 0.3 points).

    The first step that would cost more is not taken, and none after it.
    """

    steps: tuple[AnyStep, ...] = ()
    max_drop: Share = 0.01
