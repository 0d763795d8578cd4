import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, get_native_id
from time import perf_counter
from typing import Any, ClassVar

import pytest

from lampyris.domain.layout import blob_key
from lampyris.domain.store import Store
from lampyris.errors import ModelNotFound, ObjectNotFound, StoreUnavailable
from lampyris.registry.aliases import set_routes
from lampyris.registry.changes import Author
from lampyris.serving.preload import INIT_WAIT_S, Preload
from lampyris.serving.resolver import Resolver
from lampyris.serving.sessions import Sessions


@pytest.fixture
def resolver(watched: Any) -> Resolver:
    return Resolver(watched, alias_ttl_s=5, clock=perf_counter)


@pytest.fixture
def sessions(watched: Any, tmp_path: Path) -> Sessions:
    # Whatever this process holds besides, there is room.
    return Sessions(
        watched,
        folder=tmp_path,
        memory_mb=512,
        clock=perf_counter,
        free_bytes=lambda memory_mb: memory_mb * 2**20,
    )


def preload(resolver: Resolver, sessions: Sessions, *models: str) -> Preload:
    preload = Preload(tuple((model, "live") for model in models), resolver, sessions, clock=perf_counter)
    preload.start()
    preload.wait()
    return preload


def test_expected_models_are_loaded_before_they_are_asked_for(
    publish_linear: Any, resolver: Resolver, sessions: Sessions
) -> None:
    artifacts = [publish_linear(name, seed=seed).artifact for seed, name in enumerate(("a", "b"))]

    preload(resolver, sessions, "a", "b")

    assert [sessions.get(artifact)[1] for artifact in artifacts] == [False, False]


def test_a_failure_is_kept_for_the_log_and_met_again_by_the_request(
    publish_linear: Any, watched: Any, resolver: Resolver, sessions: Sessions
) -> None:
    artifact = publish_linear().artifact
    watched.away = True

    failures = preload(resolver, sessions, "glow").failures
    watched.away = False

    assert [type(failure) for failure in failures] == [StoreUnavailable]
    assert sessions.get(artifact)[1] is True


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a thread has no priority of its own")
def test_loading_gives_way_to_the_imports_beside_it(
    publish_linear: Any, store: Any, resolver: Resolver, tmp_path: Path
) -> None:
    class Store:
        niceness: ClassVar[set[int]] = set()

        def get_range(self, *arguments: Any) -> Any:
            self.niceness.add(os.getpriority(os.PRIO_PROCESS, get_native_id()))
            return store.get_range(*arguments)

    publish_linear()
    watched: Any = Store()
    sessions = Sessions(watched, folder=tmp_path, memory_mb=512, clock=perf_counter)

    preload(resolver, sessions, "glow")

    assert min(Store.niceness) > os.getpriority(os.PRIO_PROCESS, 0)


def test_one_unknown_model_keeps_no_other_from_loading(
    publish_linear: Any, resolver: Resolver, sessions: Sessions
) -> None:
    artifact = publish_linear().artifact

    failures = preload(resolver, sessions, "nope", "glow").failures

    assert [type(failure) for failure in failures] == [ModelNotFound]
    assert sessions.get(artifact)[1] is False


def test_models_that_hang_share_what_init_may_take(watched: Any, sessions: Sessions) -> None:
    released = Event()
    hanging = Resolver(watched, alias_ttl_s=5, clock=lambda: float(released.wait()))
    times_s = iter([0.0, INIT_WAIT_S, INIT_WAIT_S + 1])
    preload = Preload((("a", "live"), ("b", "live")), hanging, sessions, clock=lambda: next(times_s))
    preload.start()

    preload.wait()

    assert preload.failures == []
    released.set()


def test_the_stable_version_and_the_canaries_of_an_alias_are_loaded(
    publish_linear: Any, store: Store, resolver: Resolver, sessions: Sessions
) -> None:
    artifacts = [publish_linear(seed=seed).artifact for seed in range(3)]
    author = Author(key="split", by="a test")
    set_routes(
        store, "glow", "live", {1: 90, 2: 5, 3: 5}, author=author, now=datetime(2026, 1, 1, tzinfo=UTC)
    )

    preload(resolver, sessions, "glow")

    assert [sessions.get(artifact)[1] for artifact in artifacts] == [False] * 3


def test_a_canary_that_cannot_be_loaded_keeps_no_other_from_loading(
    publish_linear: Any, store: Store, resolver: Resolver, sessions: Sessions
) -> None:
    artifacts = [publish_linear(seed=seed).artifact for seed in range(3)]
    author = Author(key="split", by="a test")
    set_routes(
        store, "glow", "live", {1: 90, 2: 5, 3: 5}, author=author, now=datetime(2026, 1, 1, tzinfo=UTC)
    )
    store.delete(blob_key(artifacts[1].graph.digest))

    failures = preload(resolver, sessions, "glow").failures

    assert [type(failure) for failure in failures] == [ObjectNotFound]
    assert [sessions.get(artifact)[1] for artifact in (artifacts[0], artifacts[2])] == [False, False]
