"""From a name to what stands behind it. A warm environment reads what it knows again after some seconds."""

from collections.abc import Callable
from contextlib import suppress
from math import inf
from threading import Lock, Thread

import msgspec

from lampyris.domain.layout import alias_key, version_key
from lampyris.domain.manifest import Alias, Manifest, Tombstone
from lampyris.domain.names import LIVE, check_alias_name, check_model_name
from lampyris.domain.sealed import unseal
from lampyris.domain.store import Store
from lampyris.errors import NotFound, ObjectNotFound, VersionDeleted, VersionNotFound
from lampyris.registry.documents import check_place, decode_version, no_alias

_MAX_VERSION_DIGITS = 9
# As many documents are kept as an environment could ever serve; callers choose which.
_KEPT = 512
# How long a request waits for news of what it knows, and how long none asks again when none came.
_PATIENCE_S = 1.0
_BACK_OFF_S = 5.0


class _Known(msgspec.Struct, frozen=True, kw_only=True):
    document: Alias | Manifest
    etag: str
    fresh_until_s: float


class Resolver:
    """Answers what a request's model and version mean, from memory where that is fresh enough.

    Versions are read again too: one may have been deleted. `stale_refreshes` counts how often a document
    could not be read again, and the last good one served on.
    """

    def __init__(
        self,
        store: Store,
        *,
        alias_ttl_s: float,
        clock: Callable[[], float],
        patience_s: float = _PATIENCE_S,
    ) -> None:
        self._store = store
        self._alias_ttl_s = alias_ttl_s
        self._clock = clock
        self._patience_s = patience_s
        self._known: dict[tuple[str, str], _Known] = {}
        self._guard = Lock()
        self.stale_refreshes = 0

    def find(self, model: str, version: str = LIVE) -> Alias | Manifest:
        """Return what stands behind `version`: an alias by its name, or the manifest of a number.

        Raises: ModelNotFound, VersionNotFound, VersionDeleted, AliasNotFound, InvalidName; StoreUnavailable,
        DocumentDamaged if nothing is known yet.
        """
        key = (model, version)
        known = self._known.get(key)
        if known is None:
            _check_names(model, version)
            asked_s = self._clock()
            known = self._learn(key, *self._read(*key, None), asked_s)
        elif self._clock() >= known.fresh_until_s:
            known = self._refresh(key, known)
        return known.document

    def resolve(self, model: str, version: str = LIVE) -> Manifest:
        """Return the manifest behind `version`; an alias stands for its stable one. Raises: as `find`."""
        found = self.find(model, version)
        return found if isinstance(found, Manifest) else found.stable

    def expire(self) -> None:
        """Trust nothing any longer without reading it again: time has passed that no clock here saw."""
        with self._guard:
            for key, known in self._known.items():
                self._known[key] = msgspec.structs.replace(known, fresh_until_s=-inf)

    def _learn(self, key: tuple[str, str], document: Alias | Manifest, etag: str, asked_s: float) -> _Known:
        known = _Known(document=document, etag=etag, fresh_until_s=asked_s + self._alias_ttl_s)
        self._keep(key, known)
        return known

    def _refresh(self, key: tuple[str, str], known: _Known) -> _Known:
        """Read a document again if it changed; while the store is away, the last good one goes on serving.

        A thread asks, as no request must wait as long as the store may take. What it learns late is not lost.
        """
        asked_s = self._clock()
        # Requests that come meanwhile do not ask as well; nor do those after, if there is no answer.
        back_off_s = max(self._alias_ttl_s, _BACK_OFF_S)
        kept = msgspec.structs.replace(known, fresh_until_s=asked_s + back_off_s)
        self._keep(key, kept)
        found: list[_Known | NotFound] = []

        def ask() -> None:
            try:
                found.append(self._learn(key, *self._read(*key, known), asked_s))
            except NotFound as error:
                with self._guard:
                    self._known.pop(key, None)
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

    def _read(self, model: str, name: str, known: _Known | None) -> tuple[Alias | Manifest, str]:
        """Read a document, or what it became since it was `known`."""
        is_number = name.isdecimal()
        key = version_key(model, int(name)) if is_number else alias_key(model, name)
        try:
            stored = self._store.get(key) if known is None else self._store.get_if_changed(key, known.etag)
        except ObjectNotFound:
            if known is not None:  # what serves well is not given up before it was looked for twice
                return self._read(model, name, None)
            if is_number:
                raise VersionNotFound(model=model, version=int(name)) from None
            raise no_alias(self._store, model, name) from None
        if stored is None:
            assert known is not None  # else nothing could be as it was
            return known.document, known.etag
        sealed = unseal(stored.data)
        if is_number:
            version = decode_version(sealed)
            check_place(sealed, (version.model, version.version), (model, int(name)))
            if isinstance(version, Tombstone):
                raise VersionDeleted(model=model, version=version.version)
            return version, stored.etag
        alias = sealed.decode(Alias)
        check_place(sealed, (alias.model, alias.alias), (model, name))
        if not alias.routes:  # nobody has pointed it anywhere yet
            raise no_alias(self._store, model, name)
        return alias, stored.etag

    def _keep(self, key: tuple[str, str], known: _Known) -> None:
        """Remember a document, and forget the one that was not read for longest where there are too many."""
        with self._guard:
            self._known.pop(key, None)
            self._known[key] = known
            if len(self._known) > _KEPT:
                del self._known[next(iter(self._known))]


def _check_names(model: str, version: str) -> None:
    """Raises: InvalidName; VersionNotFound for a number as no version has it."""
    check_model_name(model)
    if not (version.isascii() and version.isdecimal()):
        check_alias_name(version)
    elif len(version) > _MAX_VERSION_DIGITS or version != str(int(version)):
        raise VersionNotFound(model=model, version=version)
