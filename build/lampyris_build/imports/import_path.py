"""What a recipe names by its import path: "package.module:name"."""

import difflib
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lampyris_build.errors import InvalidRecipe


def load_object(reference: str, key: str) -> Any:
    """Import what `reference` names; `key` is where the recipe does so.

    The working folder is searched too, and by the command line that of the recipe.

    Raises: InvalidRecipe if it cannot be imported.
    """
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
    # The user's code runs here, and may raise anything.
    except Exception as error:
        raise InvalidRecipe(reason=f"{key} is {reference!r}, which fails to import: {told(error)}") from error
    try:
        return getattr(module, attribute)
    except AttributeError:
        nearest = difflib.get_close_matches(attribute, dir(module), n=1)
        hint = f"; did you mean {nearest[0]!r}?" if nearest else "."
        raise InvalidRecipe(reason=f"{key} is {reference!r}, but {name} has no {attribute!r}{hint}") from None


def told(error: Exception) -> str:
    """Tell an error of someone else's code in a line."""
    lines = str(error).strip().split("\n")
    return f"{type(error).__name__}: {lines[0]}".removesuffix(": ")


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
