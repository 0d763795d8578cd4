from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from time import sleep
from typing import Any

import msgspec
import pytest

from lampyris.domain.layout import alias_key, version_key
from lampyris.domain.manifest import Alias
from lampyris.domain.sealed import seal
from lampyris.domain.store import Store
from lampyris.errors import (
    AliasNotFound,
    DocumentDamaged,
    InvalidName,
    ModelNotFound,
    StoreUnavailable,
    VersionDeleted,
    VersionNotFound,
)
from lampyris.registry.aliases import publish_to_alias, set_routes
from lampyris.registry.changes import Author
from lampyris.registry.versions import delete_version
from lampyris.serving.resolver import _KEPT, Resolver

TTL_S = 5
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def resolver(watched: Any, clock: Any) -> Resolver:
    return Resolver(watched, alias_ttl_s=TTL_S, clock=clock)


def test_live_is_what_was_published_last(resolver: Resolver, publish_linear: Any) -> None:
    publish_linear(seed=1)
    publish_linear(seed=2)

    assert resolver.resolve("glow").version == 2


def test_a_number_is_a_version(resolver: Resolver, publish_linear: Any) -> None:
    publish_linear(seed=1)
    publish_linear(seed=2)

    assert resolver.resolve("glow", "1").version == 1


def test_another_alias_is_found_by_its_name(resolver: Resolver, publish_linear: Any, store: Store) -> None:
    first = publish_linear(seed=1)
    publish_linear(seed=2)
    publish_to_alias(store, first, alias="stable", author=Author(key="to test", by="a test"), now=NOW)

    assert resolver.resolve("glow", "stable").version == 1


def test_a_fresh_alias_is_not_read_again(resolver: Resolver, publish_linear: Any, watched: Any) -> None:
    publish_linear()
    resolver.resolve("glow")
    resolver.resolve("glow")

    assert watched.reads == [alias_key("glow", "live")]


def test_a_moved_alias_is_followed_once_it_is_old(
    resolver: Resolver, publish_linear: Any, clock: Any
) -> None:
    publish_linear(seed=1)
    before = resolver.resolve("glow").version
    publish_linear(seed=2)

    unmoved = resolver.resolve("glow").version
    clock.now_s += TTL_S
    moved = resolver.resolve("glow").version

    assert (before, unmoved, moved) == (1, 1, 2)


def test_while_the_store_is_away_the_last_good_version_serves(
    resolver: Resolver, publish_linear: Any, clock: Any, watched: Any
) -> None:
    publish_linear()
    resolver.resolve("glow")
    watched.away = True
    clock.now_s += TTL_S

    assert resolver.resolve("glow").version == 1
    assert resolver.stale_refreshes == 1


def test_a_store_that_is_away_is_not_asked_for_every_request(
    resolver: Resolver, publish_linear: Any, clock: Any, watched: Any
) -> None:
    publish_linear(seed=1)
    resolver.resolve("glow")
    watched.away = True
    clock.now_s += TTL_S
    for _ in range(3):
        resolver.resolve("glow")
    asked = len(watched.reads)
    publish_linear(seed=2)
    watched.away = False

    assert resolver.resolve("glow").version == 1
    clock.now_s += TTL_S
    assert resolver.resolve("glow").version == 2
    assert (asked, resolver.stale_refreshes) == (2, 1)


def test_a_store_that_hangs_holds_no_request_up_and_its_late_answer_counts(
    publish_linear: Any, clock: Any, watched: Any
) -> None:
    resolver = Resolver(watched, alias_ttl_s=TTL_S, clock=clock, patience_s=0.01)
    publish_linear(seed=1)
    resolver.resolve("glow")
    publish_linear(seed=2)
    clock.now_s += TTL_S
    watched.open.clear()

    assert resolver.resolve("glow").version == 1
    assert resolver.stale_refreshes == 1
    watched.open.set()
    while resolver.resolve("glow").version == 1:
        sleep(0.001)  # the clock stands still: nothing is asked again


def test_a_document_that_cannot_be_read_does_not_replace_the_last_good_one(
    resolver: Resolver, publish_linear: Any, clock: Any, store: Store
) -> None:
    publish_linear()
    resolver.resolve("glow")
    store.put(alias_key("glow", "live"), b'{"format": 2}')
    clock.now_s += TTL_S

    assert resolver.resolve("glow").version == 1
    assert resolver.stale_refreshes == 1


def test_after_a_pause_that_no_clock_saw_aliases_are_read_again(
    resolver: Resolver, publish_linear: Any
) -> None:
    publish_linear(seed=1)
    resolver.resolve("glow")
    publish_linear(seed=2)

    resolver.expire()

    assert resolver.resolve("glow").version == 2


def test_without_trust_every_request_reads_the_alias(publish_linear: Any, clock: Any, watched: Any) -> None:
    resolver = Resolver(watched, alias_ttl_s=0, clock=clock)
    publish_linear(seed=1)
    resolver.resolve("glow")
    publish_linear(seed=2)

    assert resolver.resolve("glow").version == 2


def test_callers_cannot_fill_the_memory_with_names(
    resolver: Resolver, publish_linear: Any, store: Store
) -> None:
    manifest = publish_linear()
    for name in (f"a{number}" for number in range(_KEPT + 3)):
        publish_to_alias(store, manifest, alias=name, author=Author(key=name, by="a test"), now=NOW)
        resolver.resolve("glow", name)
        with pytest.raises(AliasNotFound):
            resolver.resolve("glow", f"no-{name}")

    assert len(resolver._known) == _KEPT
    assert resolver.resolve("glow", "a0").version == 1


def test_many_threads_agree_while_an_alias_moves(publish_linear: Any, watched: Any, clock: Any) -> None:
    resolver = Resolver(watched, alias_ttl_s=TTL_S, clock=clock)
    publish_linear(seed=1)
    resolver.resolve("glow")

    with ThreadPoolExecutor(4) as pool:
        for seed in range(2, 7):
            publish_linear(seed=seed)
            clock.now_s += TTL_S
            found = list(pool.map(lambda _: resolver.resolve("glow").version, range(16)))
            assert set(found) <= {seed - 1, seed}
            assert resolver.resolve("glow").version == seed


def test_an_alias_that_was_deleted_is_not_found_any_more(
    resolver: Resolver, publish_linear: Any, clock: Any, store: Any
) -> None:
    publish_linear()
    resolver.resolve("glow")
    store.delete(alias_key("glow", "live"))
    clock.now_s += TTL_S

    with pytest.raises(AliasNotFound, match="no alias 'live'"):
        resolver.resolve("glow")


def test_without_a_store_nothing_is_known_at_first(
    resolver: Resolver, publish_linear: Any, watched: Any
) -> None:
    publish_linear()
    watched.away = True

    with pytest.raises(StoreUnavailable):
        resolver.resolve("glow")


def test_what_does_not_exist_is_named(resolver: Resolver, publish_linear: Any) -> None:
    publish_linear()

    with pytest.raises(ModelNotFound, match="'nope'"):
        resolver.resolve("nope")
    with pytest.raises(AliasNotFound, match="no alias 'canary'"):
        resolver.resolve("glow", "canary")
    with pytest.raises(VersionNotFound, match="no version 7"):
        resolver.resolve("glow", "7")


@pytest.mark.parametrize("version", ["01", "0", "9" * 40])
def test_no_odd_number_reaches_the_store(
    resolver: Resolver, publish_linear: Any, watched: Any, version: str
) -> None:
    publish_linear()

    with pytest.raises(VersionNotFound):
        resolver.resolve("glow", version)

    assert all("9999" not in key and "/01" not in key for key in watched.reads)


@pytest.mark.parametrize(
    ("model", "version"), [("../x", "live"), ("glow", "../x"), ("Glow", "live"), ("", "1")]
)
def test_names_outside_the_grammar_are_refused(resolver: Resolver, model: str, version: str) -> None:
    with pytest.raises(InvalidName):
        resolver.resolve(model, version)


def test_an_alias_with_canaries_stands_for_its_stable_version(
    resolver: Resolver, publish_linear: Any, store: Store
) -> None:
    publish_linear(seed=1)
    publish_linear(seed=2)
    set_routes(store, "glow", "live", {1: 1, 2: 99}, author=Author(key="split", by="a test"), now=NOW)

    assert resolver.resolve("glow").version == 1


def test_a_deleted_version_is_noticed_once_what_is_known_of_it_is_old(
    resolver: Resolver, publish_linear: Any, clock: Any, store: Store
) -> None:
    for seed in range(3):  # a rollback would go to the second
        publish_linear(seed=seed)
    resolver.resolve("glow", "1")
    delete_version(store, "glow", 1, author=Author(key="delete", by="a test"), now=NOW)

    assert resolver.resolve("glow", "1").version == 1
    clock.now_s += TTL_S
    for _ in range(2):
        with pytest.raises(VersionDeleted):
            resolver.resolve("glow", "1")


def test_a_version_that_is_being_deleted_answers_until_it_is_gone(
    resolver: Resolver, publish_linear: Any, clock: Any, store: Store
) -> None:
    manifest = publish_linear()
    resolver.resolve("glow", "1")
    closing = msgspec.structs.replace(manifest, closing=manifest.published)
    store.put(version_key("glow", 1), seal(closing).data)
    clock.now_s += TTL_S

    assert resolver.resolve("glow", "1") == closing


def test_a_known_version_is_asked_for_again_without_being_fetched_again(
    resolver: Resolver, publish_linear: Any, clock: Any, watched: Any
) -> None:
    publish_linear()
    first = resolver.resolve("glow", "1")
    resolver.resolve("glow", "1")
    clock.now_s += TTL_S

    assert resolver.resolve("glow", "1") is first
    assert watched.reads == [version_key("glow", 1)] * 2


def test_a_version_serves_on_while_the_store_is_away(
    resolver: Resolver, publish_linear: Any, clock: Any, watched: Any
) -> None:
    publish_linear()
    resolver.resolve("glow", "1")
    watched.away = True
    clock.now_s += TTL_S

    assert resolver.resolve("glow", "1").version == 1
    assert resolver.stale_refreshes == 1


def test_an_alias_that_was_never_pointed_anywhere_is_not_found(
    resolver: Resolver, publish_linear: Any, store: Store
) -> None:
    change = publish_linear().published
    unborn = Alias(model="glow", alias="beta", revision=0, routes=(), change=change)
    store.create(alias_key("glow", "beta"), seal(unborn).data)

    with pytest.raises(AliasNotFound):
        resolver.resolve("glow", "beta")


def test_a_document_that_stands_in_the_place_of_another_is_damaged(
    resolver: Resolver, publish_linear: Any, store: Store
) -> None:
    publish_linear(seed=1)
    publish_linear(seed=2)
    store.put(version_key("glow", 1), store.get(version_key("glow", 2)).data)
    store.put(alias_key("glow", "beta"), store.get(alias_key("glow", "live")).data)

    for name in ("1", "beta"):
        with pytest.raises(DocumentDamaged):
            resolver.resolve("glow", name)
