from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import cycle
from math import inf, sqrt
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import pytest

from lampyris.domain.layout import alias_key, blob_key
from lampyris.domain.manifest import Artifact, Manifest
from lampyris.domain.store import Store
from lampyris.errors import (
    ArtifactDamaged,
    ModelLoading,
    ObjectNotFound,
    OutOfMemory,
    StorageFull,
    StoreUnavailable,
)
from lampyris.registry.aliases import set_routes
from lampyris.registry.changes import Author
from lampyris.serving.releases import Releases
from lampyris.serving.resolver import Resolver
from lampyris.serving.sessions import Loaded, Sessions
from lampyris.serving.trace import Trace

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RETRY_S = 30
LONGEST_RETRY_S = 900


@dataclass
class Asked:
    sticky_key: str = ""
    deadline_s: float = inf
    trace: Trace = field(default_factory=Trace)


@dataclass
class Draws:
    """Draws numbers, and tells how often it was asked."""

    values: Callable[[], float]
    count: int = 0

    def __call__(self) -> float:
        self.count += 1
        return self.values()


@pytest.fixture
def versions(publish_linear: Any) -> list[Manifest]:
    return [publish_linear(seed=seed) for seed in range(2)]


@pytest.fixture
def split(store: Store, versions: list[Manifest]) -> Callable[[int], None]:
    """Give version 2 a share of what version 1 gets."""

    def split_live(percent: int) -> None:
        author = Author(key=f"split {percent}", by="a test")
        set_routes(store, "glow", "live", {1: 100 - percent, 2: percent}, author=author, now=NOW)

    return split_live


@pytest.fixture
def sessions(watched: Any, clock: Any, tmp_path: Path) -> Sessions:
    return Sessions(
        watched, folder=tmp_path / "scratch", memory_mb=512, clock=clock, free_bytes=lambda _: 2**40
    )


@pytest.fixture
def start(watched: Any, sessions: Sessions, clock: Any) -> Callable[..., Releases]:
    """Start an environment that draws a number for each request, the canary's by default."""

    def start_environment(random: Callable[[], float] = lambda: 0.999) -> Releases:
        resolver = Resolver(watched, alias_ttl_s=5, clock=clock)
        return Releases(resolver, sessions, clock=clock, random=random)

    return start_environment


def is_within_chance(hits: int, of: int, share: float) -> bool:
    return abs(hits - of * share) <= 6 * sqrt(of * share * (1 - share))


def test_requests_without_a_key_are_shared_out_as_exactly_as_chance_allows(split: Any, start: Any) -> None:
    split(10)
    releases = start(Random(0).random)
    count = 5000

    found = Counter(releases.choose(Asked(), "glow", "live").version for _ in range(count))

    assert is_within_chance(found[2], count, 0.1)
    assert found[1] == count - found[2]


def test_a_key_gets_one_version_whatever_is_drawn(split: Any, start: Any) -> None:
    split(50)
    draws = cycle([0.0, 0.999])
    releases = start(lambda: next(draws))

    found = {
        key: {releases.choose(Asked(sticky_key=key), "glow", "live").version for _ in range(4)}
        for key in map(str, range(50))
    }

    assert all(len(versions) == 1 for versions in found.values())
    assert set().union(*found.values()) == {1, 2}


def test_environments_agree_about_a_key_and_keep_it_while_its_canary_grows(
    split: Any, start: Any, clock: Any
) -> None:
    canaries: list[set[str]] = []
    for percent in (10, 20, 50):
        split(percent)
        here, there = start(), start()
        found = [
            {
                key
                for key in map(str, range(300))
                if releases.choose(Asked(sticky_key=key), "glow", "live").version == 2
            }
            for releases in (here, there)
        ]
        assert found[0] == found[1]
        canaries.append(found[0])

    assert canaries[0] < canaries[1] < canaries[2]


def test_where_there_is_one_version_nothing_is_drawn_or_loaded(
    versions: list[Manifest], start: Any, watched: Any
) -> None:
    draws = Draws(lambda: 0.5)

    chosen = start(draws).choose(Asked(), "glow", "live")

    assert chosen.version == 2
    assert draws.count == 0
    assert watched.reads == [alias_key("glow", "live")]


def test_the_stable_version_is_left_to_its_run_to_load(split: Any, start: Any, watched: Any) -> None:
    split(10)

    assert start(lambda: 0.0).choose(Asked(), "glow", "live").version == 1
    assert watched.reads == [alias_key("glow", "live")]


def test_a_number_is_that_version_and_no_other_answers_for_it(
    split: Any, start: Any, store: Store, versions: list[Manifest]
) -> None:
    split(10)
    store.delete(blob_key(versions[1].artifact.graph.digest))
    asked = Asked()

    chosen = start().choose(asked, "glow", "2")

    assert chosen.version == 2
    assert (asked.trace.manifest, asked.trace.alias, asked.trace.canary) == (chosen, None, None)


def test_a_canary_that_loads_answers_and_is_cold_once(split: Any, start: Any) -> None:
    split(10)
    releases = start()
    first, second = Asked(), Asked()

    chosen = [releases.choose(asked, "glow", "live").version for asked in (first, second)]

    assert chosen == [2, 2]
    assert (first.trace.is_cold, second.trace.is_cold) == (True, False)


@pytest.mark.parametrize(
    "failure",
    [
        ArtifactDamaged(digest="0", part=0),
        ObjectNotFound(key="blobs/0"),
        StoreUnavailable(operation="get", cause="told to"),
        StorageFull(size_bytes=1),
        OutOfMemory(),
        MemoryError(),
        RuntimeError("onnxruntime refuses the graph"),
    ],
)
def test_whatever_keeps_a_canary_from_loading_the_stable_version_answers(
    split: Any, start: Any, watched: Any, failure: Exception
) -> None:
    split(10)
    draws = iter([0.0, 0.999])
    releases = start(lambda: next(draws))
    releases.choose(Asked(), "glow", "live")  # the stable version's turn: from now on the alias is known
    watched.failures += [failure, failure]  # where room is lacking, it is tried once more
    asked = Asked()

    chosen = releases.choose(asked, "glow", "live")

    assert chosen.version == 1
    assert asked.trace.manifest is chosen
    assert asked.trace.canary is not None
    assert asked.trace.canary.version == 2
    assert asked.trace.canary_error is failure


def damage(store: Store, manifest: Manifest) -> Callable[[], None]:
    """Damage a version's bytes; return what mends them."""
    key = blob_key(manifest.artifact.graph.digest)
    whole = store.get(key).data
    store.put(key, bytes(len(whole)))
    return lambda: store.put(key, whole)


def test_a_canary_that_failed_is_left_alone_for_a_while_and_then_tried_again(
    split: Any, start: Any, store: Store, versions: list[Manifest], clock: Any, watched: Any
) -> None:
    split(10)
    mend = damage(store, versions[1])
    releases = start()
    failed, left_alone, tried_again = Asked(), Asked(), Asked()

    releases.choose(failed, "glow", "live")
    reads = len(watched.reads)
    chosen = releases.choose(left_alone, "glow", "live")
    assert len(watched.reads) == reads
    mend()
    clock.now_s += RETRY_S

    assert (chosen.version, releases.choose(tried_again, "glow", "live").version) == (1, 2)
    assert isinstance(failed.trace.canary_error, ArtifactDamaged)
    assert (left_alone.trace.canary, left_alone.trace.canary_error) == (versions[1], None)
    assert tried_again.trace.canary is None


def test_a_canary_that_goes_on_failing_is_tried_ever_less_often(
    split: Any, start: Any, store: Store, versions: list[Manifest], clock: Any
) -> None:
    split(10)
    damage(store, versions[1])
    releases = start()
    waits_s: list[float] = []
    tried_s = 0.0

    while clock.now_s < 3 * LONGEST_RETRY_S:
        asked = Asked()
        releases.choose(asked, "glow", "live")
        if asked.trace.canary_error is not None:
            waits_s.append(clock.now_s - tried_s)
            tried_s = clock.now_s
        clock.now_s += RETRY_S

    assert waits_s == [0, 30, 60, 120, 240, 480, 900]


def test_a_canary_that_recovered_is_tried_as_soon_as_any_when_it_fails_anew(
    split: Any, start: Any, store: Store, versions: list[Manifest], sessions: Sessions, clock: Any
) -> None:
    split(10)
    mend = damage(store, versions[1])
    releases = start()
    for wait_s in (RETRY_S, 2 * RETRY_S):
        releases.choose(Asked(), "glow", "live")
        clock.now_s += wait_s
    mend()
    assert releases.choose(Asked(), "glow", "live").version == 2
    sessions.drop()
    mend = damage(store, versions[1])
    assert releases.choose(Asked(), "glow", "live").version == 1
    mend()
    clock.now_s += RETRY_S

    assert releases.choose(Asked(), "glow", "live").version == 2


class NotingSessions(Sessions):
    """Notes until when callers would wait, and has none wait."""

    deadlines_s: ClassVar[list[float]] = []

    def get(self, artifact: Artifact, *, deadline_s: float = inf) -> tuple[Loaded, bool]:
        self.deadlines_s.append(deadline_s)
        return super().get(artifact, deadline_s=0)


def test_a_canary_may_take_half_of_the_time_and_goes_on_loading(
    split: Any, versions: list[Manifest], watched: Any, clock: Any, tmp_path: Path
) -> None:
    split(10)
    sessions = NotingSessions(watched, folder=tmp_path, memory_mb=512, clock=clock)
    resolver = Resolver(watched, alias_ttl_s=5, clock=clock)
    releases = Releases(resolver, sessions, clock=clock, random=lambda: 0.999)
    watched.open.clear()
    clock.now_s = 10
    asked = Asked(deadline_s=30)

    chosen = releases.choose(asked, "glow", "live")
    watched.open.set()

    assert chosen.version == 1
    assert isinstance(asked.trace.canary_error, ModelLoading)
    assert sessions.deadlines_s == [20]
    assert Sessions.get(sessions, versions[1].artifact)[0].times.fetched_bytes > 0


def test_one_canary_that_fails_does_not_keep_another_from_answering(
    publish_linear: Any, store: Store, versions: list[Manifest], start: Any
) -> None:
    publish_linear(seed=2)
    author = Author(key="split", by="a test")
    set_routes(store, "glow", "live", {1: 50, 2: 25, 3: 25}, author=author, now=NOW)
    damage(store, versions[1])
    draws = cycle([0.6, 0.9])
    releases = start(lambda: next(draws))

    found = [releases.choose(Asked(), "glow", "live").version for _ in range(4)]

    assert found == [1, 3, 1, 3]
