import pytest

from lampyris_build.errors import InvalidRecipe
from lampyris_build.recipe import Recipe
from lampyris_build.recipe.compression import Compression, Distillation
from lampyris_build.recipe.models import (
    AnyModel,
    AutoencoderModel,
    CnnModel,
    ForestModel,
    GanModel,
    GptModel,
    MlpModel,
    OnnxModel,
    TransformerModel,
)
from lampyris_build.recipe.purposes import check_purposes
from lampyris_build.recipe.recipe import Export, TaskName
from lampyris_build.recipe.sources import SklearnSource


def recipe(
    task: TaskName, model: AnyModel, compression: Compression | None = None, export: Export | None = None
) -> Recipe:
    return Recipe(
        name="iris",
        task=task,
        dataset=SklearnSource(name="iris"),
        model=model,
        compression=compression or Compression(),
        export=export or Export(),
    )


@pytest.mark.parametrize(
    ("task", "model", "told"),
    [
        ("classification", AutoencoderModel(), "autoencoder is for task anomaly, not for classification"),
        ("regression", AutoencoderModel(), "autoencoder is for task anomaly, not for regression"),
        ("classification", GptModel(), "gpt is for task language, not for classification"),
        (
            "language",
            TransformerModel(),
            "transformer is for task classification or regression, not for language",
        ),
    ],
)
def test_architecture_for_another_task_is_refused(task: TaskName, model: AnyModel, told: str) -> None:
    with pytest.raises(InvalidRecipe, match=told):
        check_purposes(recipe(task, model))


def test_student_for_another_task_is_refused() -> None:
    compression = Compression(steps=(Distillation(student=AutoencoderModel()),))

    with pytest.raises(InvalidRecipe, match="autoencoder is for task anomaly"):
        check_purposes(recipe("classification", MlpModel(), compression))


def test_architecture_for_its_task_passes() -> None:
    check_purposes(recipe("anomaly", AutoencoderModel()))
    check_purposes(recipe("regression", MlpModel()))


@pytest.mark.parametrize(
    ("task", "model"),
    [
        ("classification", ForestModel()),
        ("classification", OnnxModel(path="model.onnx")),
        ("classification", TransformerModel()),
        ("generation", GanModel()),
        ("anomaly", AutoencoderModel()),
    ],
)
def test_a_mirror_for_what_has_no_use_for_it_is_refused(task: TaskName, model: AnyModel) -> None:
    with pytest.raises(InvalidRecipe, match="mirror is for networks that learn here"):
        check_purposes(recipe(task, model, export=Export(mirror=True)))


def test_a_network_of_pictures_may_mirror() -> None:
    check_purposes(recipe("classification", CnnModel(), export=Export(mirror=True)))
    check_purposes(recipe("regression", MlpModel(), export=Export(mirror=True)))
