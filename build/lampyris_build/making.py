"""The stage of the model: train a network, fit an estimator, or take in a model that came trained."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from lampyris_build.data.dataset import Dataset, Samples
from lampyris_build.errors import InvalidRecipe
from lampyris_build.learner import Learner
from lampyris_build.models import network_for
from lampyris_build.preprocessing.augmentation import Augmentation
from lampyris_build.preprocessing.encoding import Encoding
from lampyris_build.recipe import Recipe
from lampyris_build.recipe.compression import Distillation
from lampyris_build.recipe.models import (
    AnyModel,
    BoostingModel,
    ForestModel,
    HuggingFaceModel,
    KerasModel,
    LinearModel,
    LogisticModel,
    OnnxModel,
    SklearnModel,
    SvmModel,
    TransformerModel,
)
from lampyris_build.stages import Stage
from lampyris_build.tasks.task import Task
from lampyris_build.trained import Trained, TrainedNetwork
from lampyris_build.training.checkpoint import Checkpoint, starting_from, training_digest
from lampyris_build.training.history import History
from lampyris_build.training.log import log_for
from lampyris_build.training.loop import train
from lampyris_build.training.team import Team

_ESTIMATORS = (LinearModel, LogisticModel, SvmModel, ForestModel, BoostingModel, SklearnModel)
_IMPORTED = (OnnxModel, KerasModel, HuggingFaceModel)


@dataclass(frozen=True, kw_only=True)
class Made:
    """A model, and how its training went if it was trained here, epoch by epoch."""

    trained: Trained
    history: History | None = None


def make(
    recipe: Recipe,
    dataset: Dataset,
    task: Task,
    *,
    stage: Stage,
    folder: Path | None = None,
    team: Team | None = None,
) -> Made:
    """Make the recipe's model.

    A network's training keeps its checkpoint in `folder`, and goes on from it. What it takes down is in
    `folder`/log. The `team` trains along (see `train`).

    Raises: BuildError.
    """
    model = recipe.model
    # Each brings frameworks of its own, which take seconds to import.
    if isinstance(model, _IMPORTED):
        from lampyris_build.imports import import_model  # noqa: PLC0415

        return Made(trained=import_model(recipe, dataset, task))
    if isinstance(model, _ESTIMATORS):
        from lampyris_build.estimators import fit  # noqa: PLC0415

        return Made(trained=fit(recipe, dataset, task, stage=stage))
    if recipe.training is None:
        raise InvalidRecipe(
            recipe=recipe.name,
            reason="[training] is missing; a network wants at least how many epochs: epochs = 10.",
        )
    torch.manual_seed(recipe.seed)
    encoding = Encoding.fit(dataset.features, dataset.train, **_reading(model))
    encoded = replace(
        dataset, train=_encoded(encoding, dataset.train), validation=_encoded(encoding, dataset.validation)
    )
    learner = new_learner(model, recipe, encoded, task)
    learner.start_from(dataset.train, encoding)
    for step in recipe.compression.steps:
        if isinstance(
            step, Distillation
        ):  # a student that cannot take the data is told before its teacher learns
            new_learner(step.student, recipe, encoded, task)
    checkpoint, log = None, None
    if folder is not None:
        digest = starting_from(training_digest(recipe, dataset), learner)
        checkpoint = Checkpoint(folder / "checkpoint.safetensors", digest)
        log = log_for(recipe.training, folder / "log")
    history = train(
        learner,
        encoded.train,
        encoded.validation,
        recipe.training,
        seed=recipe.seed,
        stage=stage,
        checkpoint=checkpoint,
        log=log,
        team=team,
    )
    stage.outcome = str(history)
    example = task.asked(dataset.train.take(slice(0, 2))).inputs
    return Made(trained=TrainedNetwork(learner, encoding, example), history=history)


def new_learner(model: AnyModel, recipe: Recipe, encoded: Dataset, task: Task) -> Learner:
    """Make a network of random weights for encoded data, and what stands before it. Raises: InvalidRecipe."""
    preprocessing = task.preprocessing(encoded.train)
    shape, vocabulary = preprocessing.shape, preprocessing.vocabulary_size
    if recipe.task == "language":  # a token may occur in the test set alone
        vocabulary = task.width(shape)
    if recipe.export.mirror and len(shape) != 3:  # noqa: PLR2004 - (C, H, W)
        raise InvalidRecipe(
            recipe=recipe.name,
            reason="export.mirror is for pictures, and the dataset has none; leave it out.",
        )
    return Learner(
        preprocessing=preprocessing,
        augmentation=Augmentation(recipe.augmentation),
        network=network_for(model, shape, task.width(shape), vocabulary),
        task=task,
        mirrors=recipe.export.mirror,
    )


def _encoded(encoding: Encoding, samples: Samples) -> Samples:
    return replace(samples, inputs=encoding.apply(samples.inputs))


def _reading(model: AnyModel) -> dict[str, int]:
    """Say how much of a text is read: words at most, and of which vocabulary."""
    reader = model if isinstance(model, TransformerModel) else TransformerModel()
    return {"length": reader.length, "vocabulary": reader.vocabulary}
