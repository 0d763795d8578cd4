"""A version about which there is something to say, and its model's aliases."""

from collections.abc import Callable
from datetime import UTC, datetime

import msgspec
import pytest

from lampyris.domain.manifest import Alias, Artifact, Blob, Change, Evidence, Gate, Manifest, Route
from lampyris.domain.signature import Signature, TensorSpec

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


def blob(letter: str) -> Blob:
    return Blob(digest=letter * 64, size_bytes=1000, part_size_bytes=8192, part_digests=("0" * 64,))


@pytest.fixture
def manifest_of() -> Callable[..., Manifest]:
    """Make a whole manifest, with fields of the test's own."""

    def make(**fields: object) -> Manifest:
        manifest = Manifest(
            model="iris",
            version=3,
            created_at=NOW,
            upload="u3",
            source="c" * 64,
            signature=Signature(
                inputs=(TensorSpec(name="features", datatype="FP32", shape=(-1, 4)),),
                outputs=(TensorSpec(name="p", datatype="FP32", shape=(-1, 3)),),
                labels=("setosa", "versicolor", "virginica"),
            ),
            artifact=Artifact(graph=blob("a"), weights=blob("b"), onnxruntime="1.31.1"),
            published=Change(
                id="k", action="publish", by="ada", reason="better on petals", at=NOW, audited=0
            ),
            licences=("MIT",),
            metrics={"int8": {"accuracy": 0.97}},
            provenance={"dataset": {"name": "iris", "digest": "d" * 64}, "intended_use": "To tell flowers."},
            evidence=Evidence(
                measured={"accuracy": 0.95, "latency_p99_ms": 0.125},
                gates=(
                    Gate(name="min_accuracy", limit=0.9, measured=0.95, passed=True),
                    Gate(name="max_drop_fp32", limit=0.01, measured=None, passed=False),
                    Gate(name="max_drop_live", limit=0.01, measured=None, passed=True),
                    Gate(name="max_size_bytes", limit=1_000_000, measured=148_395.0, passed=True),
                ),
                files={"bundle.json": "e" * 64},
                signed_by="f" * 64,
                bill_of_materials=blob("9"),
            ),
        )
        return msgspec.structs.replace(manifest, **fields)

    return make


@pytest.fixture
def alias_of() -> Callable[..., Alias]:
    """Make an alias that shares its requests out over versions."""

    def make(name: str, *routes: Route, shadow: Route | None = None) -> Alias:
        change = Change(id="k", action="set", by="ada", reason="", at=NOW, audited=0)
        return Alias(model="iris", alias=name, revision=1, routes=routes, shadow=shadow, change=change)

    return make
