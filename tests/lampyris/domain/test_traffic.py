from collections import Counter
from datetime import UTC, datetime
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lampyris.domain.manifest import Artifact, Blob, Change, Manifest, Route
from lampyris.domain.signature import Signature
from lampyris.domain.traffic import pick, position

NOW = datetime(2026, 1, 1, tzinfo=UTC)
# Of a billion samples that are what they should be, one is further off than so many standard deviations.
SIGMAS = 6

keys = st.text(max_size=40)


def route(version: int, weight: int) -> Route:
    blob = Blob(digest="0", size_bytes=0, part_size_bytes=1, part_digests=())
    manifest = Manifest(
        model="glow",
        version=version,
        created_at=NOW,
        upload="u",
        source="0",
        signature=Signature(inputs=(), outputs=()),
        artifact=Artifact(graph=blob, weights=None, onnxruntime="1"),
        published=Change(id="c", action="publish", by="a test", reason="", at=NOW, audited=0),
    )
    return Route(weight=weight, manifest=manifest)


def is_within_chance(hits: int, of: int, share: float) -> bool:
    return abs(hits - of * share) <= SIGMAS * sqrt(of * share * (1 - share))


def test_each_version_gets_its_share() -> None:
    routes = (route(1, 90), route(2, 10))

    shares = Counter(pick(routes, point / 1000).version for point in range(1000))

    assert shares == {1: 900, 2: 100}


def test_the_stable_route_has_the_lower_end() -> None:
    routes = (route(1, 90), route(2, 9), route(3, 1))

    assert [pick(routes, point).version for point in (0.0, 0.89, 0.91, 0.98, 0.995)] == [1, 1, 2, 2, 3]


def test_a_route_without_weight_gets_nothing() -> None:
    routes = (route(1, 0), route(2, 100), route(3, 0))

    assert {pick(routes, point / 100).version for point in range(100)} == {2}


@pytest.mark.parametrize("shares", [(99, 1), (90, 10), (50, 50), (60, 30, 10)])
def test_keys_are_shared_out_by_weight_as_exactly_as_chance_allows(shares: tuple[int, ...]) -> None:
    routes = tuple(route(version, share) for version, share in enumerate(shares, start=1))
    count = 20_000

    found = Counter(
        pick(routes, position("glow", "live", f"caller-{number}")).version for number in range(count)
    )

    for version, share in enumerate(shares, start=1):
        assert is_within_chance(found[version], count, share / 100)


@given(key=keys)
def test_a_key_has_one_place_and_it_is_below_one(key: str) -> None:
    assert 0 <= position("glow", "live", key) == position("glow", "live", key) < 1


@given(key=keys, before=st.integers(1, 98), more=st.integers(1, 98))
def test_who_was_in_a_canary_stays_in_it_while_it_grows(key: str, before: int, more: int) -> None:
    after = min(before + more, 99)
    point = position("glow", "live", key)

    was = pick((route(1, 100 - before), route(2, before)), point).version
    is_now = pick((route(1, 100 - after), route(2, after)), point).version

    assert (was, is_now) in {(1, 1), (1, 2), (2, 2)}


@given(key=keys, first=st.integers(1, 40), second=st.integers(1, 40), more=st.integers(1, 19))
def test_each_of_several_canaries_keeps_its_callers_while_it_grows_alone(
    key: str, first: int, second: int, more: int
) -> None:
    point = position("glow", "live", key)

    was = pick((route(1, 100 - first - second), route(2, first), route(3, second)), point).version
    first_grew = pick(
        (route(1, 100 - first - second - more), route(2, first + more), route(3, second)), point
    ).version
    second_grew = pick(
        (route(1, 100 - first - second - more), route(2, first), route(3, second + more)), point
    ).version

    assert was != 2 or first_grew == 2
    assert was != 3 or first_grew == second_grew == 3


def test_models_and_aliases_draw_their_canaries_from_other_callers() -> None:
    routes = (route(1, 90), route(2, 10))
    callers = [f"caller-{number}" for number in range(20_000)]

    def canaries(model: str, alias: str) -> set[str]:
        return {key for key in callers if pick(routes, position(model, alias, key)).version == 2}

    ours = canaries("glow", "live")
    for others in (canaries("moth", "live"), canaries("glow", "beta")):
        assert is_within_chance(len(ours & others), len(callers), 0.01)


def test_what_joins_model_alias_and_key_cannot_be_forged() -> None:
    assert position("a", "b", "c") != position("ab", "", "c")
    assert position("a", "b", "c") != position("a", "bc", "")


def test_half_a_surrogate_pair_is_a_key_too() -> None:
    assert 0 <= position("glow", "live", "\ud800") < 1
