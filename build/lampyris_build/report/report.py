"""Everything that a report shows. What a build has not got is left out, and so is its part of the page."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from numpy.typing import NDArray

from lampyris_build.data.dataset import Feature, Samples
from lampyris_build.evaluation.cross_validation import Folds
from lampyris_build.evaluation.metrics import Metrics
from lampyris_build.recipe.recipe import TaskName
from lampyris_build.training.history import History


@dataclass(frozen=True, kw_only=True)
class Form:
    """The model as it was exported, or after a step of compression; `reason` says why it was not kept."""

    name: str
    metrics: Metrics
    kept: bool = True
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One of the models that were compared; no other beats one on the Pareto front in everything."""

    name: str
    score: float
    latency_p50_ms: float
    size_bytes: int
    dollars_per_million: float | None = None
    memory_mb: int | None = None
    is_on_front: bool = False
    is_picked: bool = False


@dataclass(frozen=True, kw_only=True)
class Report:
    """`forms` begin with the uncompressed model; the last that was kept is what ships.

    `test` is what the shipped model was asked, with what is right; `answers` is what it said, by output.
    `counts` says how many samples each set has, `notes` what cleaning did. `statement` is about overfitting,
    `choice` says why the picked trial was picked. `parity` is the largest difference between the exported
    model and the framework that made it.
    """

    model: str
    task: TaskName
    created_at: datetime
    forms: tuple[Form, ...]
    features: tuple[Feature, ...]
    classes: tuple[str, ...] | None
    test: Samples
    answers: list[NDArray[Any]]
    counts: Mapping[str, int]
    parity: float
    notes: tuple[str, ...] = ()
    history: History | None = None
    folds: Folds | None = None
    statement: str = ""
    trials: tuple[Trial, ...] = ()
    choice: str = ""
    elapsed_s: Mapping[str, float] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    recipe: str = ""

    @property
    def shipped(self) -> Form:
        return [form for form in self.forms if form.kept][-1]
