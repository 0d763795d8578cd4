"""Which tasks an architecture is for, where it is not for all that its data allow."""

from typing import Final

from lampyris_build.errors import InvalidRecipe
from lampyris_build.recipe.compression import Distillation
from lampyris_build.recipe.models import (
    AnyModel,
    AutoencoderModel,
    CnnModel,
    GanModel,
    GptModel,
    MlpModel,
    ResnetModel,
    TorchModel,
    TransformerModel,
)
from lampyris_build.recipe.recipe import Recipe, TaskName

_TASKS: Final[dict[type[AnyModel], tuple[TaskName, ...]]] = {
    AutoencoderModel: ("anomaly",),
    GanModel: ("generation",),
    GptModel: ("language",),
    TransformerModel: ("classification", "regression"),
}
_MIRRORING: Final = (MlpModel, CnnModel, ResnetModel, TorchModel)


def check_purposes(recipe: Recipe) -> None:
    """Make sure that the model, and every student of it, is for the recipe's task, and for mirror images.

    Raises: InvalidRecipe.
    """
    if recipe.export.mirror and not (
        isinstance(recipe.model, _MIRRORING) and recipe.task in {"classification", "regression"}
    ):
        raise InvalidRecipe(
            recipe=recipe.name,
            reason="export.mirror is for networks that learn here to classify pictures or to tell numbers of "
            "them; leave it out.",
        )
    students = [step.student for step in recipe.compression.steps if isinstance(step, Distillation)]
    for model in (recipe.model, *students):
        tasks = _TASKS.get(type(model), (recipe.task,))
        if recipe.task not in tasks:
            raise InvalidRecipe(
                recipe=recipe.name,
                reason=f"model.architecture {model.__struct_config__.tag} is for task {' or '.join(tasks)}, "
                f"not for {recipe.task}.",
            )
