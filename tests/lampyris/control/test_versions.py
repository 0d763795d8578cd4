"""Verbs about versions and models."""

from typing import Any

import pytest

from lampyris.control.aliases import Share
from lampyris.control.versions import DeletedVersion, LivingVersion
from lampyris.domain.manifest import Evidence, Gate
from lampyris.errors import (
    InvalidName,
    MalformedRequest,
    ModelNotFound,
    VersionDeleted,
    VersionInUse,
    VersionNotFound,
)


def test_versions_are_paged_from_the_newest(run: Any, publish: Any) -> None:
    for _ in range(5):
        publish()

    first = run("versions list", model="iris", limit=3)
    second = run("versions list", model="iris", limit=3, after=first.next)

    assert [[version.version for version in page.items] for page in (first, second)] == [[5, 4, 3], [2, 1]]
    assert second.next is None


def test_version_in_short_holds_what_publishing_measured(run: Any, publish: Any) -> None:
    gate = Gate(name="accuracy", limit=0.9, measured=0.8, passed=False)
    publish(
        evidence=Evidence(measured={"accuracy": 0.8}, gates=(gate,), signed_by="ab"), licences=("Apache-2.0",)
    )

    (version,) = run("versions list", model="iris").items

    assert isinstance(version, LivingVersion)
    assert (version.measured, version.gates, version.signed_by) == ({"accuracy": 0.8}, (gate,), "ab")
    assert version.licences == ("Apache-2.0",)
    assert version.size_bytes > 0


def test_version_is_shown_as_it_was_committed(run: Any, publish: Any) -> None:
    manifest = publish()

    assert run("versions show", model="iris", version=1) == manifest


def test_deleted_version_says_who_deleted_it_and_why(run: Any, publish: Any) -> None:
    publish()
    publish()
    publish()

    answer = run("versions delete", model="iris", version=1, by="eve", reason="never good")

    assert isinstance(answer, DeletedVersion)
    assert (answer.version, answer.deleted_by, answer.reason) == (1, "eve", "never good")
    assert run("versions list", model="iris").items[-1] == answer
    with pytest.raises(VersionDeleted):
        run("versions show", model="iris", version=1)


def test_deletion_repeated_by_its_key_is_answered_alike(run: Any, publish: Any) -> None:
    publish()
    publish()
    publish()

    first = run("versions delete", model="iris", version=1, key="k")

    assert run("versions delete", model="iris", version=1, key="k") == first
    with pytest.raises(VersionDeleted):
        run("versions delete", model="iris", version=1, key="another")


def test_version_that_an_alias_names_is_not_deleted(run: Any, publish: Any) -> None:
    publish()

    with pytest.raises(VersionInUse, match="'live' routes requests to it"):
        run("versions delete", model="iris", version=1)


def test_versions_of_no_model_are_not_an_empty_list(run: Any) -> None:
    with pytest.raises(ModelNotFound):
        run("versions list", model="iris")
    with pytest.raises(VersionNotFound):
        run("versions show", model="iris", version=1)


@pytest.mark.parametrize("after", ["x", "-1", "٣", "9" * 5000])
@pytest.mark.parametrize("verb", ["versions list", "aliases history"])
def test_page_begins_at_a_number(verb: str, after: str, run: Any, publish: Any) -> None:
    publish()

    with pytest.raises(MalformedRequest, match=f"after is '{after[:80]}'"):
        run(verb, model="iris", after=after)


def test_models_are_paged_with_what_is_live(run: Any, publish: Any) -> None:
    for model in ("ash", "birch", "cedar"):
        publish(model=model, live=model != "birch")

    first = run("models list", limit=2)
    second = run("models list", limit=2, after=first.next)

    assert [model.model for model in (*first.items, *second.items)] == ["ash", "birch", "cedar"]
    assert [model.live and model.live.version for model in first.items] == [1, None]
    assert second.next is None


def test_model_shows_its_aliases_and_its_newest_version(run: Any, publish: Any) -> None:
    publish()
    publish(live=False)
    run("aliases set", model="iris", alias="beta", routes=(Share(version=2),))

    details = run("models show", model="iris")

    assert details.newest == 2
    assert {state.alias: state.routes[0].version for state in details.aliases} == {"beta": 2, "live": 1}


@pytest.mark.parametrize("verb", ["models show", "versions list", "aliases list", "aliases show"])
def test_name_against_the_grammar_is_refused_with_the_rule(verb: str, run: Any) -> None:
    with pytest.raises(InvalidName, match="lower-case"):
        run(verb, model="../audit")


def test_no_model_is_an_empty_list(run: Any) -> None:
    assert run("models list").items == ()
    with pytest.raises(ModelNotFound):
        run("models show", model="iris")
