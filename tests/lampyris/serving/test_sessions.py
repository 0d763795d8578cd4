from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pytest

from lampyris.domain.layout import blob_key
from lampyris.errors import ArtifactDamaged
from lampyris.serving.sessions import Sessions


def sessions(store: Any, folder: Path, *, memory_mb: int = 512) -> Sessions:
    return Sessions(store, folder=folder, memory_mb=memory_mb, clock=perf_counter)


def test_a_model_loads_once_and_stays(publish_linear: Any, watched: Any, tmp_path: Path) -> None:
    artifact = publish_linear().artifact
    cache = sessions(watched, tmp_path)

    first, cold = cache.get(artifact)
    second, still_cold = cache.get(artifact)

    assert first is second
    assert (cold, still_cold) == (True, False)
    assert len(watched.reads) == len([blob for blob in (artifact.graph, artifact.weights) if blob])


def test_many_threads_load_a_cold_model_once(publish_linear: Any, watched: Any, tmp_path: Path) -> None:
    artifact = publish_linear().artifact
    cache = sessions(watched, tmp_path)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: cache.get(artifact), range(8)))

    assert len({id(loaded) for loaded, _ in found}) == 1
    assert [cold for _, cold in found].count(True) == 1
    assert len(watched.reads) == len(set(watched.reads))


def test_two_versions_with_equal_bytes_share_a_session(
    publish_linear: Any, watched: Any, tmp_path: Path
) -> None:
    first, second = publish_linear(seed=1), publish_linear(seed=1)
    cache = sessions(watched, tmp_path)

    assert (first.version, second.version) == (1, 2)
    assert cache.get(first.artifact)[0] is cache.get(second.artifact)[0]


def test_the_least_recently_used_model_makes_room(publish_linear: Any, watched: Any, tmp_path: Path) -> None:
    old, used, new = (publish_linear(f"m{seed}", seed=seed, width=30_000).artifact for seed in range(3))
    cache = sessions(watched, tmp_path, memory_mb=2)  # two of these 0.36 MB models fit into half of it
    cache.get(used)
    cache.get(old)
    cache.get(used)

    cache.get(new)

    assert cache.get(used)[1] is False
    assert cache.get(old)[1] is True


def test_a_model_larger_than_the_budget_is_served_alone(
    publish_linear: Any, watched: Any, tmp_path: Path
) -> None:
    large = publish_linear(width=200_000).artifact
    cache = sessions(watched, tmp_path, memory_mb=1)

    cache.get(large)

    assert cache.get(large)[1] is False


def test_weights_live_on_after_their_file_is_gone(publish_linear: Any, watched: Any, tmp_path: Path) -> None:
    manifest = publish_linear(width=30_000)
    assert manifest.artifact.weights is not None

    loaded, _ = sessions(watched, tmp_path).get(manifest.artifact)

    assert list(tmp_path.rglob("weights.bin")) == [
        file for file in tmp_path.rglob("weights.bin") if file.parent.name.startswith("glow")
    ]
    outputs = loaded.session.run(None, {"features": np.zeros((1, 30_000), np.float32)})
    np.testing.assert_allclose(outputs[0], [[1 / 3] * 3], rtol=1e-6)


def test_a_damaged_model_is_never_a_session_and_heals_with_its_bytes(
    publish_linear: Any, watched: Any, tmp_path: Path
) -> None:
    artifact = publish_linear().artifact
    cache = sessions(watched, tmp_path)
    watched.damage[blob_key(artifact.graph.digest)] = 7

    with pytest.raises(ArtifactDamaged):
        cache.get(artifact)
    watched.damage.clear()

    assert cache.get(artifact)[1] is True


def test_threads_follow_the_memory_and_do_not_spin(publish_linear: Any, watched: Any, tmp_path: Path) -> None:
    artifact = publish_linear().artifact

    small, _ = sessions(watched, tmp_path / "small", memory_mb=512).get(artifact)
    large, _ = sessions(watched, tmp_path / "large", memory_mb=4000).get(artifact)

    options = large.session.get_session_options()
    assert small.session.get_session_options().intra_op_num_threads == 1
    assert options.intra_op_num_threads == 2
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"
