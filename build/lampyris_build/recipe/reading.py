"""From a TOML file to a recipe, or to a sentence that says what is wrong in it and what would be right."""

import difflib
import re
import tomllib
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from lampyris.domain.names import check_model_name
from lampyris.errors import InvalidName
from lampyris_build.errors import InvalidRecipe
from lampyris_build.recipe.recipe import Recipe

# How msgspec tells of patterns; the sentence says what they mean.
_PATTERNS = {
    re.compile(r"str matching regex '\^\[A-Za-z0-9\].*'"): "an SPDX identifier, such as MIT or Apache-2.0",
    re.compile(r"str matching regex '\^\[0-9a-f\].*'"): "a SHA-256 as 64 hexadecimal digits in lower case",
    re.compile(r"str matching regex '\^\[\\\\w\..*'"): "package.module:Name",
}
_Table = dict[str, Any]


def load_recipe(path: Path, *, data: str | None = None) -> Recipe:
    """Read a recipe; `data` stands in for the dataset's path.

    Raises: InvalidRecipe with what is wrong and what would be right.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise _invalid(path, "there is no such file.") from None
    except OSError as error:
        raise _invalid(path, f"it cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        raise _invalid(path, f"it is not TOML: {error}.") from None
    return read_recipe(text, path, data=data)


def read_recipe(text: str, path: Path | str, *, data: str | None = None, sha256: str | None = None) -> Recipe:
    """Read the text of a recipe, which errors call `path`; `data` and its SHA-256 replace the dataset's.

    Raises: InvalidRecipe.
    """
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a number too long, or tables too deep, among them
        raise _invalid(path, f"it is not TOML: {error}.") from None
    if data is not None:
        _replace_path(path, document, data, sha256)
    return recipe_of(document, path)


def recipe_of(document: _Table, path: Path | str) -> Recipe:
    """Turn a recipe's tables into a recipe; `path` is what the error calls it. Raises: InvalidRecipe."""
    problem = _misspelt(Recipe, document, "")
    if problem is not None:
        raise _invalid(path, problem)
    try:
        recipe = msgspec.convert(document, Recipe)
        check_model_name(recipe.name)
    except msgspec.ValidationError as error:
        raise _invalid(path, _told(str(error))) from None
    except InvalidName as error:
        raise _invalid(path, f"name: {error}") from None
    return recipe


def _invalid(path: Path | str, reason: str) -> InvalidRecipe:
    return InvalidRecipe(recipe=str(path), reason=reason)


def _replace_path(path: Path | str, document: _Table, data: str, sha256: str | None) -> None:
    match document.get("dataset"):
        case {"source": "sklearn"}:
            told = "dataset.source is sklearn, which reads no files: no other data can stand in."
            raise _invalid(path, told)
        case dict() as dataset:
            dataset["path"] = data
            dataset.pop("sha256", None)  # of the data that they replace
            if sha256 is not None:
                dataset["sha256"] = sha256
        case list() as several:
            told = f"it names {len(several)} datasets; one path cannot stand in for all."
            raise _invalid(path, told)


def _misspelt(kind: Any, value: Any, where: str) -> str | None:
    """Find the first key, or the first choice among words, that does not exist; say which is nearest."""
    if isinstance(value, list):
        items = [item for one in _flat(kind) if get_origin(one) is tuple for item in get_args(one)[:1]]
        return _first(
            _misspelt(item, one, f"{where}[{at}]") for item in items for at, one in enumerate(value)
        )
    variants = {one.__struct_config__.tag: one for one in _flat(kind) if _is_section(one)}
    if not isinstance(value, dict) or not variants:
        return None
    tag_field = next(iter(variants.values())).__struct_config__.tag_field
    prefix = f"{where}." if where else ""
    chosen = next(iter(variants.values()))
    if tag_field is not None:
        choice = value.get(tag_field)
        if not isinstance(choice, str) or choice not in variants:
            came = "is missing" if choice is None else f"is {choice!r}"
            return f"{prefix}{tag_field} {came}; {_choices(choice, list(variants))}"
        chosen = variants[choice]
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(chosen)}
    for key, item in value.items():
        if key == tag_field:
            continue
        if key not in fields:
            known = [*fields, tag_field] if tag_field else list(fields)
            return f"there is no {key!r} {f'in [{where}]' if where else 'at the top'}; {_choices(key, known)}"
        words = [word for one in _flat(fields[key]) if get_origin(one) is Literal for word in get_args(one)]
        if words and item not in words:
            return f"{prefix}{key} is {item!r}; {_choices(item, words)}"
        problem = _misspelt(fields[key], item, f"{prefix}{key}")
        if problem is not None:
            return problem
    return None


def _first(problems: Iterator[str | None]) -> str | None:
    return next((problem for problem in problems if problem is not None), None)


def _flat(kind: Any) -> Iterator[Any]:
    """Yield the alternatives of a type, without what annotates them."""
    if get_origin(kind) is Annotated:
        yield from _flat(get_args(kind)[0])
    elif get_origin(kind) in {Union, types.UnionType}:
        for one in get_args(kind):
            yield from _flat(one)
    else:
        yield kind


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


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
    for pattern, meaning in _PATTERNS.items():
        sentence = pattern.sub(meaning, sentence)
    where = path.removeprefix(".")
    return f"{where}: {sentence}." if where else f"{sentence}."
