"""What a build reads: a TOML file that names the data, the model, and what must hold of the result.

Importing this module imports no torch, so that a mistake in a recipe is told at once.
"""

import difflib
import hashlib
import json
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from lampyris.domain.bundle import Gates, Licence, Share
from lampyris.domain.names import check_model_name
from lampyris.errors import InvalidName
from lampyris_build.errors import InvalidRecipe

Count = Annotated[int, msgspec.Meta(ge=1)]
Positive = Annotated[float, msgspec.Meta(gt=0, le=1e6)]
Fraction = Annotated[float, msgspec.Meta(gt=0, lt=1)]
Precision = Literal["fp32", "int8"]
Seed = Annotated[int, msgspec.Meta(ge=0, lt=2**32)]
# How msgspec tells of the only pattern that a recipe has: `Licence`.
_PATTERN = re.compile(r"str matching regex '.*'")


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class _Dataset(_Section, frozen=True, kw_only=True, tag_field="source"):
    """How a source is divided, class by class.

    `test_fraction` is taken first, unless the source comes with a test set of its own; `validation_fraction`
    is taken from what is left.
    """

    test_fraction: Fraction = 0.2
    validation_fraction: Fraction = 0.1


class SklearnDataset(_Dataset, frozen=True, kw_only=True, tag="sklearn"):
    """A dataset that scikit-learn carries: no download."""

    name: Literal["digits", "iris", "wine", "breast_cancer"]


class IdxDataset(_Dataset, frozen=True, kw_only=True, tag="idx"):
    """A folder with MNIST's four files, gzipped or not."""

    path: str


class ImagesDataset(_Dataset, frozen=True, kw_only=True, tag="images"):
    """A folder, or a zip of one: [train|test/]class/picture.png. All are brought to one size.

    `height` and `width` default to those of the first picture.
    """

    path: str
    height: Count | None = None
    width: Count | None = None
    channels: Literal[1, 3] = 3


class NpzDataset(_Dataset, frozen=True, kw_only=True, tag="npz"):
    """numpy arrays: x_train, y_train and, if there is a test set, x_test, y_test."""

    path: str


class CnnModel(_Section, frozen=True, kw_only=True, tag_field="architecture", tag="cnn"):
    """One 3 x 3 convolution for each of `channels`, each halving the picture, and one hidden layer."""

    channels: Annotated[tuple[Count, ...], msgspec.Meta(min_length=1)] = (16, 32)
    hidden: Count = 128
    dropout: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.0


class MlpModel(_Section, frozen=True, kw_only=True, tag_field="architecture", tag="mlp"):
    """Fully connected layers; `hidden` holds the width of each."""

    hidden: tuple[Count, ...] = (64, 64)
    dropout: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.0


class Training(_Section, frozen=True, kw_only=True):
    """How the weights are found. `learning_rate` is the highest that the schedule reaches."""

    epochs: Count
    batch_size: Annotated[int, msgspec.Meta(ge=2)] = 64
    optimizer: Literal["Adam", "AdamW", "NAdam", "RAdam", "SGD"] = "AdamW"
    learning_rate: Positive = 1e-3
    weight_decay: Annotated[float, msgspec.Meta(ge=0, le=1e6)] = 0.01
    schedule: Literal["one-cycle", "cosine", "constant"] = "one-cycle"


class Compression(_Section, frozen=True, kw_only=True):
    """`max_accuracy_drop` is a share of the test set: 0.003 allows 0.3 percentage points."""

    precision: Precision = "int8"
    calibration_samples: Count = 512
    max_accuracy_drop: Share = 0.01


class Export(_Section, frozen=True, kw_only=True):
    """What the exported model must hold.

    `tolerance` is the largest difference in any probability between torch and onnxruntime.
    """

    tolerance: Positive = 1e-4
    min_accuracy: Share = 0.0


class Recipe(_Section, frozen=True, kw_only=True):
    """A whole build. `name` is what the model will be called; the same `seed` gives the same metrics.

    `licences` are the model's, as SPDX identifiers. `gates` are held against what publishing measures.
    """

    name: str
    seed: Seed = 0
    licences: tuple[Licence, ...] = ()
    dataset: SklearnDataset | IdxDataset | ImagesDataset | NpzDataset
    model: CnnModel | MlpModel
    training: Training
    compression: Compression = Compression()
    export: Export = Export()
    gates: Gates = Gates()

    def to_toml(self) -> str:
        """Write the recipe out, with every default; reading it back gives an equal recipe."""
        fields = msgspec.to_builtins(self)
        lines = [_assignment(key, value) for key, value in fields.items() if not isinstance(value, dict)]
        for section, table in fields.items():
            if isinstance(table, dict):
                lines += ["", f"[{section}]"]
                lines += [_assignment(key, value) for key, value in table.items() if value is not None]
        return "\n".join(lines) + "\n"

    @property
    def digest(self) -> str:
        """Name this recipe: the SHA-256 of what `to_toml` writes."""
        return hashlib.sha256(self.to_toml().encode()).hexdigest()


def _assignment(key: str, value: Any) -> str:
    # JSON's strings, numbers and arrays of those are TOML's too.
    return f"{key} = {json.dumps(value, ensure_ascii=False)}"


def load_recipe(path: Path, *, data: str | None = None) -> Recipe:
    """Read a recipe; `data` stands in for the dataset's path.

    Raises: InvalidRecipe with what is wrong and what would be right.
    """

    def invalid(reason: str) -> InvalidRecipe:
        return InvalidRecipe(recipe=str(path), reason=reason)

    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise invalid("there is no such file.") from None
    except OSError as error:
        raise invalid(f"it cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise invalid(f"it is not TOML: {error}.") from None
    if data is not None and isinstance(document.get("dataset"), dict):
        if document["dataset"].get("source") == SklearnDataset.__struct_config__.tag:
            raise invalid("dataset.source is sklearn, which reads no files: no other data can stand in.")
        document["dataset"]["path"] = data
    problem = _misspelt(Recipe, document, "")
    if problem is not None:
        raise invalid(problem)
    try:
        recipe = msgspec.convert(document, Recipe)
        check_model_name(recipe.name)
    except msgspec.ValidationError as error:
        raise invalid(_told(str(error))) from None
    except InvalidName as error:
        raise invalid(f"name: {error}") from None
    return recipe


def _misspelt(kind: Any, table: dict[str, Any], section: str) -> str | None:
    """Find the first key, or the first choice among words, that does not exist; say which is nearest."""
    where = f"in [{section}]" if section else "at the top"
    prefix = f"{section}." if section else ""
    variants = {variant.__struct_config__.tag: variant for variant in get_args(kind) or (kind,)}
    config = next(iter(variants.values())).__struct_config__
    if config.tag_field is not None:
        choice = table.get(config.tag_field)
        if choice not in list(variants):
            came = "is missing" if choice is None else f"is {choice!r}"
            return f"{prefix}{config.tag_field} {came}; {_choices(choice, list(variants))}"
        kind = variants[choice]
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
    for key, value in table.items():
        if key == config.tag_field:
            continue
        if key not in fields:
            known = [*fields, config.tag_field] if config.tag_field else list(fields)
            return f"there is no {key!r} {where}; {_choices(key, known)}"
        if get_origin(fields[key]) is Literal and value not in get_args(fields[key]):
            return f"{prefix}{key} is {value!r}; {_choices(value, list(get_args(fields[key])))}"
        if isinstance(value, dict) and not section:
            problem = _misspelt(fields[key], value, key) if _is_section(fields[key]) else None
            if problem is not None:
                return problem
    return None


def _is_section(kind: Any) -> bool:
    return all(isinstance(one, type) and issubclass(one, msgspec.Struct) for one in get_args(kind) or (kind,))


def _choices(came: Any, valid: list[Any]) -> str:
    words = {str(choice).casefold(): choice for choice in valid}
    nearest = difflib.get_close_matches(str(came).casefold(), words, n=1)
    hint = f"did you mean {words[nearest[0]]!r}? " if nearest else ""
    return f"{hint}{'It' if hint else 'it'} can be {', '.join(map(str, valid))}."


def _told(message: str) -> str:
    """Turn msgspec's sentence ("Expected `int` >= 1 - at `$.training.epochs`") into ours."""
    what, _, path = message.replace("`", "").partition(" - at $")
    sentence = what[0].lower() + what[1:]
    sentence = sentence.replace("object missing required field", "this key is missing:")
    sentence = sentence.replace("object", "a table").replace(" | null", "")
    sentence = _PATTERN.sub("an SPDX identifier, such as MIT or Apache-2.0", sentence)
    where = path.removeprefix(".")
    return f"{where}: {sentence}." if where else f"{sentence}."
