"""Each task: what it teaches, what is served, what it scores."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from lampyris_build.data.dataset import Dataset, Feature, Samples
from lampyris_build.errors import InvalidRecipe
from lampyris_build.recipe import Recipe
from lampyris_build.recipe.models import AutoencoderModel, GanModel, MlpModel
from lampyris_build.recipe.sources import SklearnSource
from lampyris_build.tasks.anomaly import Anomaly
from lampyris_build.tasks.classification import Classification
from lampyris_build.tasks.generation import Generation
from lampyris_build.tasks.regression import Regression

VECTOR = Feature(name="features", kind="vector", shape=(2,))
PICTURE = Feature(name="image", kind="image", shape=(4, 4, 1))


def dataset(
    feature: Feature, targets: NDArray[Any] | None, classes: tuple[str, ...] | None = None
) -> Dataset:
    rows = 4 if targets is None else len(targets)
    dtype = np.uint8 if feature.kind == "image" else np.float32
    samples = Samples(inputs={feature.name: np.ones((rows, *feature.shape), dtype)}, targets=targets)
    return Dataset(
        name="toy",
        digest="",
        features=(feature,),
        classes=classes,
        train=samples,
        validation=samples,
        test=samples,
    )


def recipe(model: GanModel | MlpModel | AutoencoderModel) -> Recipe:
    return Recipe(name="toy", dataset=SklearnSource(name="digits"), model=model)


class Fixed(nn.Module):
    """A network that gives the same whatever it is asked."""

    def __init__(self, given: list[list[float]]) -> None:
        super().__init__()
        self.given = nn.Parameter(torch.tensor(given, dtype=torch.float32))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.given


def test_classifier_serves_probabilities_and_is_scored_by_its_accuracy() -> None:
    data = dataset(VECTOR, np.array([0, 1, 1]), ("no", "yes"))
    task = Classification(data, label_smoothing=0.0)

    (probabilities,) = task.answers(Fixed([[0, 0], [1, 0], [0, 9]]), torch.zeros(3, 2))

    answers = [probabilities.detach().numpy()]
    np.testing.assert_allclose(answers[0].sum(axis=1), 1, rtol=1e-6)
    assert task.score(answers, data.test) == pytest.approx(2 / 3)
    assert task.signature.labels == ("no", "yes")


def test_label_smoothing_costs_who_is_certain() -> None:
    data = dataset(VECTOR, np.array([0, 1]), ("no", "yes"))
    certain, targets = Fixed([[20, 0], [0, 20]]), torch.tensor([0, 1])

    plain, smooth = (
        Classification(data, label_smoothing=share).loss(certain, torch.zeros(2, 2), targets)
        for share in (0.0, 0.1)
    )

    assert plain.item() < 1e-6 < smooth.item()


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 3)])
def test_regression_learns_in_deviations_and_serves_in_the_targets_unit(shape: tuple[int, ...]) -> None:
    targets = np.linspace(1000, 2000, np.prod(shape)).reshape(shape).astype(np.float32)
    data = dataset(VECTOR, targets)
    task = Regression(data)
    flat = torch.from_numpy(targets.reshape(4, -1))
    right = Fixed(((flat - task.mean) / task.std).tolist())

    loss = task.loss(right, torch.zeros(4, 2), torch.from_numpy(targets))
    (served,) = task.answers(right, torch.zeros(4, 2))

    assert loss.item() < 1e-9
    assert tuple(served.shape) == shape
    np.testing.assert_allclose(served.detach().numpy(), targets, rtol=1e-5)
    assert task.score([served.detach().numpy()], data.test) == pytest.approx(1)


def test_regression_that_knows_nothing_scores_nothing() -> None:
    data = dataset(VECTOR, np.array([1, 2, 3, 4], np.float32))

    assert Regression(data).score([np.full(4, 100, np.float32)], data.test) == 0


def test_constant_target_can_be_learnt() -> None:
    task = Regression(dataset(VECTOR, np.full(4, 7, np.float32)))

    (served,) = task.answers(Fixed([[0.0]] * 4), torch.zeros(4, 2))

    assert served.tolist() == [7] * 4


def test_unusual_samples_are_not_learnt() -> None:
    task = Anomaly(dataset(VECTOR, np.array([0, 0, 0, 1])))
    x = torch.tensor([[0.0, 0], [0, 0], [0, 0], [100, 100]])

    learnt = task.loss(Fixed([[0.0, 0]] * 4), x, torch.tensor([0, 0, 0, 1]))

    assert learnt.item() == 0


def test_anomaly_is_scored_by_how_well_it_ranks_what_is_unusual() -> None:
    data = dataset(VECTOR, np.array([0, 0, 1, 1]))
    task = Anomaly(data)

    assert task.score([np.array([0.1, 0.3, 0.2, 0.9])], data.test) == 0.75
    assert task.scores([np.array([0.1, 0.3, 0.4, 0.9])], data.test)["roc_auc"] == 1


def test_anomaly_without_targets_is_scored_by_what_comes_back() -> None:
    data = dataset(VECTOR, None)

    assert Anomaly(data).score([np.array([0.1, 0.3], np.float32)], data.test) == pytest.approx(0.8)


class Grey(nn.Module):
    def generate(self, latent: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(latent), 1, 4, 4)


def test_generator_serves_pixels_from_random_numbers() -> None:
    data = dataset(PICTURE, None)
    task = Generation(data, recipe(GanModel(latent=3)))

    (pictures,) = task.serve(nn.Identity(), Grey(), (torch.zeros(2, 3),))

    assert (pictures.dtype, tuple(pictures.shape)) == (torch.uint8, (2, 4, 4, 1))
    assert set(pictures.flatten().tolist()) == {128}
    assert task.signature.inputs[0].shape == (-1, 3)


def test_generator_is_scored_against_itself_before_compression() -> None:
    task = Generation(dataset(PICTURE, None), recipe(GanModel(latent=3)))
    asked = task.asked(dataset(PICTURE, None).test)
    before = [np.zeros((4, 4, 4, 1), np.uint8)]

    expecting = task.expecting(asked, lambda: before)

    assert asked.inputs["latent"].shape == (4, 3)
    assert task.score(before, expecting) == 1
    assert task.score([np.full((4, 4, 4, 1), 51, np.uint8)], expecting) == pytest.approx(0.8)


def test_generator_of_what_is_no_picture_is_a_mistake_in_the_recipe() -> None:
    with pytest.raises(InvalidRecipe, match="needs pictures"):
        Generation(dataset(VECTOR, None), recipe(GanModel()))
    with pytest.raises(InvalidRecipe, match=r"needs model\.architecture gan"):
        Generation(dataset(PICTURE, None), recipe(MlpModel()))


def test_columns_may_lack_what_preprocessing_fills_and_vectors_may_not() -> None:
    column = Feature(name="age", kind="number")
    tables, vectors = (Regression(dataset(one, np.array([1.0, 2.0], np.float32))) for one in (column, VECTOR))

    filled = [spec.nullable for task in (tables, vectors) for spec in task.filling_signature.inputs]

    assert filled == [True, False]
    assert not any(spec.nullable for spec in tables.signature.inputs)
