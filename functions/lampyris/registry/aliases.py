"""What may be done to an alias: share out its requests, shadow, promote, roll back, follow publishing."""

from collections.abc import Mapping
from datetime import datetime

from lampyris.domain.manifest import Alias, Manifest
from lampyris.domain.names import check_alias_name, check_model_name
from lampyris.domain.store import Store
from lampyris.errors import InvalidSplit, NothingToPromote, NothingToRollBack, ObjectNotFound
from lampyris.registry.changes import Author, begin
from lampyris.registry.documents import no_alias, read_revision
from lampyris.registry.moves import Goal, find_alias, move, shadow_of, shares_of
from lampyris.registry.reading import read_each

WHOLE = 100
# What `expected` may be beside a revision: that the alias must not be there yet.
ABSENT = 0


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
        return Goal(shares=shares, shadow=shadow, before=_revision_to_keep(current))

    action = "set" if len(shares) == 1 else "split"
    change = begin(store, author, action, about=(model, alias, list(shares.items()), expected), at=now)
    return move(store, model, alias, change, decide, expected=expected)


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
        if version in shares_of(current):
            raise InvalidSplit(
                reason=f"Version {version} answers requests of alias {alias!r} itself; shadow with another."
            )
        shadow = None if version is None else (version, share)
        return Goal(shares=shares_of(current), shadow=shadow, before=_revision_to_keep(current))

    change = begin(store, author, "shadow", about=(model, alias, version, share, expected), at=now)
    return move(store, model, alias, change, decide, expected=expected)


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
    """Give a version all of an alias' requests; without one, the (last) canary, or else the shadow.

    Raises: what `set_routes` raises; AliasNotFound, NothingToPromote.
    """

    def decide(current: Alias) -> Goal:
        if not current.routes:
            raise no_alias(store, model, alias)
        chosen = _candidate(current) if version is None else version
        if chosen is None:
            raise NothingToPromote(model=model, alias=alias)
        shares = {chosen: WHOLE}
        shadow = _shadow_beside(current, shares)
        return Goal(shares=shares, shadow=shadow, before=_revision_to_keep(current))

    change = begin(store, author, "promote", about=(model, alias, version, expected), at=now)
    return move(store, model, alias, change, decide, expected=expected)


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
        return Goal(shares=shares_of(former), shadow=None, before=former.before, held=(former.stable,))

    change = begin(store, author, "rollback", about=(model, alias, expected), at=now)
    return move(store, model, alias, change, decide, expected=expected)


def publish_to_alias(store: Store, manifest: Manifest, *, alias: str, author: Author, now: datetime) -> Alias:
    """Point an alias at a version, unless publishing has pointed it at this one or a newer one before.

    So of two racing uploads the newer wins, and an upload delivered again undoes no rollback.
    Raises: VersionDeleted, VersionClosing if somebody was quick to delete it.
    """
    shares = {manifest.version: WHOLE}

    def decide(current: Alias) -> Goal | None:
        if manifest.version <= current.newest_published:
            return None
        return Goal(shares=shares, shadow=_shadow_beside(current, shares), before=_revision_to_keep(current))

    change = begin(store, author, "publish", about=(manifest.model, alias, manifest.version), at=now)
    return move(store, manifest.model, alias, change, decide, published=manifest.version)


def list_revisions(
    store: Store, model: str, alias: str, *, limit: int, before: int | None = None
) -> list[Alias]:
    """Read what an alias was, the newest first, and of those before revision `before` if it is given.

    Raises: AliasNotFound, ModelNotFound, DocumentDamaged.
    """
    current = find_alias(store, check_model_name(model), check_alias_name(alias))
    if current is None or not current.alias.routes:
        raise no_alias(store, model, alias)
    newest = current.alias.revision if before is None else min(before - 1, current.alias.revision)
    here = current.alias

    def read(revision: int) -> Alias:
        return here if revision == here.revision else read_revision(store, model, alias, revision)

    try:
        return read_each(read, range(newest, max(newest - limit, 0), -1))
    except ObjectNotFound:  # erased meanwhile, if the alias is gone too
        if find_alias(store, model, alias) == current:
            raise
        raise no_alias(store, model, alias) from None


def _revision_to_keep(current: Alias) -> int | None:
    """Return where a rollback begins to look: only a version that has all the requests is returned to."""
    return current.revision if len(current.routes) == 1 else current.before


def _shadow_beside(current: Alias, shares: Mapping[int, int]) -> tuple[int, int] | None:
    """A shadow stays, unless it is to answer itself."""
    shadow = shadow_of(current)
    return None if shadow is None or shadow[0] in shares else shadow


def _candidate(current: Alias) -> int | None:
    if len(current.routes) > 1:
        return current.routes[-1].manifest.version
    return None if current.shadow is None else current.shadow.manifest.version


def _check_shares(shares: Mapping[int, int]) -> None:
    """Raises: InvalidSplit unless the shares are whole percents, each 1 or more, of 100 together."""
    if any(share < 1 for share in shares.values()) or sum(shares.values()) != WHOLE:
        told = ", ".join(f"version {version} {share} %" for version, share in shares.items()) or "nothing"
        raise InvalidSplit(reason=f"The shares are {told}; each must be 1 or more, and together {WHOLE}.")
