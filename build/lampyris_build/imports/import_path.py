"""What a recipe names by its import path: "package.module:name"."""

import difflib
import importlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lampyris_build.errors import InvalidRecipe, in_a_line


def make_object(reference: str, arguments: Mapping[str, Any], key: str) -> Any:
    """Import what `reference` names, and call it; `key` is where the recipe names it.

    The working folder is searched too, and by the command line that of the recipe.

    Raises: InvalidRecipe if it cannot be imported, or fails.
    """
    make = _load(reference, key)
    try:
        return make(**arguments)
    # The user's code runs here, and may raise anything.
    except Exception as error:
        given = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
        raise InvalidRecipe(reason=f"{key} {reference}({given}) fails: {in_a_line(error)}") from error


def _load(reference: str, key: str) -> Any:
    name, _, attribute = reference.partition(":")
    try:
        with _working_folder():
            module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        # The module itself, or one that it imports.
        raise InvalidRecipe(
            reason=f"{key} is {reference!r}, but there is no module {error.name!r}, neither installed nor in "
            f"{Path.cwd()}."
        ) from error
    except Exception as error:  # the user's code runs here, too
        raise InvalidRecipe(
            reason=f"{key} is {reference!r}, which fails to import: {in_a_line(error)}"
        ) from error
    try:
        return getattr(module, attribute)
    except AttributeError:
        nearest = difflib.get_close_matches(attribute, dir(module), n=1)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else "."
        raise InvalidRecipe(reason=f"{key} is {reference!r}, but {name} has no {attribute!r}{hint}") from None


@contextmanager
def _working_folder() -> Iterator[None]:
    """Let modules be found in the working folder, as `python -m` does and an installed program does not."""
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(folder)
