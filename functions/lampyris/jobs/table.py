"""What jobs need of a table: documents by key, each changed as a whole, and only by who knows what it was."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

JOBS_LIST = "jobs"


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """A document as it was read; `revision` is what `replace` compares."""

    key: str
    data: bytes
    revision: int


class Table(Protocol):
    """Documents by key. Whoever has written reads what was written, and no two writings pass each other.

    A document may stand in one list, at a place that its maker chooses (`listed` is the list's name and that
    place); what a list shows may be a little behind.

    Every method may raise TableUnavailable: then the call has taken effect, or has not, or still may.
    """

    def get(self, key: str) -> Item:
        """Read a document, the latest. Raises: ItemNotFound."""
        ...

    def create(self, key: str, data: bytes, listed: tuple[str, str] | None = None) -> Item:
        """Write a document where none stands.

        Raises: ItemExists, also if it is this very writing whose first answer was lost.
        """
        ...

    def replace(self, item: Item, data: bytes) -> Item:
        """Write a document over the one that was read; where it is listed does not change.

        Raises: ItemChanged, also if it is this very writing that changed it.
        """
        ...

    def delete(self, item: Item) -> None:
        """Delete a document if it is still the one that was read. Raises: ItemChanged."""
        ...

    def list(self, name: str, *, limit: int, before: str | None = None) -> Sequence[Item]:
        """Return documents of a list, the last place first; `before` is a place to go on behind."""
        ...
