"""Verbs about aliases."""

from typing import Any

import pytest

from lampyris.control.aliases import AliasState, Share
from lampyris.errors import AliasChanged, AliasNotFound, InvalidSplit, KeyReused, ModelNotFound


def shares(state: AliasState) -> dict[int, int]:
    return {share.version: share.weight for share in state.routes}


def test_alias_says_where_it_points_and_who_pointed_it_there(run: Any, publish: Any) -> None:
    publish()
    publish()

    run("aliases set", model="iris", routes=(Share(version=1),), reason="it was better", by="eve")

    state = run("aliases show", model="iris")
    assert shares(state) == {1: 100}
    assert (state.revision, state.before, state.shadow) == (3, 2, None)
    assert (state.action, state.changed_by, state.reason) == ("set", "eve", "it was better")


def test_requests_are_split_with_the_first_version_the_stable_one(run: Any, publish: Any) -> None:
    publish()
    publish()

    state = run(
        "aliases set", model="iris", routes=(Share(version=2, weight=90), Share(version=1, weight=10))
    )

    assert [share.version for share in state.routes] == [2, 1]
    assert state.action == "split"


def test_version_with_two_shares_is_refused(run: Any, publish: Any) -> None:
    publish()

    with pytest.raises(InvalidSplit, match="twice"):
        run("aliases set", model="iris", routes=(Share(version=1, weight=50), Share(version=1, weight=50)))


def test_alias_is_made_where_none_was(run: Any, publish: Any) -> None:
    publish()

    run("aliases set", model="iris", alias="beta", routes=(Share(version=1),))

    assert [state.alias for state in run("aliases list", model="iris").items] == ["beta", "live"]


def test_canary_is_promoted_and_taken_back(run: Any, publish: Any) -> None:
    publish()
    publish(live=False)
    run("aliases set", model="iris", routes=(Share(version=1, weight=90), Share(version=2, weight=10)))

    promoted = run("aliases promote", model="iris")
    rolled_back = run("aliases rollback", model="iris")

    assert shares(promoted) == {2: 100}
    assert shares(rolled_back) == {1: 100}


def test_shadow_comes_and_goes(run: Any, publish: Any) -> None:
    publish()
    publish(live=False)

    given = run("aliases shadow", model="iris", version=2, weight=25)
    ended = run("aliases shadow", model="iris", version=None)

    assert given.shadow == Share(version=2, weight=25)
    assert ended.shadow is None
    assert shares(ended) == {1: 100}


def test_shadow_that_answered_nothing_has_no_differences(run: Any, publish: Any) -> None:
    publish()
    publish(live=False)
    run("aliases shadow", model="iris", version=2)

    summary = run("aliases shadow-differences", model="iris")

    assert (summary.version, summary.requests, summary.differing) == (2, 0, 0)


def test_the_same_key_makes_a_change_once_and_is_answered_alike(run: Any, publish: Any) -> None:
    publish()
    publish()
    publish()

    first = run("aliases rollback", model="iris", key="k")
    run("aliases set", model="iris", routes=(Share(version=3),))
    again = run("aliases rollback", model="iris", key="k")

    assert again == first
    assert shares(run("aliases show", model="iris")) == {3: 100}


def test_key_of_another_request_is_refused(run: Any, publish: Any) -> None:
    publish()
    publish()
    run("aliases rollback", model="iris", key="k")

    with pytest.raises(KeyReused):
        run("aliases promote", model="iris", version=2, key="k")


def test_callers_key_never_meets_one_of_publishing(run: Any, publish: Any) -> None:
    publish()
    publish(upload="next", live=False)
    run("aliases set", model="iris", routes=(Share(version=1),), key="publish:iris/third")
    run("aliases set", model="iris", alias="beta", routes=(Share(version=1),), key="live:iris:third")

    third = publish(upload="third")

    assert third.version == 3
    assert shares(run("aliases show", model="iris")) == {3: 100}


def test_alias_that_moved_meanwhile_is_left_alone(run: Any, publish: Any) -> None:
    publish()
    publish()

    with pytest.raises(AliasChanged, match="revision 2"):
        run("aliases rollback", model="iris", expected=1)

    assert shares(run("aliases show", model="iris")) == {2: 100}


def test_history_is_paged_from_the_newest_revision(run: Any, publish: Any) -> None:
    for _ in range(5):
        publish()

    first = run("aliases history", model="iris", limit=2)
    second = run("aliases history", model="iris", limit=2, after=first.next)
    third = run("aliases history", model="iris", limit=2, after=second.next)

    revisions = [[state.revision for state in page.items] for page in (first, second, third)]
    assert revisions == [[5, 4], [3, 2], [1]]
    assert third.next is None


def test_history_says_what_a_rollback_would_restore(run: Any, publish: Any) -> None:
    publish()
    publish()

    newest, oldest = run("aliases history", model="iris").items

    assert newest.before == oldest.revision


def test_aliases_are_paged_by_name(run: Any, publish: Any) -> None:
    publish()
    for name in ("beta", "alpha"):
        run("aliases set", model="iris", alias=name, routes=(Share(version=1),))

    first = run("aliases list", model="iris", limit=2)
    second = run("aliases list", model="iris", limit=2, after=first.next)

    assert [state.alias for state in first.items] == ["alpha", "beta"]
    assert [state.alias for state in second.items] == ["live"]
    assert second.next is None


@pytest.mark.parametrize("name", ["aliases show", "aliases promote", "aliases rollback", "aliases history"])
def test_what_is_missing_is_named(name: str, run: Any, publish: Any) -> None:
    publish()

    with pytest.raises(AliasNotFound, match="'iris' has no alias 'beta'"):
        run(name, model="iris", alias="beta")
    with pytest.raises(ModelNotFound, match="no model 'rose'"):
        run(name, model="rose")


def test_aliases_of_no_model_are_not_an_empty_list(run: Any) -> None:
    with pytest.raises(ModelNotFound):
        run("aliases list", model="iris")
