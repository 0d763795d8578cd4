"""What a verification has found so far."""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from lampyris.domain.sealed import Sealed, unseal
from lampyris.domain.store import Store
from lampyris.errors import DocumentDamaged, ObjectNotFound

T = TypeVar("T")

MISSING = "is missing"
ALTERED = "was altered: it does not have its digest"
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

    def note(self, key: str, problem: str, *, number: int | None = None) -> None:
        """Note that something was altered or removed."""
        self.found.append(Finding(number=number, key=key, problem=problem))

    def note_pending(self, key: str) -> None:
        """Note that somebody was interrupted."""
        problem = "was made by somebody who was interrupted: the audit will tell of it at the next change"
        self.pending.append(Finding(key=key, problem=problem))

    def read(
        self, key: str, decode: Callable[[Sealed], T], *, number: int | None = None
    ) -> tuple[T, str] | tuple[None, None]:
        """Read a document and its digest; neither, and a finding, if it is missing or altered."""
        try:
            sealed = unseal(self.store.get(key).data)
            return decode(sealed), sealed.digest
        except ObjectNotFound:
            self.note(key, MISSING, number=number)
        except DocumentDamaged:
            self.note(key, ALTERED, number=number)
        return None, None

    def stands(self, key: str) -> bool:
        """Tell whether there is anything at all."""
        try:
            self.store.size_bytes(key)
        except ObjectNotFound:
            return False
        return True
