"""Verbs about aliases: what they point at, and what moves them."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Annotated

import msgspec

from lampyris.control.call import Caller, Registry
from lampyris.control.fields import AliasName, ModelName, Percent, VersionNumber
from lampyris.control.pages import Page, PageArguments
from lampyris.domain.manifest import Alias, Route
from lampyris.domain.names import LIVE, check_alias_name, check_model_name
from lampyris.errors import InvalidSplit, ModelNotFound, NotFound
from lampyris.registry.aliases import (
    WHOLE,
    list_revisions,
    promote,
    roll_back,
    set_routes,
    set_shadow,
)
from lampyris.registry.documents import list_aliases, list_versions, read_alias
from lampyris.registry.reading import read_each
from lampyris.registry.shadows import ShadowSummary, summarise


class Share(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A version behind an alias, and the percent of the requests that it gets."""

    version: VersionNumber
    weight: Percent = WHOLE


class AliasState(msgspec.Struct, frozen=True, kw_only=True):
    """An alias at one of its revisions. The first route is the stable one, the others are canaries.

    `shadow` gets copies of requests, and answers none. `before` is the revision that a rollback restores.
    """

    model: str
    alias: str
    revision: int
    routes: tuple[Share, ...]
    shadow: Share | None
    before: int | None
    action: str
    changed_at: datetime
    changed_by: str
    reason: str


class AliasPage(Page[AliasState], frozen=True, kw_only=True):
    """Aliases of a model, or revisions of an alias."""


class AliasesOf(PageArguments, frozen=True, kw_only=True):
    model: ModelName


class OneAlias(msgspec.Struct, frozen=True, kw_only=True):
    model: ModelName
    alias: AliasName = LIVE


class SetRoutes(OneAlias, frozen=True, kw_only=True):
    routes: Annotated[
        tuple[Share, ...],
        msgspec.Meta(
            max_length=WHOLE,
            description="The versions that answer, the stable one first; their weights make 100 together.",
        ),
    ]


class SetShadow(OneAlias, frozen=True, kw_only=True):
    version: Annotated[
        VersionNumber | None, msgspec.Meta(description="The version that gets copies; null ends it.")
    ]
    weight: Percent = WHOLE


class Promote(OneAlias, frozen=True, kw_only=True):
    version: Annotated[
        VersionNumber | None,
        msgspec.Meta(description="The version to promote; without one the canary, or else the shadow."),
    ] = None


class History(PageArguments, frozen=True, kw_only=True):
    model: ModelName
    alias: AliasName = LIVE


class ShadowDifferences(PageArguments, frozen=True, kw_only=True):
    model: ModelName
    alias: AliasName = LIVE
    version: Annotated[
        VersionNumber | None,
        msgspec.Meta(description="The shadow; without it the alias' present one, or its last."),
    ] = None


def state_of(alias: Alias) -> AliasState:
    """Say where an alias points, without the manifests that it embeds."""
    return AliasState(
        model=alias.model,
        alias=alias.alias,
        revision=alias.revision,
        routes=tuple(map(_share, alias.routes)),
        shadow=None if alias.shadow is None else _share(alias.shadow),
        before=alias.before,
        action=alias.change.action,
        changed_at=alias.change.at,
        changed_by=alias.change.by,
        reason=alias.change.reason,
    )


def _share(route: Route) -> Share:
    return Share(version=route.manifest.version, weight=route.weight)


def list_all(registry: Registry, arguments: AliasesOf, _caller: Caller) -> AliasPage:
    """Raises: ModelNotFound, InvalidName."""
    store, model = registry.store, check_model_name(arguments.model)
    names = list_aliases(store, model)
    if not names and not list_versions(store, model):
        raise ModelNotFound(model=model)
    left = [name for name in names if arguments.after is None or name > arguments.after]
    chosen = left[: arguments.limit]

    def read(name: str) -> AliasState | None:
        with suppress(NotFound):  # it was never pointed anywhere
            return state_of(read_alias(store, model, name)[0])
        return None

    return AliasPage(
        items=tuple(state for state in read_each(read, chosen) if state is not None),
        next=chosen[-1] if len(left) > len(chosen) else None,
    )


def show(registry: Registry, arguments: OneAlias, _caller: Caller) -> AliasState:
    """Raises: ModelNotFound, AliasNotFound, InvalidName."""
    model, alias = check_model_name(arguments.model), check_alias_name(arguments.alias)
    return state_of(read_alias(registry.store, model, alias)[0])


def set_all(registry: Registry, arguments: SetRoutes, caller: Caller) -> AliasState:
    """Raises: what `set_routes` raises."""
    moved = set_routes(
        registry.store,
        arguments.model,
        arguments.alias,
        _by_version(arguments.routes),
        author=caller.author,
        now=registry.now(),
        expected=caller.expected,
    )
    return state_of(moved)


def _by_version(routes: Sequence[Share]) -> dict[int, int]:
    """Raises: InvalidSplit if a version has two shares."""
    shares = {route.version: route.weight for route in routes}
    if len(shares) != len(routes):
        raise InvalidSplit(reason="A version stands in the routes twice; give each one share.")
    return shares


def shadow(registry: Registry, arguments: SetShadow, caller: Caller) -> AliasState:
    """Raises: what `set_shadow` raises."""
    moved = set_shadow(
        registry.store,
        arguments.model,
        arguments.alias,
        arguments.version,
        share=arguments.weight,
        author=caller.author,
        now=registry.now(),
        expected=caller.expected,
    )
    return state_of(moved)


def promote_one(registry: Registry, arguments: Promote, caller: Caller) -> AliasState:
    """Raises: what `promote` raises."""
    moved = promote(
        registry.store,
        arguments.model,
        arguments.alias,
        arguments.version,
        author=caller.author,
        now=registry.now(),
        expected=caller.expected,
    )
    return state_of(moved)


def roll_back_one(registry: Registry, arguments: OneAlias, caller: Caller) -> AliasState:
    """Raises: what `roll_back` raises."""
    moved = roll_back(
        registry.store,
        arguments.model,
        arguments.alias,
        author=caller.author,
        now=registry.now(),
        expected=caller.expected,
    )
    return state_of(moved)


def history(registry: Registry, arguments: History, _caller: Caller) -> AliasPage:
    """List what an alias was, the newest revision first. Raises: ModelNotFound, AliasNotFound."""
    revisions = list_revisions(
        registry.store,
        arguments.model,
        arguments.alias,
        limit=arguments.limit,
        before=arguments.number_after(),
    )
    oldest = revisions[-1].revision if revisions else 1
    return AliasPage(items=tuple(map(state_of, revisions)), next=str(oldest) if oldest > 1 else None)


def shadow_differences(registry: Registry, arguments: ShadowDifferences, _caller: Caller) -> ShadowSummary:
    """Raises: what `summarise` raises."""
    return summarise(
        registry.store,
        arguments.model,
        arguments.alias,
        arguments.version,
        limit=arguments.limit,
        after=arguments.after or "",
    )
