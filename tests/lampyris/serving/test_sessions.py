import gc
import os
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from errno import ENOSPC
from pathlib import Path
from threading import Thread
from time import perf_counter
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lampyris.domain.layout import blob_key
from lampyris.domain.manifest import Artifact
from lampyris.errors import ArtifactDamaged, ModelLoading, OutOfMemory, StorageFull, StoreUnavailable
from lampyris.serving.fetch import size_bytes
from lampyris.serving.sessions import Sessions

MB = 2**20
AMPLE = 2**40


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    return tmp_path / "scratch"


def sessions(
    store: Any, folder: Path, *, memory_mb: int = 512, free_bytes: Callable[[int], int] = lambda _: AMPLE
) -> Sessions:
    return Sessions(store, folder=folder, memory_mb=memory_mb, clock=perf_counter, free_bytes=free_bytes)


def room_for(cache: list[Sessions], count: int, each_bytes: int, *, memory_mb: int) -> Callable[[int], int]:
    """Pretend a memory that holds `count` models beside what a request needs."""

    def free_bytes(_: int) -> int:
        return int(memory_mb * MB * 0.25) + (count - len(cache[0]._loaded)) * each_bytes

    return free_bytes


def test_a_model_loads_once_and_stays(publish_linear: Any, watched: Any, scratch: Path) -> None:
    artifact = publish_linear().artifact
    cache = sessions(watched, scratch)

    first, cold = cache.get(artifact)
    second, still_cold = cache.get(artifact)

    assert first is second
    assert (cold, still_cold) == (True, False)
    assert len(watched.reads) == len([blob for blob in (artifact.graph, artifact.weights) if blob])


def test_a_load_says_what_it_took(publish_linear: Any, watched: Any, scratch: Path) -> None:
    artifact = publish_linear(width=30_000).artifact

    times = sessions(watched, scratch).get(artifact)[0].times

    assert times.fetched_bytes == artifact.graph.size_bytes + artifact.weights.size_bytes
    assert times.fetch_ms > 0
    assert times.session_ms > 0


def test_many_threads_load_a_cold_model_once(publish_linear: Any, watched: Any, scratch: Path) -> None:
    artifact = publish_linear().artifact
    cache = sessions(watched, scratch)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: cache.get(artifact), range(8)))

    assert len({id(loaded) for loaded, _ in found}) == 1
    assert [cold for _, cold in found].count(True) == 1
    assert len(watched.reads) == len(set(watched.reads))


@pytest.fixture
def four(publish_linear: Any) -> list[Artifact]:
    return [publish_linear(f"m{seed}", seed=seed).artifact for seed in range(4)]


@given(asked=st.lists(st.integers(0, 3), min_size=1, max_size=12), kept=st.integers(1, 3))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=15)
def test_whoever_asks_for_whatever_when_gets_the_right_model(
    four: list[Artifact], watched: Any, scratch: Path, asked: list[int], kept: int
) -> None:
    own: list[Sessions] = []
    own.append(
        sessions(watched, scratch, free_bytes=room_for(own, kept, 2 * size_bytes(four[0]), memory_mb=512))
    )
    features = {"features": np.ones((1, 8), np.float32)}
    right = [
        sessions(watched, scratch / "right").get(artifact)[0].session.run(None, features)[0]
        for artifact in four
    ]

    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(lambda number: own[0].get(four[number])[0].session.run(None, features)[0], asked)
        )

    for number, answer in zip(asked, answers, strict=True):
        np.testing.assert_array_equal(answer, right[number])
    assert own[0]._loads == {}
    assert own[0]._promised == {}


def test_one_model_that_hangs_keeps_no_other_from_loading(
    publish_linear: Any, watched: Any, scratch: Path
) -> None:
    slow, quick = publish_linear("slow", seed=1).artifact, publish_linear("quick", seed=2).artifact
    cache = sessions(watched, scratch)
    watched.open.clear()
    with pytest.raises(ModelLoading):
        cache.get(slow, deadline_s=perf_counter())
    waiting = Thread(target=cache.get, args=(quick,))
    waiting.start()

    while len(watched.reads) < 2:
        assert waiting.is_alive()
    watched.open.set()
    waiting.join()

    assert cache.get(quick)[1] is False
    assert cache.get(slow)[0].session is not None


def test_a_load_goes_on_when_its_request_has_no_more_time(
    publish_linear: Any, watched: Any, scratch: Path
) -> None:
    artifact = publish_linear().artifact
    cache = sessions(watched, scratch)
    watched.open.clear()
    with pytest.raises(ModelLoading, match="Try again"):
        cache.get(artifact, deadline_s=perf_counter() + 0.01)
    watched.open.set()

    loaded, _ = cache.get(artifact)

    assert loaded.session is not None
    assert len(watched.reads) == 1


def test_a_failed_load_is_tried_again_by_the_next_request(
    publish_linear: Any, watched: Any, scratch: Path
) -> None:
    artifact = publish_linear().artifact
    cache = sessions(watched, scratch)
    watched.away = True
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            cache.get(artifact)
    watched.away = False

    assert cache.get(artifact)[1] is True
    assert list(scratch.iterdir()) == []


def test_two_versions_with_equal_bytes_share_a_session(
    publish_linear: Any, watched: Any, scratch: Path
) -> None:
    first, second = publish_linear(seed=1), publish_linear(seed=1)
    cache = sessions(watched, scratch)

    assert (first.version, second.version) == (1, 2)
    assert cache.get(first.artifact)[0] is cache.get(second.artifact)[0]


def test_the_least_recently_used_model_makes_room(publish_linear: Any, watched: Any, scratch: Path) -> None:
    old, used, new = (publish_linear(f"m{seed}", seed=seed).artifact for seed in range(3))
    own: list[Sessions] = []
    own.append(sessions(watched, scratch, free_bytes=room_for(own, 2, 2 * size_bytes(old), memory_mb=512)))
    cache = own[0]
    cache.get(used)
    cache.get(old)
    cache.get(used)

    cache.get(new)

    assert cache.get(used)[1] is False
    assert cache.get(old)[1] is True


def test_room_is_made_before_a_model_is_fetched(publish_linear: Any, watched: Any, scratch: Path) -> None:
    old, new = (publish_linear(f"m{seed}", seed=seed).artifact for seed in range(2))
    free = [AMPLE]
    cache = sessions(watched, scratch, free_bytes=lambda _: free[0])
    held = weakref.ref(cache.get(old)[0].session)
    free[0] = 0
    watched.open.clear()
    watched.reads.clear()
    with pytest.raises(ModelLoading):
        cache.get(new, deadline_s=perf_counter())

    while not watched.reads:
        pass

    assert held() is None


def test_a_dropped_session_is_gone_at_once(publish_linear: Any, watched: Any, scratch: Path) -> None:
    cache = sessions(watched, scratch)
    held = weakref.ref(cache.get(publish_linear().artifact)[0].session)
    gc.disable()  # no cycle may keep a session's memory

    assert cache.drop() == 1

    gc.enable()
    assert held() is None
    assert cache.drop() == 0


def test_a_model_larger_than_the_memory_is_served_alone(
    publish_linear: Any, watched: Any, scratch: Path
) -> None:
    small, large = publish_linear("small").artifact, publish_linear("large", width=200_000).artifact
    cache = sessions(watched, scratch, free_bytes=lambda _: 0)
    cache.get(small)

    cache.get(large)

    assert cache.get(large)[1] is False
    assert cache.get(small)[1] is True


def test_real_memory_is_room_enough_for_small_models(
    publish_linear: Any, watched: Any, scratch: Path
) -> None:
    artifacts = [publish_linear(f"m{seed}", seed=seed).artifact for seed in range(3)]
    cache = Sessions(watched, folder=scratch, memory_mb=10_240, clock=perf_counter)

    for artifact in artifacts:
        cache.get(artifact)

    assert [cache.get(artifact)[1] for artifact in artifacts] == [False] * 3


def test_weights_live_on_after_their_file_is_gone(publish_linear: Any, watched: Any, scratch: Path) -> None:
    manifest = publish_linear(width=30_000)
    assert manifest.artifact.weights is not None

    loaded, _ = sessions(watched, scratch).get(manifest.artifact)

    assert list(scratch.iterdir()) == []
    outputs = loaded.session.run(None, {"features": np.zeros((1, 30_000), np.float32)})
    np.testing.assert_allclose(outputs[0], [[1 / 3] * 3], rtol=1e-6)


def test_what_a_killed_process_left_is_removed(publish_linear: Any, watched: Any, scratch: Path) -> None:
    left = scratch / "0123-4567"
    left.mkdir(parents=True)
    (left / "weights.bin").write_bytes(b"half of it")

    sessions(watched, scratch).get(publish_linear().artifact)

    assert list(scratch.iterdir()) == []


def test_a_full_disk_is_freed_of_other_models(publish_linear: Any, watched: Any, scratch: Path) -> None:
    first, second = (publish_linear(f"m{seed}", seed=seed).artifact for seed in range(2))
    cache = sessions(watched, scratch)
    cache.get(first)
    watched.failures.append(OSError(ENOSPC, "No space left on device"))

    cache.get(second)

    assert cache.get(second)[1] is False
    assert cache.get(first)[1] is True


def test_a_disk_too_small_for_a_model_is_said(publish_linear: Any, watched: Any, scratch: Path) -> None:
    cache = sessions(watched, scratch)
    watched.failures.append(OSError(ENOSPC, "No space left on device"))

    with pytest.raises(StorageFull):
        cache.get(publish_linear().artifact)

    assert list(scratch.iterdir()) == []


def test_a_load_without_memory_takes_that_of_other_models(
    publish_linear: Any, watched: Any, scratch: Path
) -> None:
    first, second, third = (publish_linear(f"m{seed}", seed=seed).artifact for seed in range(3))
    cache = sessions(watched, scratch)
    cache.get(first)
    watched.failures.append(OutOfMemory())

    cache.get(second)

    assert list(cache._loaded) == [second.digest]
    cache.drop()
    watched.failures.append(OutOfMemory())
    with pytest.raises(OutOfMemory):
        cache.get(third)


def test_a_damaged_model_is_never_a_session_and_heals_with_its_bytes(
    publish_linear: Any, watched: Any, scratch: Path
) -> None:
    artifact = publish_linear().artifact
    cache = sessions(watched, scratch)
    watched.damage[blob_key(artifact.graph.digest)] = 7

    with pytest.raises(ArtifactDamaged):
        cache.get(artifact)
    watched.damage.clear()

    assert cache.get(artifact)[1] is True


@pytest.fixture
def wide(publish_linear: Any) -> Artifact:
    artifact: Artifact = publish_linear("wide", width=6_000).artifact
    assert artifact.weights is not None
    return artifact


@given(place=st.floats(0, 1, exclude_max=True), part=st.sampled_from(["graph", "weights"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
def test_any_flipped_bit_is_found_before_a_session_exists(
    wide: Artifact, watched: Any, scratch: Path, place: float, part: str
) -> None:
    blob = getattr(wide, part)
    watched.damage = {blob_key(blob.digest): int(place * blob.size_bytes * 8)}
    cache = sessions(watched, scratch)

    with pytest.raises(ArtifactDamaged):
        cache.get(wide)

    assert cache.drop() == 0
    assert list(scratch.iterdir()) == []


def test_threads_follow_the_memory_and_the_cores_and_do_not_spin(
    publish_linear: Any, watched: Any, scratch: Path
) -> None:
    artifact = publish_linear().artifact

    small, _ = sessions(watched, scratch / "small", memory_mb=512).get(artifact)
    large, _ = sessions(watched, scratch / "large", memory_mb=4000).get(artifact)

    options = large.session.get_session_options()
    assert small.session.get_session_options().intra_op_num_threads == 1
    assert options.intra_op_num_threads == min(2, len(os.sched_getaffinity(0)))
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
