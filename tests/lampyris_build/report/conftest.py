"""Reports on models that there are not: answers are made up, so that every part has something to show."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lampyris_build.data.dataset import Feature, Samples
from lampyris_build.evaluation.classification import classification_scores
from lampyris_build.evaluation.cross_validation import Folds
from lampyris_build.evaluation.metrics import Metrics
from lampyris_build.report import Form, Report, Trial
from lampyris_build.training.history import Epoch, History

ReportOf = Callable[..., Report]


def form(
    name: str, score: float, *, scores: dict[str, float] | None = None, kept: bool = True, reason: str = ""
) -> Form:
    metrics = Metrics(
        score=score,
        scores=scores or {},
        size_bytes=len(name) * 10_000,
        latency_p50_ms=0.125,
        latency_p99_ms=0.31,
        memory_bytes=12_000_000,
    )
    return Form(name=name, metrics=metrics, kept=kept, reason=reason)


def report_on(
    task: Any,
    inputs: dict[str, NDArray[Any]],
    features: tuple[Feature, ...],
    targets: NDArray[Any] | None,
    answer: NDArray[Any],
    *,
    classes: tuple[str, ...] | None = None,
    scores: dict[str, float] | None = None,
) -> Report:
    return Report(
        model="tried",
        task=task,
        created_at=datetime(2026, 7, 1, 12, 30, tzinfo=UTC),
        forms=(form("exported", 0.9, scores=scores),),
        features=features,
        classes=classes,
        test=Samples(inputs=inputs, targets=targets),
        answers=[answer],
        counts={"training": 800, "validation": 100, "test": len(answer)},
        parity=1.5e-6,
    )


@pytest.fixture
def classifier() -> ReportOf:
    """A classifier of vectors: right four times of five."""

    def build(classes: tuple[str, ...] = ("red", "green", "blue"), count: int = 200) -> Report:
        rng = np.random.default_rng(5)
        labels = np.arange(count) % len(classes)
        logits = rng.normal(size=(count, len(classes))) + 3 * np.eye(len(classes))[labels]
        probabilities = np.exp(logits)
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        return report_on(
            "classification",
            {"features": rng.normal(size=(count, 4)).astype(np.float32)},
            (Feature(name="features", kind="vector", shape=(4,)),),
            labels,
            probabilities.astype(np.float32),
            classes=classes,
            scores={"accuracy": 0.9},
        )

    return build


@pytest.fixture
def whole(classifier: ReportOf) -> Report:
    """A report that has everything."""
    losses = [2.3, 0.9, 0.5, 0.35, 0.3]
    rows = tuple(
        Epoch(
            epoch=number,
            step=100 * number,
            loss=loss,
            validation_loss=loss + 0.02 * number**2,
            learning_rate=1e-3 / number,
            seconds=12.5 * number,
        )
        for number, loss in enumerate(losses, start=1)
    )
    report = classifier()
    assert report.test.targets is not None
    scores = classification_scores(report.answers[0], report.test.targets)
    return replace(
        report,
        forms=(
            form("exported", 0.9, scores=scores),
            form("int8", 0.895, scores=scores),
            form("structured-pruning", 0.7, kept=False, reason="structured-pruning takes the score to 0.7"),
        ),
        history=History(rows=rows),
        statement="No sign of overfitting.",
        folds=Folds(scores=({"score": 0.9, "roc_auc": 0.99}, {"score": 0.8, "roc_auc": 0.97})),
        notes=("12 duplicates were dropped",),
        trials=(
            Trial(
                name="mlp 64",
                score=0.9,
                latency_p50_ms=0.1,
                size_bytes=20_000,
                dollars_per_million=0.21,
                memory_mb=128,
            ),
            Trial(
                name="cnn 8",
                score=0.97,
                latency_p50_ms=0.4,
                size_bytes=60_000,
                dollars_per_million=0.25,
                memory_mb=256,
                is_on_front=True,
                is_picked=True,
            ),
            Trial(name="forest", score=0.93, latency_p50_ms=0.05, size_bytes=900_000, is_on_front=True),
        ),
        choice="cnn 8 is the cheapest with a score of 0.95 at least.",
        elapsed_s={"data": 0.5, "training": 130.0},
        provenance={"recipe": "ab12", "libraries": {"torch": "2.13.0"}, "seed": 3},
        recipe='name = "tried"\n',
    )
