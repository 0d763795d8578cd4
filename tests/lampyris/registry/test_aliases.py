"""Aliases: what each verb makes of them, and what a rollback returns to."""

from typing import Any

import pytest
from msgspec.structs import replace

from lampyris.adapters.memory_store import MemoryStore
from lampyris.domain.layout import alias_key, version_key
from lampyris.domain.sealed import seal, unseal
from lampyris.errors import (
    AliasChanged,
    AliasNotFound,
    InvalidName,
    InvalidSplit,
    ModelNotFound,
    NothingToPromote,
    NothingToRollBack,
    VersionDeleted,
    VersionNotFound,
)
from lampyris.registry.aliases import ABSENT, list_revisions
from lampyris.registry.documents import list_models, read_alias, read_aliases, read_revision, read_version


@pytest.fixture
def three(registry: Any) -> Any:
    """Versions 1 to 3, none of which anything points at."""
    for upload in ("u1", "u2", "u3"):
        registry.commit(upload)
    return registry


def test_alias_embeds_the_manifest_it_points_at(registry: Any) -> None:
    manifest = registry.publish("u1")

    alias = registry.alias()

    assert [(route.weight, route.manifest) for route in alias.routes] == [(100, manifest)]
    assert (alias.revision, alias.change.by, alias.previous, alias.before) == (1, "ann", None, None)


def test_moved_alias_names_the_digest_of_the_document_before(registry: Any, store: MemoryStore) -> None:
    registry.publish("u1")
    before = unseal(store.get(alias_key("iris", "live")).data)

    registry.publish("u2")

    assert registry.alias().revision == 2
    assert registry.alias().previous == before.digest


def test_redelivery_does_not_undo_a_rollback(registry: Any) -> None:
    registry.publish("u1")
    registry.publish("u2")
    back = registry.roll_back()

    registry.publish("u2")

    assert registry.alias() == back


def test_older_upload_that_finishes_last_does_not_take_the_alias_back(registry: Any) -> None:
    registry.commit("u1")
    registry.publish("u2")

    registry.publish("u1")

    assert registry.alias().newest_published == 2
    assert registry.shares() == {2: 100}


def test_older_upload_does_not_take_the_alias_back_from_one_that_was_live_before_it_was_published(
    three: Any,
) -> None:
    three.set({3: 100})
    three.publish("u3")

    three.publish("u2")

    assert three.shares() == {3: 100}


def test_publishing_ends_a_canary(three: Any) -> None:
    three.set({1: 90, 2: 10})

    three.publish("u4")

    assert three.shares() == {4: 100}


def test_split_shares_requests_out_in_the_order_given(three: Any) -> None:
    three.set({3: 60, 1: 30, 2: 10})

    assert list(three.shares().items()) == [(3, 60), (1, 30), (2, 10)]
    assert three.alias().stable.version == 3


@pytest.mark.parametrize("shares", [{}, {1: 99}, {1: 101}, {1: 100, 2: 0}, {1: 110, 2: -10}, {1: 50, 2: 49}])
def test_shares_that_do_not_make_a_whole_are_refused(three: Any, shares: dict[int, int]) -> None:
    with pytest.raises(InvalidSplit, match="together 100"):
        three.set(shares)

    with pytest.raises(AliasNotFound):
        three.alias()


@pytest.mark.parametrize("version", [0, -1, 4, 10**12])
def test_version_that_is_not_there_cannot_be_pointed_at(three: Any, version: int) -> None:
    with pytest.raises(VersionNotFound):
        three.set({version: 100})


def test_deleted_version_cannot_be_pointed_at(three: Any) -> None:
    three.delete(1)

    with pytest.raises(VersionDeleted):
        three.set({1: 100})


def test_alias_of_a_model_that_is_not_there_leaves_nothing_behind(registry: Any, store: MemoryStore) -> None:
    with pytest.raises(VersionNotFound):
        registry.set({1: 100})

    assert list_models(store) == []


@pytest.mark.parametrize("alias", ["", "1", "../live", "Live", "a" * 64, "x/y"])
def test_name_against_the_grammar_is_refused(three: Any, store: MemoryStore, alias: str) -> None:
    before = sorted(entry.key for entry in store.list("models/"))

    with pytest.raises(InvalidName):
        three.set({1: 100}, alias)

    assert sorted(entry.key for entry in store.list("models/")) == before


def test_promote_without_a_version_takes_the_canary(three: Any) -> None:
    three.set({1: 90, 2: 10})
    three.shadow(3)

    three.promote()

    assert three.shares() == {2: 100}


def test_promote_without_a_canary_takes_the_shadow(three: Any) -> None:
    three.set({1: 100})
    three.shadow(3)

    three.promote()

    assert three.shares() == {3: 100}
    assert three.alias().shadow is None


def test_promote_takes_the_version_that_is_named(three: Any) -> None:
    three.set({1: 90, 2: 10})

    three.promote(3)

    assert three.shares() == {3: 100}


def test_promote_of_version_zero_does_not_take_the_canary(three: Any) -> None:
    three.set({1: 90, 2: 10})

    with pytest.raises(VersionNotFound):
        three.promote(0)


def test_promote_of_the_stable_version_ends_the_canary(three: Any) -> None:
    three.set({1: 90, 2: 10})

    three.promote(1)

    assert three.shares() == {1: 100}


def test_promote_needs_somebody_to_promote(three: Any) -> None:
    three.set({1: 100})

    with pytest.raises(NothingToPromote, match="neither canary nor shadow"):
        three.promote()


def test_verbs_that_change_an_alias_need_one(three: Any) -> None:
    for verb in (three.promote, three.roll_back, lambda: three.shadow(1)):
        with pytest.raises(AliasNotFound):
            verb()


def test_verbs_that_change_an_alias_need_a_model(registry: Any, store: MemoryStore) -> None:
    for verb in (registry.promote, registry.roll_back, lambda: registry.shadow(1)):
        with pytest.raises(ModelNotFound):
            verb()

    assert list_models(store) == []


def test_shadow_stays_beside_new_routes(three: Any) -> None:
    three.set({1: 100})
    three.shadow(3, share=20)

    three.set({2: 100})

    shadow = three.alias().shadow
    assert (shadow.manifest.version, shadow.weight) == (3, 20)


def test_shadow_ends_when_it_answers_itself(three: Any) -> None:
    three.set({1: 100})
    three.shadow(3)

    three.set({1: 90, 3: 10})

    assert three.alias().shadow is None


def test_shadow_is_another_than_those_that_answer(three: Any) -> None:
    three.set({1: 90, 2: 10})

    with pytest.raises(InvalidSplit, match="Version 2 answers requests of alias 'live' itself"):
        three.shadow(2)


@pytest.mark.parametrize("share", [0, 101, -1])
def test_shadow_of_no_share_is_refused(three: Any, share: int) -> None:
    three.set({1: 100})

    with pytest.raises(InvalidSplit, match="use 1 to 100"):
        three.shadow(2, share=share)


def test_shadow_is_ended_by_none(three: Any) -> None:
    three.set({1: 100})
    three.shadow(3)

    three.shadow(None)

    assert three.alias().shadow is None
    assert three.shares() == {1: 100}


def test_rollback_walks_back(three: Any) -> None:
    for version in (1, 2, 3):
        three.set({version: 100})

    assert three.roll_back().stable.version == 2
    assert three.roll_back().stable.version == 1
    with pytest.raises(NothingToRollBack):
        three.roll_back()


def test_rollback_ends_a_canary_and_a_shadow(three: Any) -> None:
    three.set({1: 100})
    three.set({1: 90, 2: 10})
    three.shadow(3)

    three.roll_back()

    assert three.shares() == {1: 100}
    assert three.alias().shadow is None


def test_rollback_of_a_promoted_canary_restores_what_was_stable(three: Any) -> None:
    three.set({1: 100})
    three.set({1: 90, 2: 10})
    three.set({1: 50, 2: 50})
    three.promote()

    three.roll_back()

    assert three.shares() == {1: 100}


def test_rollback_after_an_abandoned_canary_restores_the_version_before(three: Any) -> None:
    """The last revision with one version is of the same version: nobody means that by a rollback."""
    three.set({1: 100})
    three.set({2: 100})
    three.set({2: 90, 3: 10})
    three.set({2: 100})

    three.roll_back()

    assert three.shares() == {1: 100}


def test_rollback_after_a_change_of_the_shadow_restores_the_version_before(three: Any) -> None:
    three.set({1: 100})
    three.set({2: 100})
    three.shadow(3)
    three.shadow(None)

    three.roll_back()

    assert three.shares() == {1: 100}


def test_rollback_passes_over_versions_that_were_deleted(three: Any) -> None:
    three.commit("u4")
    for version in (1, 2, 3, 4):
        three.set({version: 100})
    three.delete(2)

    three.roll_back()
    three.roll_back()

    assert three.shares() == {1: 100}


def test_rollback_never_returns_to_what_answers_already(three: Any) -> None:
    for version in (1, 2, 1, 3):
        three.set({version: 100})
    three.delete(2)
    three.roll_back()

    with pytest.raises(NothingToRollBack):
        three.roll_back()

    assert three.shares() == {1: 100}


def test_rollback_works_while_a_deletion_of_what_it_restores_is_stuck(three: Any, store: MemoryStore) -> None:
    """Who marked version 1 died before it saw that the alias would return to it."""
    three.set({1: 100})
    moved = three.set({2: 100})
    manifest = read_version(store, "iris", 1)
    store.put(version_key("iris", 1), seal(replace(manifest, closing=moved.change)).data)

    three.roll_back()

    assert moved.before == 1
    assert three.shares() == {1: 100}


def test_first_alias_has_nothing_to_roll_back_to(three: Any) -> None:
    three.set({1: 100})

    with pytest.raises(NothingToRollBack, match="has named nothing else before"):
        three.roll_back()


def test_alias_moves_if_it_is_as_the_caller_knows_it(three: Any) -> None:
    three.set({1: 100}, expected=ABSENT)

    three.promote(2, expected=1)
    three.roll_back(expected=2)

    assert three.alias().revision == 3


@pytest.mark.parametrize("expected", [ABSENT, 2, 7])
def test_alias_does_not_move_if_it_is_not_as_the_caller_knows_it(three: Any, expected: int) -> None:
    three.set({1: 100})

    with pytest.raises(AliasChanged, match="is at revision 1"):
        three.set({2: 100}, expected=expected)

    assert three.shares() == {1: 100}


def test_alias_that_is_expected_must_be_there(three: Any) -> None:
    with pytest.raises(AliasChanged, match="is not there"):
        three.set({1: 100}, expected=1)


def test_history_tells_the_newest_revision_first(three: Any, store: MemoryStore) -> None:
    for version in (1, 2, 3):
        three.set({version: 100})

    history = list_revisions(store, "iris", "live", limit=10)

    assert [(alias.revision, alias.stable.version) for alias in history] == [(3, 3), (2, 2), (1, 1)]


def test_history_is_told_in_pages(three: Any, store: MemoryStore) -> None:
    for version in (1, 2, 3):
        three.set({version: 100})

    first = list_revisions(store, "iris", "live", limit=2)
    second = list_revisions(store, "iris", "live", limit=2, before=first[-1].revision)

    assert [alias.revision for alias in first + second] == [3, 2, 1]
    assert list_revisions(store, "iris", "live", limit=2, before=1) == []
    assert list_revisions(store, "iris", "live", limit=2, before=99) == first


def test_each_revision_is_kept_as_it_was(three: Any, store: MemoryStore) -> None:
    first = three.set({1: 100})
    second = three.set({1: 90, 2: 10})

    assert read_revision(store, "iris", "live", 1) == first
    assert read_revision(store, "iris", "live", 2) == second


def test_alias_that_nobody_has_pointed_anywhere_is_not_there(three: Any, store: MemoryStore) -> None:
    """Whoever made it died between its two writes."""
    moved = three.set({1: 100})
    unborn = type(moved)(model="iris", alias="next", revision=0, routes=(), change=moved.change)
    store.create(alias_key("iris", "next"), seal(unborn).data)

    with pytest.raises(AliasNotFound):
        read_alias(store, "iris", "next")
    with pytest.raises(AliasNotFound):
        list_revisions(store, "iris", "next", limit=1)
    with pytest.raises(AliasNotFound):
        three.promote(1, "next")
    assert [alias.alias for alias in read_aliases(store, "iris")] == ["live"]
    assert three.set({2: 100}, "next", expected=ABSENT).revision == 1
