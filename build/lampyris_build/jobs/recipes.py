"""A recipe as a job has it: its data are in the bucket, and its code is what the worker has.

Who may ask for a job may not, by that, read the worker's disk or run programs there.
"""

import importlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

import msgspec

from lampyris.errors import MalformedRequest
from lampyris.jobs.specs import input_key, with_digest
from lampyris_build.errors import InvalidRecipe
from lampyris_build.recipe import Recipe, read_recipe
from lampyris_build.recipe.models import (
    HuggingFaceModel,
    KerasModel,
    OnnxModel,
    SklearnModel,
    TorchModel,
)
from lampyris_build.recipe.sources import FileSource, NpySource

# The packages of the image whose estimators a recipe may name.
_ESTIMATORS: Final = "sklearn"
# Each part is a job, which costs several messages and a document; their parent reads them all.
_MOST_PARTS: Final = 1000
_OWN: Final = "Build it with `lampyris build` on your machine, and publish the bundle."


def recipe_of_job(text: str, data: str | None, *, bucket: str) -> Recipe:
    """Read a job's recipe; `data` is a key in the bucket, or an address with its SHA-256.

    Raises: InvalidRecipe.
    """
    path, sha256 = None, None
    if data is not None:
        path, sha256 = with_digest(data) or (f"s3://{bucket}/{data}", None)
    recipe = read_recipe(text, "of this job", data=path, sha256=sha256)
    check_for_job(recipe, bucket=bucket)
    return recipe


def check_for_job(recipe: Recipe, *, bucket: str) -> None:
    """Refuse what a worker does not read or run. Raises: InvalidRecipe."""
    for section in _sections(recipe):
        match section:
            case TorchModel():
                raise _own(recipe, f"model.module {section.module!r} is code of your own, which no job runs.")
            case OnnxModel() | KerasModel() | HuggingFaceModel():
                raise _own(recipe, f"model.path {section.path!r} is a file of your own machine.")
            case SklearnModel():
                _check_estimator(recipe, section.estimator)
            case FileSource():
                _check_place(recipe, "dataset.path", section.path, bucket)
                if isinstance(section, NpySource) and section.targets is not None:
                    _check_place(recipe, "dataset.targets", section.targets, bucket)


def check_parts(recipe: Recipe, key: str, parts: int) -> None:
    """Raises: InvalidRecipe if a job would have more parts than one may."""
    if parts > _MOST_PARTS:
        raise InvalidRecipe(
            recipe=recipe.name, reason=f"{key} is {parts:,}; a job has {_MOST_PARTS:,} parts at most."
        )


def _sections(value: Any) -> Iterator[msgspec.Struct]:
    match value:
        case msgspec.Struct():
            yield value
            for name in value.__struct_fields__:
                yield from _sections(getattr(value, name))
        case tuple() | list():
            for one in value:
                yield from _sections(one)


def _check_place(recipe: Recipe, key: str, place: str, bucket: str) -> None:
    if place.startswith("https://"):
        return
    with suppress(MalformedRequest):
        if place.startswith("s3://"):  # all else is a place on this disk
            input_key(place, key, bucket)
            return
    raise InvalidRecipe(
        recipe=recipe.name,
        reason=f"{key} is {_shown(place, bucket)!r}, which no job reads; it can be https://…, or stand "
        "below data/ in the deployment's bucket (POST /data puts it there).",
    )


def _shown(place: str, bucket: str) -> str:
    return place.replace(f"s3://{bucket}/", "")


def _check_estimator(recipe: Recipe, reference: str) -> None:
    """Raises: InvalidRecipe if it is no class of the image's that is an estimator."""
    name, _, attribute = reference.partition(":")
    if name.partition(".")[0] != _ESTIMATORS:
        raise _own(recipe, f"model.estimator {reference!r} is code of your own, which no job runs.")
    from sklearn.base import BaseEstimator  # noqa: PLC0415 - most recipes name none

    try:
        found = getattr(importlib.import_module(name), attribute, None)
    except ImportError:
        found = None
    if not isinstance(found, type) or not issubclass(found, BaseEstimator):
        raise InvalidRecipe(
            recipe=recipe.name,
            reason=f"model.estimator {reference!r} is no estimator of scikit-learn's, such as "
            "sklearn.ensemble:ExtraTreesClassifier.",
        )


def _own(recipe: Recipe, reason: str) -> InvalidRecipe:
    return InvalidRecipe(recipe=recipe.name, reason=f"{reason} {_OWN}")
