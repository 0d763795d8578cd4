"""Lists, a page at a time."""

import re
from typing import Annotated, Generic, TypeVar

import msgspec

from lampyris.errors import MalformedRequest

T = TypeVar("T")

_NUMBER = re.compile("[0-9]{1,18}")  # as many digits as any version, revision or entry will ever have


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """Some of a list; `next` is the `after` of the page that follows, null on the last one."""

    items: tuple[T, ...]
    next: str | None = None


class PageArguments(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of a list."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=1000, description="How many items, at most.")] = 100
    after: Annotated[str | None, msgspec.Meta(description="Where to go on: `next` of the page before.")] = (
        None
    )

    def number_after(self) -> int | None:
        """Read `after` where a list is numbered. Raises: MalformedRequest."""
        if self.after is None:
            return None
        if not _NUMBER.fullmatch(self.after):
            raise MalformedRequest(
                reason=f"after is {self.after[:80]!r}; use `next` of the page before, which is a number here."
            )
        return int(self.after)
