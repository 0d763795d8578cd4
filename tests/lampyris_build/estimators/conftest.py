"""Estimators, fitted to what scikit-learn carries and to a small table."""

from collections.abc import Callable
from io import StringIO
from typing import TypeAlias

import numpy as np
import pytest
from rich.console import Console

from lampyris_build.data.dataset import Dataset, Feature, Samples
from lampyris_build.estimators import FittedEstimator, fit
from lampyris_build.recipe import Recipe
from lampyris_build.stages import Stages
from lampyris_build.tasks import task_for

Fit: TypeAlias = Callable[[Recipe, Dataset], FittedEstimator]


@pytest.fixture
def fitted() -> Fit:
    def fit_quietly(recipe: Recipe, dataset: Dataset) -> FittedEstimator:
        with Stages(Console(file=StringIO())) as stages, stages.stage("model") as stage:
            return fit(recipe, dataset, task_for(recipe, dataset), stage=stage)

    return fit_quietly


@pytest.fixture
def passengers() -> Dataset:
    """A table with missing numbers and words, and who of 200 is older than 40."""
    rng = np.random.default_rng(0)
    age = rng.normal(40, 10, 200).astype(np.float32)
    survived = (age > 40).astype(np.int64)
    age[::17] = np.nan
    samples = Samples(
        inputs={
            "age": age,
            "fare": rng.normal(10, 2, 200).astype(np.float32),
            "port": np.array(["Cork", "Łódź", "", "Brest"], dtype=object)[rng.integers(0, 4, 200)],
        },
        targets=survived,
    )
    return Dataset(
        name="passengers",
        digest="0" * 64,
        features=(
            Feature(name="age", kind="number"),
            Feature(name="fare", kind="number"),
            Feature(name="port", kind="category"),
        ),
        classes=("no", "yes"),
        train=samples,
        validation=samples,
        test=samples,
    )
