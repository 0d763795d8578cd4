"""A resource's properties, each resolved when it is asked for."""

from collections.abc import Callable, Mapping
from typing import Any

from lampyris_local.cloud.intrinsics import NO_VALUE, TemplateError, is_function, text


class Properties:
    """Typed access to one resource's properties.

    A property that nobody asks for is never resolved: it may hold functions that only AWS can evaluate.
    """

    def __init__(self, owner: str, raw: Mapping[str, Any], resolve: Callable[[Any], Any]) -> None:
        self.owner = owner
        self._raw = raw
        self._resolve = resolve

    def __contains__(self, key: str) -> bool:
        return self.get(key) is not None

    def get(self, key: str) -> Any:
        value = self._resolve(self._raw.get(key))
        return None if value is NO_VALUE else value

    def text(self, key: str, default: str | None = None) -> str:
        value = self.get(key)
        if value is None:
            if default is None:
                raise TemplateError(f"{self.owner} has no {key}; it needs one.")
            return default
        if isinstance(value, Mapping | list):
            raise TemplateError(f"{self.owner}: {key} must be text, not {value!r}.")
        return text(value)

    def integer(self, key: str, default: int) -> int:
        value = self.get(key)
        if value is None:
            return default
        try:
            return int(value)
        except (TypeError, ValueError):
            raise TemplateError(f"{self.owner}: {key} must be a whole number, not {value!r}.") from None

    def part(self, key: str) -> "Properties":
        """Return a property that is a map as properties of their own."""
        return self._within(f"{self.owner}, {key}", self._raw.get(key))

    def parts(self, key: str) -> list["Properties"]:
        """Return a property that is a list of maps as properties of their own."""
        raw = self._raw.get(key)
        each = raw if isinstance(raw, list) else self.sequence(key)
        return [self._within(f"{self.owner}, {key}", one) for one in each]

    def _within(self, owner: str, raw: Any) -> "Properties":
        """Put off resolving what is written out here; what a function makes is resolved now."""
        if isinstance(raw, Mapping) and not is_function(raw):
            return Properties(owner, raw, self._resolve)
        made = Properties(owner, {"": raw}, self._resolve).mapping("")
        return Properties(owner, made, lambda value: value)

    def mapping(self, key: str) -> Mapping[str, Any]:
        value = self.get(key)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise TemplateError(f"{self.owner}: {key} must be a map, not {value!r}.")
        return value

    def sequence(self, key: str) -> list[Any]:
        value = self.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise TemplateError(f"{self.owner}: {key} must be a list, not {value!r}.")
        return value
