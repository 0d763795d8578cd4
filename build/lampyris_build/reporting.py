"""From what a build found out to the report that shows it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from lampyris_build.data.dataset import Dataset
from lampyris_build.evaluation.cross_validation import Folds
from lampyris_build.evaluation.metrics import Metrics
from lampyris_build.evaluation.overfitting import overfitting_statement
from lampyris_build.evaluation.session import open_session, run
from lampyris_build.recipe import Recipe
from lampyris_build.report.html import to_html
from lampyris_build.report.report import Form, Report, Trial

if TYPE_CHECKING:  # the pipeline imports this module
    from lampyris_build.pipeline import Candidate

_LEARNT = 2048  # samples of the training set that the model is asked about again


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The models that were compared before this one was picked, and why it was."""

    trials: tuple[Trial, ...]
    choice: str


def report_of(
    recipe: Recipe,
    dataset: Dataset,
    candidate: "Candidate",
    *,
    variants: Mapping[str, Metrics],
    folds: Folds | None,
    elapsed_s: Mapping[str, float],
    provenance: Mapping[str, Any],
    comparison: Comparison | None,
) -> str:
    """Write the report, as one page of HTML; `variants` has the metrics of every form that was kept."""
    shipped, signature = candidate.chain.shipped, candidate.made.trained.signature
    forms = tuple(
        Form(name=one.name, metrics=variants.get(one.name, one.metrics), kept=one.kept, reason=one.reason)
        for one in candidate.chain.variants
    )
    sets = {"training": dataset.train, "validation": dataset.validation, "test": dataset.test}
    return to_html(
        Report(
            model=recipe.name,
            task=recipe.task,
            created_at=datetime.now(UTC),
            forms=forms,
            features=dataset.features,
            classes=signature.labels or dataset.classes,
            test=candidate.test,
            answers=run(open_session(shipped.path), candidate.test.inputs),
            counts={name: len(one) for name, one in sets.items()},
            parity=candidate.parity,
            notes=dataset.notes,
            history=candidate.made.history,
            folds=folds,
            statement=_generalisation(recipe, dataset, candidate),
            trials=() if comparison is None else comparison.trials,
            choice="" if comparison is None else comparison.choice,
            elapsed_s=elapsed_s,
            provenance=provenance,
            recipe=recipe.to_toml(),
        )
    )


def _generalisation(recipe: Recipe, dataset: Dataset, candidate: "Candidate") -> str:
    """Say whether the model learnt what holds in general; nothing where there is no telling."""
    if recipe.task == "generation":
        return ""
    shipped, task = candidate.chain.shipped, candidate.task
    # From all over the training set: its rows may have an order.
    count = len(dataset.train)
    drawn = np.linspace(0, count - 1, min(_LEARNT, count)).astype(np.int64)
    learnt = task.asked(dataset.train.take(drawn))
    return overfitting_statement(
        train_score=task.score(run(open_session(shipped.path), learnt.inputs), learnt),
        test_score=shipped.metrics.score,
        test_rows=len(candidate.test),
        history=candidate.made.history,
    )
