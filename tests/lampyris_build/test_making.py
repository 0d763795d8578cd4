import msgspec
import numpy as np
import pytest
import torch

from lampyris_build.data import load_dataset
from lampyris_build.data.dataset import Dataset
from lampyris_build.errors import InvalidRecipe
from lampyris_build.making import make
from lampyris_build.models.resnet import Resnet
from lampyris_build.recipe import Recipe
from lampyris_build.recipe.models import MlpModel, ResnetModel
from lampyris_build.recipe.recipe import Export
from lampyris_build.recipe.sources import SklearnSource
from lampyris_build.stages import Stage
from lampyris_build.tasks import task_for
from lampyris_build.tasks.task import Task, as_tensors
from lampyris_build.trained import TrainedNetwork


def test_a_network_that_starts_from_data_has_seen_the_training_set(
    recipe: Recipe, dataset: Dataset, task: Task, stage: Stage
) -> None:
    other = msgspec.structs.replace(recipe, model=ResnetModel(channels=(4, 8)))

    made = make(other, dataset, task, stage=stage)

    assert isinstance(made.trained, TrainedNetwork)
    learner = made.trained.learner
    assert isinstance(learner.network, Resnet)
    pictures = learner.preprocessing(*as_tensors(dataset.train.inputs))
    whitened_FN = learner.network.whitening.convolution(pictures).transpose(0, 1).flatten(1)
    torch.testing.assert_close(torch.cov(whitened_FN[:4]), torch.eye(4), atol=0.1, rtol=0)


def test_a_network_that_mirrors_says_the_same_of_a_picture_and_its_mirror_image(
    recipe: Recipe, dataset: Dataset, task: Task, stage: Stage
) -> None:
    mirroring = msgspec.structs.replace(recipe, export=Export(mirror=True))

    made = make(mirroring, dataset, task, stage=stage)

    pictures = dataset.test.inputs["image"]
    (answers,) = made.trained.predict({"image": pictures})
    (mirrored,) = made.trained.predict({"image": np.flip(pictures, axis=2).copy()})
    np.testing.assert_allclose(answers, mirrored, atol=1e-6)
    assert answers.std() > 0.1


def test_mirroring_what_are_no_pictures_is_refused(recipe: Recipe, stage: Stage) -> None:
    wine = msgspec.structs.replace(
        recipe, dataset=SklearnSource(name="wine"), model=MlpModel(), export=Export(mirror=True)
    )
    dataset = load_dataset(wine)

    with pytest.raises(InvalidRecipe, match="mirror is for pictures, and the dataset has none"):
        make(wine, dataset, task_for(wine, dataset), stage=stage)
