"""What a verification has found so far."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import msgspec

from lampyris.domain.sealed import Sealed, unseal
from lampyris.domain.store import Store
from lampyris.errors import DocumentDamaged, ObjectNotFound
from lampyris.registry.operations import MayGoOn
from lampyris.registry.reading import read_ahead

T = TypeVar("T")
K = TypeVar("K")

MISSING = "is missing"
ALTERED = "was altered: it does not have its digest"
LATER = "is whole, but not of a format that this Lampyris reads"
ELSEWHERE = "is another's document, at this place"
UNTOLD = "was altered: the audit tells of no such document"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is not as it should be: where, and at which number of the audit, if it is about one."""

    number: int | None = None
    key: str
    problem: str


class Findings:
    """Reads documents, and notes what is wrong with them."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.found: list[Finding] = []
        self.pending: list[Finding] = []
        self._ahead: tuple[str, bytes | None] = ("", None)

    def note(self, key: str, problem: str, *, number: int | None = None) -> None:
        """Note that something was altered or removed."""
        self.found.append(Finding(number=number, key=key, problem=problem))

    def note_pending(self, key: str) -> None:
        """Note that somebody was interrupted."""
        problem = "was made by somebody who was interrupted: the audit will tell of it at the next change"
        self.pending.append(Finding(key=key, problem=problem))

    def ahead(self, items: Iterable[K], key_of: Callable[[K], str], may_go_on: MayGoOn) -> Iterator[K]:
        """Yield each item with its document at hand: they are read beside each other. Raises: TimeIsOver."""

        def get(item: K) -> tuple[K, str, bytes | None]:
            return item, key_of(item), self._get(key_of(item))

        for item, key, data in read_ahead(get, items, may_go_on):
            self._ahead = key, data
            yield item

    def read(
        self, key: str, decode: Callable[[Sealed], T], *, number: int | None = None
    ) -> tuple[T, str] | tuple[None, None]:
        """Read a document and its digest; neither, and a finding, if it is missing or cannot be read."""
        data = self._ahead[1] if self._ahead[0] == key else self._get(key)
        if data is None:
            self.note(key, MISSING, number=number)
            return None, None
        try:
            sealed = unseal(data)
            return decode(sealed), sealed.digest
        except DocumentDamaged as error:
            self.note(key, LATER if error.is_whole else ALTERED, number=number)
        return None, None

    def _get(self, key: str) -> bytes | None:
        try:
            return self.store.get(key).data
        except ObjectNotFound:
            return None

    def stands(self, key: str) -> bool:
        """Tell whether there is anything at all."""
        try:
            self.store.size_bytes(key)
        except ObjectNotFound:
            return False
        return True
