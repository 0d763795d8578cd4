"""From a name to the version that answers. A warm environment reads an alias again after some seconds."""

from collections.abc import Callable

import msgspec

from lampyris.domain.layout import alias_key
from lampyris.domain.manifest import Alias, Manifest
from lampyris.domain.names import LIVE, check_alias_name, check_model_name
from lampyris.domain.registry import read_alias, read_version
from lampyris.domain.store import Store
from lampyris.domain.traffic import pick
from lampyris.errors import ObjectNotFound, StoreUnavailable, VersionNotFound

_MAX_VERSION_DIGITS = 9
_decode_alias = msgspec.json.Decoder(Alias).decode


class _Known(msgspec.Struct, frozen=True, kw_only=True):
    alias: Alias
    etag: str
    read_at_s: float


class Resolver:
    """Answers which manifest a request means, from memory where that is fresh enough."""

    def __init__(
        self, store: Store, *, alias_ttl_s: float, clock: Callable[[], float], random: Callable[[], float]
    ) -> None:
        self._store = store
        self._alias_ttl_s = alias_ttl_s
        self._clock = clock
        self._random = random
        self._aliases: dict[tuple[str, str], _Known] = {}
        self._versions: dict[tuple[str, int], Manifest] = {}

    def resolve(self, model: str, version: str = LIVE) -> Manifest:
        """Return the manifest behind `version`: a number, or the name of an alias.

        Raises: ModelNotFound, VersionNotFound, AliasNotFound, InvalidName; StoreUnavailable if nothing
        is known yet.
        """
        known = self._aliases.get((model, version))
        if known is not None and self._clock() - known.read_at_s < self._alias_ttl_s:
            return pick(known.alias.routes, self._random)
        check_model_name(model)
        if version.isdecimal() and version.isascii():
            return self._version(model, version)
        alias = self._read(model, check_alias_name(version), known)
        return pick(alias.routes, self._random)

    def _version(self, model: str, digits: str) -> Manifest:
        if len(digits) > _MAX_VERSION_DIGITS or digits != str(int(digits)):
            raise VersionNotFound(model=model, version=digits)
        key = (model, int(digits))
        if key not in self._versions:
            self._versions[key] = read_version(self._store, *key)
        return self._versions[key]

    def _read(self, model: str, name: str, known: _Known | None) -> Alias:
        now_s = self._clock()
        alias, etag = read_alias(self._store, model, name) if known is None else self._read_again(known)
        self._aliases[model, name] = _Known(alias=alias, etag=etag, read_at_s=now_s)
        return alias

    def _read_again(self, known: _Known) -> tuple[Alias, str]:
        """Read an alias if it changed; while the store is away, the last good one goes on serving."""
        model, name = known.alias.model, known.alias.alias
        try:
            stored = self._store.get_if_changed(alias_key(model, name), known.etag)
        except ObjectNotFound:
            return read_alias(self._store, model, name)  # which says what is gone: the alias, or the model
        except StoreUnavailable:
            return known.alias, known.etag
        return (known.alias, known.etag) if stored is None else (_decode_alias(stored.data), stored.etag)
