"""Move an alias: each move is one conditional write of a document that says all there is to say.

A version that an alias is pointed at is looked at after the alias was read, and a deletion writes to every
alias after it has marked its version: so one of the two always sees the other (`versions.delete_version`).
For the same reason an alias is made in two writes, the first without routes.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime

import msgspec

from lampyris.domain.layout import alias_key, revision_key
from lampyris.domain.manifest import Alias, Change, Manifest, Route
from lampyris.domain.names import check_alias_name, check_model_name
from lampyris.domain.sealed import Sealed, seal, unseal
from lampyris.domain.store import Store
from lampyris.errors import (
    AliasChanged,
    InvalidSplit,
    NothingToPromote,
    NothingToRollBack,
    ObjectChanged,
    ObjectExists,
    ObjectNotFound,
    VersionClosing,
)
from lampyris.registry.audit import Entry
from lampyris.registry.changes import Author, begin, check_same, find_settled, is_settled, settle
from lampyris.registry.documents import no_alias, read_revision, read_version

WHOLE = 100
# What `expected` may be beside a revision: that the alias must not be there yet.
ABSENT = 0


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """What an alias is to point at: shares in percent by version, the stable one first; shadow likewise.

    `before` is the revision that a rollback will restore.
    """

    shares: Mapping[int, int]
    shadow: tuple[int, int] | None
    before: int | None


class _Read(msgspec.Struct, frozen=True, kw_only=True):
    """An alias as it stands: revision 0 if it was not there, or nobody has pointed it anywhere yet."""

    alias: Alias
    sealed: Sealed
    etag: str


def set_routes(
    store: Store,
    model: str,
    alias: str,
    shares: Mapping[int, int],
    *,
    author: Author,
    now: datetime,
    expected: int | None = None,
) -> Alias:
    """Share an alias' requests out over versions, in percent; the first is the stable one.

    `expected` is the revision that the caller knows, ABSENT for none; None for whichever it is.
    Raises: InvalidName, InvalidSplit; AliasChanged; ModelNotFound, VersionNotFound, VersionDeleted,
        VersionClosing; KeyReused.
    """
    _check_shares(shares)

    def decide(current: Alias) -> Goal:
        shadow = _shadow_beside(current, shares)
        return Goal(shares=shares, shadow=shadow, before=_before_next(current, shares))

    action = "set" if len(shares) == 1 else "split"
    change = begin(store, author, action, about=(model, alias, list(shares.items()), expected), at=now)
    return _move(store, model, alias, change, decide, expected=expected)


def set_shadow(
    store: Store,
    model: str,
    alias: str,
    version: int | None,
    *,
    share: int = WHOLE,
    author: Author,
    now: datetime,
    expected: int | None = None,
) -> Alias:
    """Send copies of a share of an alias' requests to a version, or to none.

    Raises: what `set_routes` raises; AliasNotFound.
    """
    if not 1 <= share <= WHOLE:
        raise InvalidSplit(reason=f"The shadow's share is {share} %; use 1 to {WHOLE}.")

    def decide(current: Alias) -> Goal:
        if not current.routes:
            raise no_alias(store, model, alias)
        shadow = None if version is None else (version, share)
        return Goal(shares=_shares(current), shadow=shadow, before=current.before)

    change = begin(store, author, "shadow", about=(model, alias, version, share, expected), at=now)
    return _move(store, model, alias, change, decide, expected=expected)


def promote(
    store: Store,
    model: str,
    alias: str,
    version: int | None,
    *,
    author: Author,
    now: datetime,
    expected: int | None = None,
) -> Alias:
    """Give a version all of an alias' requests; without one, the canary, or else the shadow.

    Raises: what `set_routes` raises; AliasNotFound, NothingToPromote.
    """

    def decide(current: Alias) -> Goal:
        if not current.routes:
            raise no_alias(store, model, alias)
        chosen = version or _candidate(current)
        if chosen is None:
            raise NothingToPromote(model=model, alias=alias)
        shares = {chosen: WHOLE}
        shadow = _shadow_beside(current, shares)
        return Goal(shares=shares, shadow=shadow, before=_before_next(current, shares))

    change = begin(store, author, "promote", about=(model, alias, version, expected), at=now)
    return _move(store, model, alias, change, decide, expected=expected)


def roll_back(
    store: Store, model: str, alias: str, *, author: Author, now: datetime, expected: int | None = None
) -> Alias:
    """Point an alias at the version that had all its requests before; once more, at the one before that.

    A canary and a shadow end with it.
    Raises: AliasNotFound, NothingToRollBack; what `set_routes` raises.
    """

    def decide(current: Alias) -> Goal:
        if not current.routes:
            raise no_alias(store, model, alias)
        if current.before is None:
            raise NothingToRollBack(model=model, alias=alias)
        former = read_revision(store, model, alias, current.before)
        return Goal(shares=_shares(former), shadow=None, before=former.before)

    change = begin(store, author, "rollback", about=(model, alias, expected), at=now)
    return _move(store, model, alias, change, decide, expected=expected)


def publish_to_alias(store: Store, manifest: Manifest, *, alias: str, author: Author, now: datetime) -> Alias:
    """Point an alias at a version, unless publishing has pointed it at this one or a newer one before.

    So of two racing uploads the newer wins, and an upload delivered again undoes no rollback.
    Raises: VersionDeleted, VersionClosing if somebody was quick to delete it.
    """
    shares = {manifest.version: WHOLE}

    def decide(current: Alias) -> Goal | None:
        if manifest.version <= current.newest_published:
            return None
        return Goal(
            shares=shares, shadow=_shadow_beside(current, shares), before=_before_next(current, shares)
        )

    change = begin(store, author, "publish", about=(manifest.model, alias, manifest.version), at=now)
    return _move(store, manifest.model, alias, change, decide, published=manifest.version)


def list_revisions(
    store: Store, model: str, alias: str, *, limit: int, before: int | None = None
) -> list[Alias]:
    """Read what an alias was, the newest first, and of those before revision `before` if it is given.

    Raises: AliasNotFound, ModelNotFound, DocumentDamaged.
    """
    current = _read(store, check_model_name(model), check_alias_name(alias))
    if current is None or not current.alias.routes:
        raise no_alias(store, model, alias)
    newest = current.alias.revision if before is None else min(before - 1, current.alias.revision)
    revisions = range(newest, max(newest - limit, 0), -1)
    return [
        current.alias if revision == current.alias.revision else read_revision(store, model, alias, revision)
        for revision in revisions
    ]


def settle_alias(store: Store, alias: Alias, sealed: Sealed) -> None:
    """Write down the rest of an alias' last change: its revision, its entry in the audit, its outcome."""
    if not alias.revision:
        return
    with suppress(ObjectExists):
        store.create(revision_key(alias.model, alias.alias, alias.revision), sealed.data)
    entry = Entry(
        number=0,
        change=alias.change,
        model=alias.model,
        subject=f"alias {alias.alias}",
        document=sealed.digest,
        details={
            "revision": alias.revision,
            "routes": {str(route.manifest.version): route.weight for route in alias.routes},
            "shadow": None if alias.shadow is None else alias.shadow.manifest.version,
        },
    )
    settle(store, entry, result=alias.revision)


def _move(
    store: Store,
    model: str,
    alias: str,
    change: Change,
    decide: Callable[[Alias], Goal | None],
    *,
    expected: int | None = None,
    published: int = 0,
) -> Alias:
    """Decide on what stands there and write, again and again, until nobody was faster.

    Return what the alias is then: as it is if there was nothing to do, as it was made if this change made it.
    """
    key = alias_key(check_model_name(model), check_alias_name(alias))
    while True:
        read = _read(store, model, alias)
        current = _unborn(model, alias, change) if read is None else read.alias
        if read is not None and current.revision and current.change.id == change.id:
            check_same(change, current.change.fingerprint)
            settle_alias(store, current, read.sealed)
            return current
        made = find_settled(store, change)
        if made is not None:
            return read_revision(store, model, alias, made.result)
        if expected is not None and expected != current.revision:
            raise AliasChanged(
                model=model, alias=alias, etag=str(current.revision) if current.revision else None
            )
        goal = decide(current)
        if goal is None or _is_reached(goal, current):
            return current
        if read is None:
            _make_room(store, key, current)
            continue
        if not is_settled(store, current.change):
            settle_alias(store, current, read.sealed)
        moved = Alias(
            model=model,
            alias=alias,
            revision=current.revision + 1,
            routes=tuple(
                Route(weight=share, manifest=_open_version(store, model, version))
                for version, share in goal.shares.items()
            ),
            shadow=None
            if goal.shadow is None
            else Route(weight=goal.shadow[1], manifest=_open_version(store, model, goal.shadow[0])),
            before=goal.before,
            newest_published=max(published, current.newest_published),
            change=change,
            previous=read.sealed.digest if current.revision else None,
        )
        sealed = seal(moved)
        try:
            store.replace(key, sealed.data, read.etag)
        except ObjectChanged:
            continue
        settle_alias(store, moved, sealed)
        return moved


def _read(store: Store, model: str, alias: str) -> _Read | None:
    try:
        found = store.get(alias_key(model, alias))
    except ObjectNotFound:
        return None
    sealed = unseal(found.data)
    return _Read(alias=sealed.decode(Alias), sealed=sealed, etag=found.etag)


def _unborn(model: str, alias: str, change: Change) -> Alias:
    return Alias(model=model, alias=alias, revision=0, routes=(), change=change)


def _make_room(store: Store, key: str, unborn: Alias) -> None:
    with suppress(ObjectExists):
        store.create(key, seal(unborn).data)


def _open_version(store: Store, model: str, version: int) -> Manifest:
    manifest = read_version(store, model, version)
    if manifest.closing is not None:
        raise VersionClosing(model=model, version=version)
    return manifest


def _shares(alias: Alias) -> dict[int, int]:
    return {route.manifest.version: route.weight for route in alias.routes}


def _shadow_of(alias: Alias) -> tuple[int, int] | None:
    return None if alias.shadow is None else (alias.shadow.manifest.version, alias.shadow.weight)


def _shadow_beside(current: Alias, shares: Mapping[int, int]) -> tuple[int, int] | None:
    """A shadow stays, unless it is to answer itself."""
    shadow = _shadow_of(current)
    return None if shadow is None or shadow[0] in shares else shadow


def _before_next(current: Alias, shares: Mapping[int, int]) -> int | None:
    """A rollback goes to the last revision at which another version had all the requests."""
    if len(current.routes) == 1 and _shares(current) != dict(shares):
        return current.revision
    return current.before


def _candidate(current: Alias) -> int | None:
    if len(current.routes) > 1:
        return current.routes[-1].manifest.version
    return None if current.shadow is None else current.shadow.manifest.version


def _is_reached(goal: Goal, current: Alias) -> bool:
    return list(goal.shares.items()) == list(_shares(current).items()) and goal.shadow == _shadow_of(current)


def _check_shares(shares: Mapping[int, int]) -> None:
    """Raises: InvalidSplit unless the shares are whole percents, each 1 or more, of 100 together."""
    if any(share < 1 for share in shares.values()) or sum(shares.values()) != WHOLE:
        told = ", ".join(f"version {version} {share} %" for version, share in shares.items()) or "nothing"
        raise InvalidSplit(reason=f"The shares are {told}; each must be 1 or more, and together {WHOLE}.")
