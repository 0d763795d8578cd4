"""Classes and functions that a recipe names, and the options that it gives them."""

import difflib
import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from lampyris_build.errors import InvalidRecipe

T = TypeVar("T")


def find(key: str, name: str, choices: Mapping[str, T]) -> T:
    """Return the choice of that name. Raises: InvalidRecipe with the names that are near, and all of them."""
    if name not in choices:
        raise InvalidRecipe(reason=f"{key} is {name!r}; {_hint(name, choices)}")
    return choices[name]


def check_options(key: str, given: Collection[str], what: str, accepted: Collection[str]) -> None:
    """Refuse options that `what` does not take. Raises: InvalidRecipe."""
    for option in given:
        if option not in accepted:
            raise InvalidRecipe(
                reason=f"{key} has {option!r}, which {what} does not take; {_hint(option, accepted)}"
            )


def options_of(kind: Callable[..., Any], *, but: Collection[str] = ()) -> list[str]:
    """List the arguments of a class or function that a recipe may give."""
    return [name for name in inspect.signature(kind).parameters if name not in but]


def _hint(came: str, valid: Collection[str]) -> str:
    folded = {choice.casefold(): choice for choice in valid}
    nearest = difflib.get_close_matches(came.casefold(), folded, n=1)
    hint = f"did you mean {folded[nearest[0]]!r}? It" if nearest else "it"
    return f"{hint} can be {', '.join(valid)}." if valid else "it takes none."
