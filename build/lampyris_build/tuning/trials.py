"""One trial: a recipe's model made, compressed and measured on the validation set."""

import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from io import StringIO
from math import isfinite
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import msgspec
import numpy as np
from rich.console import Console

from lampyris.domain.signature import Signature
from lampyris.jobs.prices import architecture_of
from lampyris_build.compression.chain import Variant
from lampyris_build.compression.order import check_steps
from lampyris_build.data.dataset import Dataset, Inputs
from lampyris_build.errors import (
    BuildError,
    ConversionFailed,
    DatasetBroken,
    InvalidRecipe,
    ParityFailed,
    TrainingDiverged,
)
from lampyris_build.pipeline import make_candidate
from lampyris_build.recipe import Recipe
from lampyris_build.recipe.tuning import Tune
from lampyris_build.stages import Stages, Watch
from lampyris_build.training.files import write_atomically
from lampyris_build.tuning.memory_size import MOST_MB, cheapest_size
from lampyris_build.tuning.served import measure_served

# What is wrong with one recipe; anything else is wrong with all.
FAILURES: Final = (InvalidRecipe, TrainingDiverged, ParityFailed, ConversionFailed, DatasetBroken)


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """A model as it was exported, or after its first `steps` of compression: what it is worth, and costs.

    `latency_p50_ms` is the model's run on one core, `request_p50_ms` a whole request to a function of
    `memory_mb`, which makes a million of them cheapest.
    """

    name: str
    steps: int
    score: float
    size_bytes: int
    latency_p50_ms: float
    request_p50_ms: float
    memory_mb: int
    dollars_per_million: float

    @property
    def costs(self) -> tuple[float, ...]:
        """Less is better in each."""
        return (-self.score, self.latency_p50_ms, self.size_bytes, self.dollars_per_million)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The forms that a trial leaves, or why there is none."""

    forms: tuple[Form, ...] = ()
    failure: str = ""
    elapsed_s: float

    @property
    def score(self) -> float:
        return max(form.score for form in self.forms)


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A trial that is over. `changes` is what was chosen, by place; `recipe` is None if that makes none."""

    number: int
    changes: Mapping[str, Any]
    recipe: Recipe | None
    outcome: Outcome

    @property
    def model(self) -> str:
        return "" if self.recipe is None else str(self.recipe.model.__struct_config__.tag)


class Trials:
    """Runs recipes on one dataset. The models that a trial left are kept in `folder`, and not made again.

    Models are compared on the validation set: the test set is for the one that is picked. `watch` follows
    what makes them, and may stop it.
    """

    def __init__(self, dataset: Dataset, folder: Path, watch: Watch | None = None) -> None:
        self._watch = watch
        self._dataset = replace(dataset, test=dataset.validation)
        self._folder = folder

    def run(self, recipe: Recipe) -> Outcome:
        """Make the recipe's model, or say why it cannot be made. Raises: BuildError, if no model could be."""
        name = self._name(recipe)
        file = self._folder / f"{name}.json"
        try:
            return msgspec.json.decode(file.read_bytes(), type=Outcome)
        except (FileNotFoundError, msgspec.DecodeError):
            pass
        started_s = perf_counter()
        try:
            forms = self._forms(recipe)
        except FAILURES as error:  # not kept: next time, it may have another reason, or none
            return Outcome(failure=reason_of(error), elapsed_s=perf_counter() - started_s)
        outcome = Outcome(forms=forms, elapsed_s=perf_counter() - started_s)
        write_atomically(file, msgspec.json.encode(outcome))
        return outcome

    def _name(self, recipe: Recipe) -> str:
        """Name what decides a trial: its recipe, but not what is asked of all of them, and the data."""
        decisive = msgspec.structs.replace(recipe, tune=Tune()).digest + self._dataset.digest
        return sha256(decisive.encode()).hexdigest()[:32]

    def training(self, recipe: Recipe) -> Path:
        """Name the folder that holds a trial's training: the checkpoint of its end, if it has ended."""
        return self._folder / f"{self._name(recipe)}.training"

    def _forms(self, recipe: Recipe) -> tuple[Form, ...]:
        check_steps(recipe)
        quiet = Console(file=StringIO())  # the search says how far it is
        work = self._folder / f"{self._name(recipe)}.forms"
        with Stages(quiet, self._watch) as stages:
            candidate = make_candidate(recipe, self._dataset, stages, work, training=self.training(recipe))
        signature, inputs = candidate.made.trained.signature, candidate.test.inputs
        kept = [variant for variant in candidate.chain.variants if variant.kept]
        forms = tuple(_form(one, steps, signature, inputs) for steps, one in enumerate(kept))
        shutil.rmtree(work, ignore_errors=True)  # whichever is picked is made again, of the whole
        return forms


def _form(variant: Variant, steps: int, signature: Signature, inputs: Inputs) -> Form:
    """Raises: InvalidRecipe if it is no model that can be served."""
    metrics = variant.metrics
    if not isfinite(metrics.score):
        raise InvalidRecipe(reason=f"{variant.name} has a score that is no number.")
    served = measure_served(variant.path, signature, inputs)
    size = cheapest_size(
        np.array(served.durations_ms), served.held_bytes, architecture_of(platform.machine())
    )
    if size is None:
        raise InvalidRecipe(
            reason=f"{variant.name} holds {served.held_bytes / 1e6:,.0f} MB, too much for a function of "
            f"{MOST_MB:,} MB, which is the largest."
        )
    return Form(
        name=variant.name,
        steps=steps,
        score=metrics.score,
        size_bytes=metrics.size_bytes,
        latency_p50_ms=metrics.latency_p50_ms,
        request_p50_ms=size.request_p50_ms,
        memory_mb=size.memory_mb,
        dollars_per_million=size.dollars_per_million,
    )


def reason_of(error: BuildError) -> str:
    return error.reason if isinstance(error, InvalidRecipe) else str(error)
