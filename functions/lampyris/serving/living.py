"""Which versions of a model were not deleted. No listing tells, so what was read once is remembered."""

from datetime import datetime

from lampyris.domain.layout import version_of_key, versions_prefix
from lampyris.domain.manifest import Manifest
from lampyris.domain.store import Store
from lampyris.errors import DocumentDamaged, VersionNotFound
from lampyris.registry.documents import find_version

_READERS = 16

# A version's number, and what a listing shows of its document: that of a deleted one has another size.
_Seen = tuple[int, int, datetime]


class Living:
    """Lists versions for one execution environment; each document is read when it is new or has changed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, dict[_Seen, bool]] = {}

    def versions(self, model: str) -> list[int]:
        """Number the versions of a model that can be asked, lowest first; empty if there is no such model.

        Raises: StoreUnavailable.
        """
        seen = [
            (number, entry.size_bytes, entry.modified_at)
            for entry in self._store.list(versions_prefix(model))
            if (number := version_of_key(entry.key)) is not None
        ]
        known = self._known.get(model, {})
        unread = [each for each in seen if each not in known]
        read = dict(zip(unread, self._read(model, unread), strict=True)) if unread else {}
        now = {each: known[each] if each in known else read[each] for each in seen}
        self._known[model] = {each: is_living for each, is_living in now.items() if is_living is not None}
        return sorted(number for (number, _, _), is_living in now.items() if is_living is not False)

    def _read(self, model: str, unread: list[_Seen]) -> list[bool | None]:
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - 10 ms that predictions do without

        with ThreadPoolExecutor(min(_READERS, len(unread))) as readers:
            return list(readers.map(lambda each: self._is_living(model, each[0]), unread))

    def _is_living(self, model: str, version: int) -> bool | None:
        """Tell whether a version was not deleted; None if that cannot be read now, and then it is listed."""
        try:
            return isinstance(find_version(self._store, model, version), Manifest)
        except (VersionNotFound, DocumentDamaged):
            return None
