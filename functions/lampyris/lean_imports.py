"""Import a library without those of its modules that only people and type checkers read."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

# msgspec asks for it, and takes what typing has since Python 3.11 where it is not there: 15 ms.
MSGSPEC = "typing_extensions"
# numpy's docstrings, and the types of its annotations: an eighth of `import onnxruntime`.
NUMPY = ("numpy._core._add_newdocs", "numpy._core._add_newdocs_scalars", "numpy._typing")


class _AnyType(type):
    def __getitem__(cls, parameters: object) -> type:
        """Stand for `NDArray[…]`, whatever its parameters."""
        return cls


class _Type(metaclass=_AnyType):
    """Stands for any type that an annotation names."""


class _Placeholder(ModuleType):
    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Type


@contextmanager
def without(*modules: str) -> Iterator[None]:
    """Put placeholders in the place of modules; afterwards whoever imports one gets the real one."""
    absent = [name for name in modules if name not in sys.modules]
    for name in absent:
        sys.modules[name] = _Placeholder(name)
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


@contextmanager
def hiding(module: str) -> Iterator[None]:
    """Let whoever imports a module find that it is not installed; afterwards it is there again."""
    is_absent = module not in sys.modules
    if is_absent:
        sys.modules[module] = None  # type: ignore[assignment]  # how Python writes down that there is none
    try:
        yield
    finally:
        if is_absent:
            del sys.modules[module]
