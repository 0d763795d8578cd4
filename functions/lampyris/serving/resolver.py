"""From a name to the version that answers. A warm environment reads an alias again after some seconds."""

from collections.abc import Callable
from contextlib import suppress
from math import inf
from threading import Lock, Thread
from typing import TypeVar

import msgspec

from lampyris.domain.layout import alias_key
from lampyris.domain.manifest import Alias, Manifest
from lampyris.domain.names import LIVE, check_alias_name, check_model_name
from lampyris.domain.store import Store
from lampyris.domain.traffic import pick
from lampyris.errors import NotFound, ObjectNotFound, VersionNotFound
from lampyris.registry.documents import decode_alias, read_alias, read_version

_MAX_VERSION_DIGITS = 9
# As many documents are kept as an environment could ever serve; callers choose which.
_KEPT = 512
# How long a request waits for news of an alias that it knows, and how long none asks again when none came.
_PATIENCE_S = 1.0
_BACK_OFF_S = 5.0

K = TypeVar("K")
V = TypeVar("V")


class _Known(msgspec.Struct, frozen=True, kw_only=True):
    alias: Alias
    etag: str
    fresh_until_s: float


class Resolver:
    """Answers which manifest a request means, from memory where that is fresh enough.

    `stale_refreshes` counts how often an alias could not be read again, and the last good one served on.
    """

    def __init__(
        self,
        store: Store,
        *,
        alias_ttl_s: float,
        clock: Callable[[], float],
        random: Callable[[], float],
        patience_s: float = _PATIENCE_S,
    ) -> None:
        self._store = store
        self._alias_ttl_s = alias_ttl_s
        self._clock = clock
        self._random = random
        self._patience_s = patience_s
        self._aliases: dict[tuple[str, str], _Known] = {}
        self._versions: dict[tuple[str, int], Manifest] = {}
        self._guard = Lock()
        self.stale_refreshes = 0

    def resolve(self, model: str, version: str = LIVE) -> Manifest:
        """Return the manifest behind `version`: a number, or the name of an alias.

        Raises: ModelNotFound, VersionNotFound, AliasNotFound, InvalidName; StoreUnavailable if nothing
        is known yet.
        """
        known = self._aliases.get((model, version))
        if known is None:
            check_model_name(model)
            if version.isdecimal() and version.isascii():
                return self._version(model, version)
            asked_s = self._clock()
            found = read_alias(self._store, model, check_alias_name(version))
            known = self._learn((model, version), *found, asked_s)
        elif self._clock() >= known.fresh_until_s:
            known = self._refresh((model, version), known)
        return pick(known.alias.routes, self._random)

    def expire(self) -> None:
        """Trust no alias any longer without reading it again: time has passed that no clock here saw."""
        with self._guard:
            for key, known in self._aliases.items():
                self._aliases[key] = msgspec.structs.replace(known, fresh_until_s=-inf)

    def _version(self, model: str, digits: str) -> Manifest:
        if len(digits) > _MAX_VERSION_DIGITS or digits != str(int(digits)):
            raise VersionNotFound(model=model, version=digits)
        key = (model, int(digits))
        manifest = self._versions.get(key)
        if manifest is None:
            manifest = read_version(self._store, *key)
            self._keep(self._versions, key, manifest)
        return manifest

    def _learn(self, key: tuple[str, str], alias: Alias, etag: str, asked_s: float) -> _Known:
        known = _Known(alias=alias, etag=etag, fresh_until_s=asked_s + self._alias_ttl_s)
        self._keep(self._aliases, key, known)
        return known

    def _refresh(self, key: tuple[str, str], known: _Known) -> _Known:
        """Read an alias again if it changed; while the store is away, the last good one goes on serving.

        A thread asks, as no request must wait as long as the store may take. What it learns late is not lost.
        """
        asked_s = self._clock()
        # Requests that come meanwhile do not ask as well; nor do those after, if there is no answer.
        back_off_s = max(self._alias_ttl_s, _BACK_OFF_S)
        kept = msgspec.structs.replace(known, fresh_until_s=asked_s + back_off_s)
        self._keep(self._aliases, key, kept)
        found: list[_Known | NotFound] = []

        def ask() -> None:
            try:
                found.append(self._learn(key, *self._read_again(*key, known), asked_s))
            except NotFound as error:
                with self._guard:
                    self._aliases.pop(key, None)
                found.append(error)
            except Exception:  # noqa: BLE001 - whatever it is, it must not end what serves well
                return

        asking = Thread(target=ask, daemon=True)
        with suppress(RuntimeError):  # no memory for its stack: as if there were no answer
            asking.start()
            asking.join(self._patience_s)
        if not found:
            self.stale_refreshes += 1
            return kept
        if isinstance(found[0], NotFound):
            raise found[0]
        return found[0]

    def _read_again(self, model: str, name: str, known: _Known) -> tuple[Alias, str]:
        try:
            stored = self._store.get_if_changed(alias_key(model, name), known.etag)
        except ObjectNotFound:
            return read_alias(self._store, model, name)  # which says what is gone: the alias, or the model
        return (known.alias, known.etag) if stored is None else (decode_alias(stored.data), stored.etag)

    def _keep(self, documents: dict[K, V], key: K, document: V) -> None:
        """Remember a document, and forget the one that was not read for longest where there are too many."""
        with self._guard:
            documents.pop(key, None)
            documents[key] = document
            if len(documents) > _KEPT:
                del documents[next(iter(documents))]
