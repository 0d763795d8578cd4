"""Models that users bring: trained elsewhere, or defined in modules of their own."""

from typing import TYPE_CHECKING, Final

from lampyris_build.data.dataset import Dataset
from lampyris_build.errors import InvalidRecipe
from lampyris_build.recipe import Recipe
from lampyris_build.recipe.models import HuggingFaceModel, KerasModel, OnnxModel
from lampyris_build.tasks.task import Task

if TYPE_CHECKING:  # it imports the tasks, these the networks, and these the user's own from here
    from lampyris_build.trained import Trained

_SAMPLES: Final = 256


def as_taken(recipe: Recipe, dataset: Dataset) -> Dataset:
    """Return the dataset as the recipe's model takes it: texts as tokens, where it comes with a tokenizer.

    Raises: ExtraMissing, InvalidRecipe.
    """
    if not isinstance(recipe.model, HuggingFaceModel):
        return dataset
    from lampyris_build.imports.hugging_face import tokenised  # noqa: PLC0415 - most builds need none of it

    return tokenised(recipe.model, dataset)


def import_model(recipe: Recipe, dataset: Dataset, task: Task) -> "Trained":
    """Take in a model that came trained, for a dataset `as_taken`.

    Raises: ExtraMissing, ConversionFailed; InvalidRecipe if it does not take what the dataset holds.
    """
    if recipe.training is not None:
        raise InvalidRecipe(
            recipe=recipe.name,
            reason=f"[training] is for networks; architecture {recipe.model.__struct_config__.tag} comes "
            "trained. Leave it out.",
        )
    samples = dataset.validation.take(slice(0, _SAMPLES)).inputs
    # Each brings a framework of its own, which takes seconds to import.
    match recipe.model:
        case OnnxModel():
            from lampyris_build.imports.onnx_file import import_onnx  # noqa: PLC0415

            return import_onnx(recipe.model, task, samples)
        case KerasModel():
            from lampyris_build.imports.keras_model import import_keras  # noqa: PLC0415

            return import_keras(recipe.model, task, samples)
        case HuggingFaceModel():
            from lampyris_build.imports.hugging_face import import_hugging_face  # noqa: PLC0415

            return import_hugging_face(recipe.model, dataset, task)
        case _:
            raise AssertionError(recipe.model)
