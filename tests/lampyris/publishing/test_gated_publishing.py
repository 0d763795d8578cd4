"""From a bundle with gates to a version that goes live, is held, or is refused: whatever the bundle says."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from io import BytesIO
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from lampyris.adapters.object_store import memory_store
from lampyris.domain.bundle import EVALUATION_FILE, MODEL_FILE, PROBE_FILE, REFERENCE_FILE, Gates, Probe
from lampyris.domain.layout import BUNDLE_FILE, Upload
from lampyris.domain.manifest import Alias, Manifest, Rejection
from lampyris.domain.signature import Signature, TensorSpec
from lampyris.domain.store import Store
from lampyris.domain.tensors import Tensor
from lampyris.errors import AliasNotFound, ModelNotFound
from lampyris.publishing.admission import admit
from lampyris.publishing.confinement import Limits, run_trial
from lampyris.publishing.trial import try_model
from lampyris.registry.documents import read_alias
from lampyris.serving.fetch import fetch

Files = dict[str, bytes]
LIMIT_BYTES = 2**30
CLASSES = 4
LABELS = np.arange(100) % CLASSES
SIGNATURE = Signature(
    inputs=(TensorSpec(name="x", datatype="FP32", shape=(-1, CLASSES)),),
    outputs=(TensorSpec(name="y", datatype="FP32", shape=(-1, CLASSES)),),
)


@pytest.fixture
def store() -> Store:
    return memory_store()


@pytest.fixture
def knowing(model_of: Callable[..., onnx.ModelProto]) -> Callable[..., bytes]:
    """Make a model that knows so many of the four classes: it is right on as many quarters of the rows."""

    def build(classes: int, *, ballast: int = 0) -> bytes:
        weights = np.eye(CLASSES, dtype=np.float32)
        weights[classes:] = weights[0] if classes else -1
        nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
        initializers = [numpy_helper.from_array(weights, "w")]
        outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", CLASSES])]
        if ballast:
            nodes = [
                helper.make_node("MatMul", ["x", "w"], ["z"]),
                helper.make_node("MatMul", ["x", "wide"], ["much"]),
                helper.make_node("ReduceMin", ["much"], ["least"]),
                helper.make_node("Add", ["z", "least"], ["y"]),
            ]
            initializers.append(numpy_helper.from_array(np.zeros((CLASSES, ballast), np.float32), "wide"))
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", CLASSES])
        data: bytes = model_of(nodes, [x], outputs, initializers).SerializeToString()
        return data

    return build


@pytest.fixture
def files_of(changed: Callable[..., Files]) -> Callable[..., Files]:
    """Make a bundle of a model, its test set and its gates; its document claims 99 %."""

    def build(model: bytes, gates: Gates, *, reference: bytes | None = None, has_test: bool = True) -> Files:
        test = BytesIO()
        np.savez(test, x=np.eye(CLASSES, dtype=np.float32)[LABELS], labels=LABELS)
        zeros = Tensor(name="x", shape=(1, CLASSES), datatype="FP32", data=[0.0] * CLASSES)
        probe = Probe(inputs=(zeros,), outputs=(msgspec.structs.replace(zeros, name="y"),), rtol=0, atol=1)
        files = {MODEL_FILE: model, PROBE_FILE: msgspec.json.encode(probe)}
        files |= {EVALUATION_FILE: test.getvalue()} if has_test else {}
        files |= {REFERENCE_FILE: reference} if reference is not None else {}
        claim = {"fp32": {"accuracy": 0.99}, "int8": {"accuracy": 0.99}}
        return changed(files, signature=SIGNATURE, gates=gates, metrics=claim)

    return build


def publish(store: Store, name: str, files: Files, *, apart: bool = False) -> Manifest | Rejection:
    """Admit a bundle, its trial in this process or apart."""
    upload = Upload(model="iris", upload=name, file=BUNDLE_FILE)
    for file, data in files.items():
        store.put(upload.key if file == BUNDLE_FILE else upload.file_key(file), data)
    limits = Limits(upload_bytes=LIMIT_BYTES, memory_bytes=2**30, time_s=60)
    return admit(
        upload,
        store,
        by="a test",
        limit_bytes=LIMIT_BYTES,
        trial=partial(run_trial, limits=limits) if apart else partial(try_model, limit_bytes=LIMIT_BYTES),
        clock=lambda: datetime.now(UTC),
    )


def published(store: Store, name: str, files: Files, *, apart: bool = False) -> Manifest:
    outcome = publish(store, name, files, apart=apart)
    assert isinstance(outcome, Manifest), outcome
    return outcome


def live(store: Store) -> int | None:
    try:
        alias: Alias = read_alias(store, "iris", "live")[0]
    except (AliasNotFound, ModelNotFound):
        return None
    return alias.stable.version


def failed(manifest: Manifest) -> dict[str, float | None]:
    return {gate.name: gate.measured for gate in manifest.evidence.gates if not gate.passed}


def test_version_that_keeps_to_all_gates_goes_live(
    store: Store, knowing: Callable[..., bytes], files_of: Callable[..., Files]
) -> None:
    gates = Gates(
        min_accuracy=1,
        max_drop_fp32=0,
        max_drop_live=0,
        max_size_bytes=10_000,
        max_latency_p99_ms=10_000,
        max_cold_start_ms=60_000,
    )

    manifest = published(store, "u1", files_of(knowing(4), gates, reference=knowing(3)), apart=True)

    assert failed(manifest) == {}
    assert live(store) == 1
    assert manifest.evidence.measured["accuracy"] == 1
    assert manifest.evidence.measured["accuracy_fp32"] == 0.75


def test_version_that_is_worse_than_the_live_one_is_held(
    store: Store, knowing: Callable[..., bytes], files_of: Callable[..., Files]
) -> None:
    gates = Gates(max_drop_live=0.1)
    published(store, "u1", files_of(knowing(4), gates))

    worse = published(store, "u2", files_of(knowing(3), gates))

    assert (worse.version, live(store)) == (2, 1)
    assert failed(worse) == {"max_drop_live": 0.25}
    assert worse.evidence.measured["accuracy_live"] == 1


def test_version_that_is_better_than_the_live_one_takes_its_place(
    store: Store, knowing: Callable[..., bytes], files_of: Callable[..., Files]
) -> None:
    gates = Gates(max_drop_live=0)
    published(store, "u1", files_of(knowing(3), gates))

    published(store, "u2", files_of(knowing(4), gates))

    assert live(store) == 2


def test_what_the_bundle_says_of_its_accuracy_is_not_believed(
    store: Store, knowing: Callable[..., bytes], files_of: Callable[..., Files]
) -> None:
    manifest = published(store, "u1", files_of(knowing(2), Gates(min_accuracy=0.9)))

    assert manifest.metrics["int8"]["accuracy"] == 0.99
    assert failed(manifest) == {"min_accuracy": 0.5}
    assert live(store) is None


def test_compression_that_costs_too_much_is_found(
    store: Store, knowing: Callable[..., bytes], files_of: Callable[..., Files]
) -> None:
    gates = Gates(max_drop_fp32=0.01)

    manifest = published(store, "u1", files_of(knowing(3), gates, reference=knowing(4)))

    assert failed(manifest) == {"max_drop_fp32": 0.25}


def test_version_that_fails_its_gates_is_refused_where_the_recipe_says_so(
    store: Store, knowing: Callable[..., bytes], files_of: Callable[..., Files]
) -> None:
    gates = Gates(min_accuracy=0.9, max_size_bytes=1, on_failure="refuse")

    rejection = publish(store, "u1", files_of(knowing(2), gates))

    assert isinstance(rejection, Rejection)
    assert rejection.code == "gate-failed"
    assert "is 0.5, where min_accuracy asks for at least 0.9" in rejection.detail
    assert "max_size_bytes asks for at most 1 bytes" in rejection.detail
    assert live(store) is None


@pytest.mark.parametrize(
    ("gates", "gate"),
    [
        (Gates(max_size_bytes=100_000), "max_size_bytes"),
        (Gates(max_latency_p99_ms=1e-5), "max_latency_p99_ms"),
        (Gates(max_cold_start_ms=1e-5), "max_cold_start_ms"),
    ],
)
def test_large_or_slow_version_is_held(
    store: Store, knowing: Callable[..., bytes], files_of: Callable[..., Files], gates: Gates, gate: str
) -> None:
    manifest = published(store, "u1", files_of(knowing(4, ballast=10_000), gates), apart=True)

    assert list(failed(manifest)) == [gate]
    assert live(store) is None


def test_gate_on_accuracy_without_a_test_set_holds(
    store: Store, knowing: Callable[..., bytes], files_of: Callable[..., Files]
) -> None:
    manifest = published(store, "u1", files_of(knowing(4), Gates(min_accuracy=0.5), has_test=False))

    assert failed(manifest) == {"min_accuracy": None}
    assert live(store) is None


def test_artifact_of_a_held_version_is_whole(
    store: Store, knowing: Callable[..., bytes], files_of: Callable[..., Files], tmp_path: Path
) -> None:
    manifest = published(store, "u1", files_of(knowing(2), Gates(min_accuracy=0.9)))

    fetch(manifest.artifact, store, tmp_path / "artifact")

    assert any((tmp_path / "artifact").iterdir())
