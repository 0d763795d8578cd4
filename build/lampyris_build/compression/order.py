"""In which order steps can be taken, and by which models."""

from collections.abc import Sequence

from lampyris_build.errors import InvalidRecipe
from lampyris_build.recipe import Recipe
from lampyris_build.recipe.compression import AnyStep, NetworkStep, QuantizationAwareTraining, StaticInt8


def check_steps(recipe: Recipe) -> None:
    """Make sure that the recipe's steps can follow one another, before anything is trained.

    Raises: InvalidRecipe.
    """
    steps = recipe.compression.steps
    names = [str(step.__struct_config__.tag) for step in steps]
    for place, (step, name) in enumerate(zip(steps, names, strict=True)):
        if not isinstance(step, NetworkStep):
            continue
        if recipe.training is None:
            raise _invalid(recipe, f"{name} trains a network, and this model is none that is trained here")
        if recipe.task == "generation":
            raise _invalid(recipe, f"{name} trains one network, and a GAN has two that depend on each other")
        earlier = [
            other
            for before, other in zip(steps[:place], names, strict=False)
            if not isinstance(before, NetworkStep)
        ]
        if earlier:
            raise _invalid(
                recipe, f"{name} trains a network, which {earlier[0]} leaves none of; put it first"
            )
        if isinstance(step, QuantizationAwareTraining) and not _rounds_by_channel(steps[place + 1 :]):
            raise _invalid(recipe, f"{name} prepares for static-int8 per channel, which must come next")


def _rounds_by_channel(steps: Sequence[AnyStep]) -> bool:
    return any(isinstance(step, StaticInt8) and step.per_channel for step in steps[:1])


def _invalid(recipe: Recipe, reason: str) -> InvalidRecipe:
    return InvalidRecipe(recipe=recipe.name, reason=f"compression.steps: {reason}.")
