"""Import a library without those of its modules that only people and type checkers read."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

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
