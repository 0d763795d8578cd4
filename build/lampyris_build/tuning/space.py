"""What `[tune.space]` spans: the recipes that differ from one in what stands at some places of it."""

import tomllib
from collections.abc import Iterator
from itertools import product
from math import prod
from typing import Any, Final

import msgspec
from optuna.trial import BaseTrial

from lampyris_build.errors import InvalidRecipe
from lampyris_build.recipe import Recipe
from lampyris_build.recipe.models import Network
from lampyris_build.recipe.reading import recipe_of
from lampyris_build.recipe.tuning import Candidates, Range

# The data are read once, so a place is in what is made of them.
_TABLES: Final = ("model", "training", "augmentation", "compression")


def check_space(recipe: Recipe) -> None:
    """Make sure that every place exists in some model of the space, and can hold all its candidates.

    Raises: InvalidRecipe.
    """
    if not recipe.tune.space:
        raise InvalidRecipe(
            recipe=recipe.name,
            reason="[tune.space] is missing; it says what to compare: "
            '"training.learning_rate" = { low = 1e-3, high = 1e-2, log = true }, or '
            'model = [{ architecture = "mlp" }, { architecture = "cnn" }].',
        )
    bases = [recipe]
    for place, candidates in _places(recipe):
        holding = [one for one in bases if _holds(one, place)]
        if not holding:
            raise InvalidRecipe(recipe=recipe.name, reason=f"tune.space: {_no_such(place)}")
        bases += [_accepted(holding, place, value) for value in _extremes(candidates)]


def draw(recipe: Recipe, trial: BaseTrial) -> Recipe:
    """Let a trial choose at every place that the recipe has, given what was chosen at shorter ones.

    A place inside of "model" is asked only where the model that was chosen has it. Raises: InvalidRecipe if
    what was chosen does not go together.
    """
    for place, candidates in _places(recipe):
        if _holds(recipe, place):
            recipe = changed(recipe, place, _chosen(trial, place, candidates))
    return recipe


def changed(recipe: Recipe, place: str, value: Any) -> Recipe:
    """Put a value at a place. Raises: InvalidRecipe if it cannot stand there."""
    document = tomllib.loads(recipe.to_toml())
    *tables, key = place.split(".")
    inner: Any = document
    for name in tables:
        inner = inner[int(name)] if isinstance(inner, list) else inner[name]
    inner[int(key) if isinstance(inner, list) else key] = value
    try:
        after = recipe_of(document, recipe.name)
    except InvalidRecipe as error:
        raise InvalidRecipe(
            recipe=recipe.name, reason=f"with {place} = {_text(value)}, {error.reason}"
        ) from None
    return after if isinstance(after.model, Network) else msgspec.structs.replace(after, training=None)


def combinations(recipe: Recipe) -> Iterator[dict[str, str]] | None:
    """Yield every combination, if no place has a range and they are no more than the trials; else None."""
    lists = {place: [_text(one) for one in held] for place, held in _places(recipe) if isinstance(held, list)}
    if len(lists) < len(recipe.tune.space) or prod(map(len, lists.values())) > recipe.tune.trials:
        return None
    return (dict(zip(lists, choice, strict=True)) for choice in product(*lists.values()))


def told(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return what a trial chose, by place: numbers, and values of the recipe's own kind."""
    return {
        place: msgspec.json.decode(value) if isinstance(value, str) else value
        for place, value in parameters.items()
    }


def _places(recipe: Recipe) -> list[tuple[str, Candidates]]:
    """Return the outer places first: what stands there decides which inner ones exist."""
    return sorted(recipe.tune.space.items(), key=lambda item: item[0].count("."))


def _chosen(trial: BaseTrial, place: str, candidates: Candidates) -> Any:
    match candidates:
        case Range(whole=True):
            return trial.suggest_int(place, int(candidates.low), int(candidates.high), log=candidates.log)
        case Range():
            return trial.suggest_float(place, candidates.low, candidates.high, log=candidates.log)
        case _:
            return msgspec.json.decode(trial.suggest_categorical(place, [_text(one) for one in candidates]))


def _extremes(candidates: Candidates) -> list[Any]:
    if isinstance(candidates, list):
        return candidates
    number = int if candidates.whole else float
    return [number(candidates.low), number(candidates.high)]


def _accepted(holding: list[Recipe], place: str, value: Any) -> Recipe:
    """Put a value into the first recipe that takes it. Raises: InvalidRecipe, if none does."""
    refusals = []
    for one in holding:
        try:
            return changed(one, place, value)
        except InvalidRecipe as error:
            refusals.append(error)
    raise refusals[0]


def _holds(recipe: Recipe, place: str) -> bool:
    inner: Any = recipe
    *tables, key = place.split(".")
    if (tables or [key])[0] not in _TABLES:
        return False
    for name in tables:
        if not _has(inner, name):
            return False
        inner = _inside(inner, name)
    # A free table, such as options of an optimizer, may get a key that it has not got.
    return isinstance(inner, dict) or _has(inner, key)


def _has(inner: Any, name: str) -> bool:
    match inner:
        case msgspec.Struct():
            return name in inner.__struct_fields__
        case dict():
            return name in inner
        case tuple():
            return name.isdecimal() and int(name) < len(inner)
        case _:
            return False


def _inside(inner: Any, name: str) -> Any:
    match inner:
        case dict():
            return inner[name]
        case tuple():
            return inner[int(name)]
        case _:
            return getattr(inner, name)


def _no_such(place: str) -> str:
    if place.partition(".")[0] not in _TABLES:
        return f"{place!r} is in none of the tables that can be compared: {', '.join(_TABLES)}."
    if place == "model.architecture":
        return 'models are compared as whole tables: model = [{ architecture = "mlp" }, …].'
    return (
        f"there is no {place!r} in the recipe, nor in any model of the space. A place is a key with the "
        'tables around it, in quotes: "training.learning_rate".'
    )


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()
