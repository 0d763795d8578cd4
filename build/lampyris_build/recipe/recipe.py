"""A whole recipe."""

import hashlib
from typing import Literal

import msgspec

from lampyris.domain.bundle import Gates, Licence, Share
from lampyris_build.recipe.compression import Compression
from lampyris_build.recipe.models import AnyModel
from lampyris_build.recipe.section import Positive, Section, Seed
from lampyris_build.recipe.sources import AnySource, Augmentation, Cleaning, Split, Window
from lampyris_build.recipe.training import Training
from lampyris_build.recipe.tuning import Evaluation, Tune

TaskName = Literal["classification", "regression", "anomaly", "generation", "language"]


class Export(Section, frozen=True, kw_only=True):
    """What the exported model must hold.

    `tolerance` is the largest difference in any output between the framework that made the model and
    onnxruntime. `min_score` is the least that what ships may score. With `mirror` a network answers with the
    mean over a picture and its mirror image: more often right, and in twice the time.
    """

    tolerance: Positive = 1e-4
    min_score: Share = 0.0
    mirror: bool = False


class Recipe(Section, frozen=True, kw_only=True):
    """A whole build. `name` is what the model will be called; the same `seed` gives the same metrics.

    `licences` are the model's, as SPDX identifiers. `gates` are held against what publishing measures.
    A *score* is 1 at best: accuracy in classification, R² in regression; each task says its own.
    """

    name: str
    task: TaskName = "classification"
    seed: Seed = 0
    licences: tuple[Licence, ...] = ()
    dataset: AnySource | tuple[AnySource, ...]
    cleaning: Cleaning = Cleaning()
    window: Window | None = None
    split: Split = Split()
    augmentation: Augmentation = Augmentation()
    model: AnyModel
    training: Training | None = None
    evaluation: Evaluation = Evaluation()
    compression: Compression = Compression()
    export: Export = Export()
    gates: Gates = Gates()
    tune: Tune = Tune()

    @property
    def sources(self) -> tuple[AnySource, ...]:
        return self.dataset if isinstance(self.dataset, tuple) else (self.dataset,)

    def to_toml(self) -> str:
        """Write the recipe out, with every default; reading it back gives an equal recipe."""
        return msgspec.toml.encode(_without_none(msgspec.to_builtins(self))).decode()

    @property
    def digest(self) -> str:
        """Name this recipe: the SHA-256 of what `to_toml` writes."""
        return hashlib.sha256(self.to_toml().encode()).hexdigest()


def _without_none(value: object) -> object:
    """Drop what is not set: TOML has no word for it."""
    match value:
        case dict():
            return {key: _without_none(item) for key, item in value.items() if item is not None}
        case list() | tuple():
            return [_without_none(item) for item in value]
        case _:
            return value
