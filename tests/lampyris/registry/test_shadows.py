from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lampyris.domain.copies import copy_id
from lampyris.domain.layout import comparison_key
from lampyris.domain.store import Store
from lampyris.errors import AliasNotFound, InvalidName, ModelNotFound
from lampyris.registry.aliases import set_routes, set_shadow
from lampyris.registry.changes import Author
from lampyris.registry.shadows import Comparison, summarise, write_comparison

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def comparison(number: int, **changes: Any) -> Comparison:
    """Make what came of a copy that was made `number` seconds after NOW."""
    at = NOW + timedelta(seconds=number)
    facts = {
        "id": copy_id(at, bytes(10)),
        "model": "glow",
        "alias": "live",
        "revision": 1,
        "answered": 1,
        "shadow": 2,
        "at": at,
        "answered_ms": float(number),
        "shadow_ms": float(number * 2),
        "agrees": True,
        "biggest_difference": 0.0,
        "same_class": True,
    }
    return Comparison(**{**facts, **changes})


def failed(number: int, code: str) -> Comparison:
    nothing = dict.fromkeys(("shadow_ms", "agrees", "biggest_difference", "same_class"))
    return comparison(number, code=code, **nothing)


def test_a_copy_is_compared_once(store: Store) -> None:
    first = write_comparison(store, comparison(1))
    again = write_comparison(store, comparison(1, agrees=False))

    assert (first, again) == (True, False)
    assert summarise(store, "glow", "live", 2).differing == 0


def test_a_summary_counts_what_differed_and_what_failed(store: Store) -> None:
    for number in range(1, 101):
        write_comparison(store, comparison(number, same_class=number > 20))
    write_comparison(store, comparison(101, agrees=False, biggest_difference=0.5, same_class=None))
    for number in range(102, 105):
        write_comparison(store, failed(number, "invalid-tensor"))
    write_comparison(store, failed(105, "out-of-memory"))

    summary = summarise(store, "glow", "live", 2)

    assert (summary.version, summary.requests, summary.differing) == (2, 105, 1)
    assert summary.failed == {"invalid-tensor": 3, "out-of-memory": 1}
    assert summary.class_agreement == 0.8
    assert summary.biggest_difference == 0.5
    assert (summary.answered_p50_ms, summary.answered_p99_ms) == (53, 104)
    assert (summary.shadow_p50_ms, summary.shadow_p99_ms) == (102, 200)
    assert (summary.oldest_at, summary.newest_at) == (
        NOW + timedelta(seconds=1),
        NOW + timedelta(seconds=105),
    )
    assert summary.next is None


def test_pages_begin_with_the_newest_and_leave_none_out(store: Store) -> None:
    for number in range(1, 26):
        write_comparison(store, comparison(number))

    pages = [summarise(store, "glow", "live", 2, limit=10)]
    while (after := pages[-1].next) is not None:
        pages.append(summarise(store, "glow", "live", 2, limit=10, after=after))

    assert [page.requests for page in pages] == [10, 10, 5]
    assert [page.newest_at for page in pages] == [NOW + timedelta(seconds=number) for number in (25, 15, 5)]


def test_a_full_last_page_is_the_last(store: Store) -> None:
    for number in range(10):
        write_comparison(store, comparison(number))

    assert summarise(store, "glow", "live", 2, limit=10).next is None


def test_nothing_was_asked_of_a_version_that_was_no_shadow(store: Store) -> None:
    write_comparison(store, comparison(1))

    summary = summarise(store, "glow", "live", 3)

    assert (summary.requests, summary.failed) == (0, {})
    assert (summary.class_agreement, summary.answered_p50_ms, summary.shadow_p99_ms) == (None, None, None)


def test_a_comparison_that_expires_while_it_is_read_is_left_out(store: Store) -> None:
    write_comparison(store, comparison(1))
    write_comparison(store, comparison(2))

    class Expiring:
        def get(self, key: str) -> Any:
            store.delete(comparison_key("glow", "live", 2, comparison(1).id))
            return store.get(key)

        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

    expiring: Any = Expiring()

    assert summarise(expiring, "glow", "live", 2).requests == 1


def test_without_a_version_it_is_the_alias_shadow_or_else_the_last_that_was(
    store: Store, publish_linear: Any
) -> None:
    author = Author(key="stable", by="a test")
    for seed in range(3):
        publish_linear(seed=seed)
    never = summarise(store, "glow", "live")
    set_routes(store, "glow", "live", {1: 100}, author=author, now=NOW)
    for version in (2, 3):
        write_comparison(store, comparison(version, shadow=version))
    past = summarise(store, "glow", "live")
    set_shadow(store, "glow", "live", 2, author=Author(key="shadow", by="a test"), now=NOW)

    assert (never.version, past.version, summarise(store, "glow", "live").version) == (None, 3, 2)


def test_what_does_not_exist_is_named(store: Store, publish_linear: Any) -> None:
    publish_linear()

    with pytest.raises(ModelNotFound):
        summarise(store, "nope", "live")
    with pytest.raises(AliasNotFound):
        summarise(store, "glow", "beta")
    with pytest.raises(InvalidName):
        summarise(store, "../x", "live", 1)
