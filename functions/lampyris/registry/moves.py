"""How an alias is moved: in one conditional write of a document that says all there is to say.

No alias names a deleted version, nor does its rollback. A version that an alias names already cannot go, as a
deletion looks at every alias. Any other is looked at after the alias was read, and a deletion writes to every
alias after it has marked its version: so one of the two always sees the other (`versions.delete_version`).
For the same reason an alias is made in two writes, the first without routes.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import starmap

import msgspec

from lampyris.domain.layout import alias_key, revision_key
from lampyris.domain.manifest import Alias, Change, Manifest, Route
from lampyris.domain.names import check_alias_name, check_model_name
from lampyris.domain.sealed import Sealed, seal, unseal
from lampyris.domain.store import Store
from lampyris.errors import AliasChanged, Conflict, NotFound, ObjectChanged, ObjectExists, ObjectNotFound
from lampyris.registry.audit import Entry
from lampyris.registry.changes import (
    Settled,
    check_same,
    create_once,
    find_settled,
    is_settled,
    note,
    renew,
    settle,
)
from lampyris.registry.documents import check_place, no_alias, read_revision
from lampyris.registry.versions import open_version


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """What an alias is to point at: shares in percent by version, the stable one first; shadow likewise.

    A rollback will restore revision `before`, or the last one before it that another version had to itself
    and that can be restored. `held` are versions that the alias would roll back to as it stands: none of them
    can be deleted before it moves.
    """

    shares: Mapping[int, int]
    shadow: tuple[int, int] | None
    before: int | None
    held: tuple[Manifest, ...] = ()


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """An alias as it is stored."""

    alias: Alias
    sealed: Sealed
    etag: str


def find_alias(store: Store, model: str, alias: str) -> Standing | None:
    """Read an alias; None if it is not there. One that nobody has pointed anywhere yet has no routes."""
    try:
        found = store.get(alias_key(model, alias))
    except ObjectNotFound:
        return None
    sealed = unseal(found.data)
    read = sealed.decode(Alias)
    check_place(sealed, (read.model, read.alias), (model, alias))
    return Standing(alias=read, sealed=sealed, etag=found.etag)


def move(
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
    `decide` is given an alias of revision 0 without routes if there is none. `published` is the version that
    publishing points at.
    """
    key = alias_key(check_model_name(model), check_alias_name(alias))
    while True:
        standing = find_alias(store, model, alias)
        if standing is not None and standing.alias.routes and standing.alias.change.id == change.id:
            check_same(change, standing.alias.change.fingerprint)
            settle_alias(store, standing.alias, standing.sealed)
            return standing.alias
        current = _unborn(model, alias, change) if standing is None else standing.alias
        made = find_settled(store, change)
        if made is not None:
            return _made(store, current, made)
        _check_expected(current, expected)
        try:
            moved = _decided(store, current, decide, change=change, published=published)
        except ObjectNotFound:  # a revision is gone: its model was erased meanwhile, if the alias is gone too
            if find_alias(store, model, alias) == standing:
                raise
            continue
        if moved is None:
            _settle_last(store, standing)
            note(store, change, result=current.revision)
            return current
        if standing is None:
            with suppress(ObjectExists):
                store.create(key, seal(current).data)
            continue  # its versions are looked at again, now that a deletion would see it
        _settle_last(store, standing)
        if current.revision:
            moved = msgspec.structs.replace(moved, previous=standing.sealed.digest)
        sealed = seal(moved)
        try:
            store.replace(key, sealed.data, standing.etag)
        except ObjectChanged:
            change = renew(store, change)
            continue
        settle_alias(store, moved, sealed)
        return moved


def settle_alias(store: Store, alias: Alias, sealed: Sealed) -> None:
    """Write down the rest of an alias' last change: its revision, its entry in the audit, its outcome."""
    if not alias.revision:
        return
    create_once(store, revision_key(alias.model, alias.alias, alias.revision), sealed.data)
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


def shares_of(alias: Alias) -> dict[int, int]:
    """Return the percent of the requests that each version gets, the stable one first."""
    return {route.manifest.version: route.weight for route in alias.routes}


def shadow_of(alias: Alias) -> tuple[int, int] | None:
    """Return the version that gets copies, and of what percent of the requests."""
    return None if alias.shadow is None else (alias.shadow.manifest.version, alias.shadow.weight)


def _settle_last(store: Store, standing: Standing | None) -> None:
    if standing is None or not standing.alias.revision:
        return
    if not is_settled(store, standing.alias.change, result=standing.alias.revision):
        settle_alias(store, standing.alias, standing.sealed)


def _made(store: Store, current: Alias, made: Settled) -> Alias:
    """Return what a change made, or found, however often the alias moved since."""
    try:
        revision = read_revision(store, current.model, current.alias, made.result)
    except ObjectNotFound:
        revision = None
    if revision is None or (made.number and revision.change.id != made.id):  # erased since, and made anew
        raise no_alias(store, current.model, current.alias)
    return revision


def _unborn(model: str, alias: str, change: Change) -> Alias:
    return Alias(model=model, alias=alias, revision=0, routes=(), change=change)


def _check_expected(current: Alias, expected: int | None) -> None:
    """Raises: AliasChanged."""
    if expected is not None and expected != current.revision:
        etag = str(current.revision) if current.revision else None
        raise AliasChanged(model=current.model, alias=current.alias, etag=etag)


def _decided(
    store: Store,
    current: Alias,
    decide: Callable[[Alias], Goal | None],
    *,
    change: Change,
    published: int,
) -> Alias | None:
    """Return the alias' next revision, None if there is nothing to do."""
    goal = decide(current)
    if goal is None or (_is_reached(goal, current) and published <= current.newest_published):
        return None
    return _next_revision(store, current, goal, change=change, published=published)


def _next_revision(store: Store, current: Alias, goal: Goal, *, change: Change, published: int) -> Alias:
    """Return the alias' next revision. Raises: VersionNotFound, VersionDeleted, VersionClosing."""
    held = {manifest.version: manifest for manifest in goal.held}
    held |= {route.manifest.version: route.manifest for route in current.routes}
    if current.shadow is not None:
        held[current.shadow.manifest.version] = current.shadow.manifest

    def route(version: int, share: int) -> Route:
        manifest = held.get(version) or open_version(store, current.model, version)
        return Route(weight=share, manifest=manifest)

    return Alias(
        model=current.model,
        alias=current.alias,
        revision=current.revision + 1,
        routes=tuple(starmap(route, goal.shares.items())),
        shadow=None if goal.shadow is None else route(*goal.shadow),
        before=_before(store, current, goal),
        newest_published=max(published, current.newest_published),
        change=change,
    )


def _before(store: Store, current: Alias, goal: Goal) -> int | None:
    """Return the revision that a rollback of what `goal` makes will restore."""
    revision = goal.before
    while revision is not None:
        is_current = revision == current.revision
        former = current if is_current else read_revision(store, current.model, current.alias, revision)
        is_held = revision in {current.revision, current.before}  # the alias names its version as it stands
        if shares_of(former) != goal.shares and (is_held or _is_open(store, former.stable)):
            return revision
        revision = former.before
    return None


def _is_open(store: Store, manifest: Manifest) -> bool:
    try:
        open_version(store, manifest.model, manifest.version)
    except (NotFound, Conflict):
        return False
    return True


def _is_reached(goal: Goal, current: Alias) -> bool:
    return list(goal.shares.items()) == list(shares_of(current).items()) and goal.shadow == shadow_of(current)
