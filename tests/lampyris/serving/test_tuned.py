"""What a predict environment loads where there may be an artifact that is faster on its CPU."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from lampyris.domain.layout import blob_key, tuned_key, wish_key
from lampyris.domain.manifest import Artifact
from lampyris.domain.signature import Signature, TensorSpec
from lampyris.domain.store import Store
from lampyris.domain.tuned import Tuned, read_tuned, read_wish, write_tuned
from lampyris.publishing.tuning import tune_artifact
from lampyris.publishing.wishes import grant
from lampyris.registry.blobs import put_blobs
from lampyris.serving.cpu import Cpu
from lampyris.serving.fetch import size_bytes
from lampyris.serving.sessions import Sessions

CPU = Cpu(key="0" * 32, name="a CPU", onnxruntime=onnxruntime.__version__)
OTHER_CPU = Cpu(key="1" * 32, name="another CPU", onnxruntime=onnxruntime.__version__)
PICTURES = {"x": np.random.default_rng(1).normal(size=(2, 16, 12, 12)).astype(np.float32)}

pytestmark = pytest.mark.nchwc


def convolutions() -> onnx.ModelProto:
    weights = np.random.default_rng(0).normal(scale=0.1, size=(16, 16, 3, 3)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w"], ["a"]),
            helper.make_node("Relu", ["a"], ["b"]),
            helper.make_node("Conv", ["b", "w"], ["y"]),
        ],
        "convolutions",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 16, 12, 12])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 16, 8, 8])],
        [numpy_helper.from_array(weights, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture
def artifact(publish: Any) -> Artifact:
    """A published artifact of which there may be forms for one CPU."""
    signature = Signature(
        inputs=(TensorSpec(name="x", datatype="FP32", shape=(-1, 16, 12, 12)),),
        outputs=(TensorSpec(name="y", datatype="FP32", shape=(-1, 16, 8, 8)),),
    )
    published: Artifact = publish("lamp", model=convolutions(), signature=signature).artifact
    return msgspec.structs.replace(published, tunable=True)


@pytest.fixture
def tuned(artifact: Artifact, store: Store) -> Artifact:
    """The form of it for CPU."""

    def twice_as_fast(folder: Path) -> float | None:
        return None if tune_artifact(folder) is None else 2.0

    made = grant(artifact, store, cpu=CPU, tuning=twice_as_fast, clock=lambda: datetime.now(UTC))
    assert made is not None
    assert made.artifact is not None
    return made.artifact


@pytest.fixture
def on(watched: Any, tmp_path: Path) -> Callable[[Cpu | None], Sessions]:
    """Make a predict environment on a CPU."""

    def start(cpu: Cpu | None) -> Sessions:
        return Sessions(
            watched, folder=tmp_path / "scratch", memory_mb=1024, clock=perf_counter, cpu=lambda: cpu
        )

    return start


def keys(artifact: Artifact) -> set[str]:
    blobs = (artifact.graph, artifact.weights)
    return {blob_key(blob.digest) for blob in blobs if blob is not None}


def answer(cache: Sessions, artifact: Artifact) -> np.ndarray:
    return np.asarray(cache.get(artifact)[0].session.run(None, PICTURES)[0])


def right_answer() -> np.ndarray:
    session = onnxruntime.InferenceSession(
        convolutions().SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return np.asarray(session.run(None, PICTURES)[0])


def wish_of(store: Store, artifact: Artifact, cpu: Cpu) -> Artifact | None:
    """Wait for a wish: it is made after the session was handed out, by a thread of its own."""
    until_s = perf_counter() + 5
    while perf_counter() < until_s:
        wish = read_wish(store, wish_key(artifact.digest, cpu.key))
        if wish is not None:
            return wish
    return None


def test_form_for_this_cpu_is_loaded_and_nothing_of_the_other(
    artifact: Artifact, tuned: Artifact, watched: Any, on: Callable[..., Sessions]
) -> None:
    cache = on(CPU)

    loaded, cold = cache.get(artifact)

    assert cold
    assert set(watched.reads) == {tuned_key(artifact.digest, CPU.key), *keys(tuned)}
    assert keys(tuned) != keys(artifact)
    assert loaded.times.fetched_bytes == size_bytes(tuned)
    np.testing.assert_allclose(answer(cache, artifact), right_answer(), rtol=1e-4, atol=1e-5)


def test_session_is_kept_by_the_digest_of_the_artifact_itself(
    artifact: Artifact, tuned: Artifact, on: Callable[..., Sessions]
) -> None:
    cache = on(CPU)

    first, second = cache.get(artifact), cache.get(artifact)

    assert first[0] is second[0]
    assert list(cache._loaded) == [artifact.digest]


def test_environment_on_another_cpu_serves_the_artifact_itself_and_wishes(
    artifact: Artifact, tuned: Artifact, watched: Any, store: Store, on: Callable[..., Sessions]
) -> None:
    cache = on(OTHER_CPU)

    np.testing.assert_allclose(answer(cache, artifact), right_answer(), rtol=1e-5, atol=1e-6)

    assert set(watched.reads) >= keys(artifact)
    assert not keys(tuned) & set(watched.reads)
    assert wish_of(store, artifact, OTHER_CPU) == artifact


def test_wish_that_stands_is_left_as_it_is(
    artifact: Artifact, store: Store, on: Callable[..., Sessions]
) -> None:
    on(CPU).get(artifact)
    assert wish_of(store, artifact, CPU) is not None
    before = list(store.list("tuning/"))

    on(CPU).get(artifact)

    assert list(store.list("tuning/")) == before


def test_environment_whose_cpu_is_not_known_looks_for_nothing(
    artifact: Artifact, tuned: Artifact, watched: Any, on: Callable[..., Sessions]
) -> None:
    on(None).get(artifact)

    assert set(watched.reads) == keys(artifact)


def test_model_that_gains_nothing_is_not_looked_up(
    publish_linear: Any, watched: Any, store: Store, on: Callable[..., Sessions]
) -> None:
    artifact = publish_linear().artifact

    on(CPU).get(artifact)

    assert set(watched.reads) == keys(artifact)
    assert list(store.list("tuning/")) == []


def test_form_that_was_tried_and_not_kept_is_not_wished_for_again(
    artifact: Artifact, watched: Any, store: Store, on: Callable[..., Sessions]
) -> None:
    grant(artifact, store, cpu=CPU, tuning=lambda _: 0.9, clock=lambda: datetime.now(UTC))
    cache = on(CPU)

    np.testing.assert_allclose(answer(cache, artifact), right_answer(), rtol=1e-5, atol=1e-6)

    assert watched.reads.count(tuned_key(artifact.digest, CPU.key)) == 1
    assert list(store.list("tuning/")) == []


@pytest.mark.parametrize("document", [b"", b"\xff", b"{", b"[]", b'{"format": 2}', b"[" * 100_000])
def test_document_that_cannot_be_read_is_as_good_as_none(
    artifact: Artifact, store: Store, on: Callable[..., Sessions], document: bytes
) -> None:
    store.put(tuned_key(artifact.digest, CPU.key), document)

    np.testing.assert_allclose(answer(on(CPU), artifact), right_answer(), rtol=1e-5, atol=1e-6)


def test_store_that_fails_once_costs_the_form_and_not_the_answer(
    artifact: Artifact, tuned: Artifact, watched: Any, on: Callable[..., Sessions]
) -> None:
    watched.failures.append(OSError("connection reset"))

    np.testing.assert_allclose(answer(on(CPU), artifact), right_answer(), rtol=1e-5, atol=1e-6)

    assert not keys(tuned) & set(watched.reads)


@pytest.mark.parametrize("bit", [0, 5000])
def test_damaged_form_is_never_run(
    artifact: Artifact, tuned: Artifact, watched: Any, tmp_path: Path, on: Callable[..., Sessions], bit: int
) -> None:
    watched.damage[blob_key(tuned.graph.digest)] = bit
    cache = on(CPU)

    np.testing.assert_allclose(answer(cache, artifact), right_answer(), rtol=1e-5, atol=1e-6)

    assert cache.get(artifact)[0].times.fetched_bytes == size_bytes(artifact)
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.parametrize(
    "graph", [b"", b"not ONNX", onnx.ModelProto(ir_version=8).SerializeToString()], ids=repr
)
def test_form_that_does_not_load_gives_way_to_the_artifact_itself(
    artifact: Artifact, store: Store, on: Callable[..., Sessions], graph: bytes
) -> None:
    form = Artifact(graph=put_blobs(store, "a test", [graph])[0], weights=None, onnxruntime=CPU.onnxruntime)
    write_tuned(store, artifact, CPU.key, record(form))

    np.testing.assert_allclose(answer(on(CPU), artifact), right_answer(), rtol=1e-5, atol=1e-6)


def record(form: Artifact, onnxruntime: str = CPU.onnxruntime) -> Tuned:
    return Tuned(artifact=form, cpu=CPU.name, onnxruntime=onnxruntime, speedup=2.0, made_at=datetime.now(UTC))


def test_form_of_another_onnxruntime_is_not_loaded(
    artifact: Artifact, tuned: Artifact, watched: Any, store: Store, on: Callable[..., Sessions]
) -> None:
    newer = Cpu(key="2" * 32, name=CPU.name, onnxruntime="99.0")
    write_tuned(store, artifact, newer.key, record(tuned))

    on(newer).get(artifact)

    assert not keys(tuned) & set(watched.reads)


def test_what_came_of_tuning_is_written_once(artifact: Artifact, tuned: Artifact, store: Store) -> None:
    before = read_tuned(store, artifact, CPU.key)

    assert write_tuned(store, artifact, CPU.key, record(artifact)) is False
    assert grant(artifact, store, cpu=CPU, tuning=lambda _: 9.9, clock=lambda: datetime.now(UTC)) is None

    assert read_tuned(store, artifact, CPU.key) == before
