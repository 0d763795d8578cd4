"""Verbs about the audit."""

from typing import Any

from lampyris.control.aliases import Share
from lampyris.control.call import Registry
from lampyris.domain.layout import audit_key
from lampyris.domain.manifest import Change
from lampyris.domain.sealed import seal
from lampyris.registry.audit import Entry


def test_every_change_is_listed_with_who_and_why_the_newest_first(run: Any, publish: Any) -> None:
    publish()

    run("aliases set", model="iris", alias="beta", routes=(Share(version=1),), by="eve", reason="to try")

    newest, *others = run("audit list").items
    assert (newest.change.by, newest.change.reason, newest.subject) == ("eve", "to try", "alias beta")
    assert [entry.subject for entry in others] == ["alias live", "version 1"]


def test_audit_is_paged(run: Any, publish: Any) -> None:
    for _ in range(3):
        publish()

    first = run("audit list", limit=4)
    second = run("audit list", limit=4, after=first.next)

    assert [[entry.number for entry in page.items] for page in (first, second)] == [[6, 5, 4, 3], [2, 1]]
    assert second.next is None


def test_one_models_changes_are_found_among_those_of_others(run: Any, publish: Any) -> None:
    publish(model="ash")
    for _ in range(3):
        publish(model="birch")

    page = run("audit list", model="ash", limit=1)
    rest = run("audit list", model="ash", limit=1, after=page.next)

    assert [entry.number for entry in (*page.items, *rest.items)] == [2, 1]


def test_page_of_one_model_ends_where_enough_was_looked_through(run: Any, registry: Registry) -> None:
    change = Change(id="k", action="gc", by="ann", reason="", at=registry.now(), audited=0)
    for number in range(1, 1203):
        model = "ash" if number in {3, 1150} else "birch"
        entry = Entry(number=number, change=change, model=model, subject="", document="")
        registry.store.put(audit_key(number), seal(entry).data)

    first = run("audit list", model="ash")
    second = run("audit list", model="ash", after=first.next)

    assert [[entry.number for entry in page.items] for page in (first, second)] == [[1150], [3]]
    assert (first.next, second.next) == ("203", None)


def test_empty_audit_is_an_empty_page(run: Any) -> None:
    page = run("audit list")

    assert (page.items, page.next) == ((), None)
