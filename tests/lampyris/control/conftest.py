"""A registry to ask by verb: `run("aliases show", model="iris")`, and versions that are quick to publish."""

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from typing import Any

import msgspec
import pytest

from lampyris.adapters.memory_queues import MemoryQueues
from lampyris.adapters.memory_table import MemoryTable
from lampyris.adapters.object_store import memory_store
from lampyris.control.call import Caller, Registry
from lampyris.control.verbs import VERBS
from lampyris.domain.manifest import Artifact, Change, Manifest
from lampyris.domain.signature import Signature, TensorSpec
from lampyris.domain.store import Store
from lampyris.jobs.jobs import Jobs
from lampyris.registry.aliases import publish_to_alias
from lampyris.registry.blobs import put_blobs
from lampyris.registry.changes import Author
from lampyris.registry.versions import commit_version

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SIGNATURE = Signature(
    inputs=(TensorSpec(name="x", datatype="FP32", shape=(-1, 4)),),
    outputs=(TensorSpec(name="p", datatype="FP32", shape=(-1, 3)),),
)

Publish = Callable[..., Manifest]
Run = Callable[..., Any]


@pytest.fixture
def store() -> Store:
    return memory_store()


@pytest.fixture
def registry(store: Store) -> Registry:
    jobs = Jobs(MemoryTable(), MemoryQueues(), now=lambda: NOW)
    return Registry(store=store, now=lambda: NOW, backups=memory_store(), jobs=jobs)


@pytest.fixture
def publish(store: Store) -> Publish:
    """Publish a version of `iris`, with fields of its manifest as they are given."""
    uploads = count(1)

    def publish_version(*, model: str = "iris", live: bool = True, **fields: Any) -> Manifest:
        upload = fields.pop("upload", f"u{next(uploads)}")
        change = Change(
            id=f"publish:{model}/{upload}", action="publish", by="ann", reason="", at=NOW, audited=0
        )
        (graph,) = put_blobs(store, f"{model}/{upload}", [f"graph of {model} {upload}".encode()])
        draft = Manifest(
            model=model,
            version=0,
            created_at=NOW,
            upload=upload,
            source="ef" * 32,
            signature=SIGNATURE,
            artifact=Artifact(graph=graph, weights=None, onnxruntime="1.31.1"),
            published=change,
        )
        committed = commit_version(store, msgspec.structs.replace(draft, **fields), None)
        assert isinstance(committed, Manifest)
        if live:
            author = Author(key=f"live:{model}:{upload}", by="ann")
            publish_to_alias(store, committed, alias="live", author=author, now=NOW)
        return committed

    return publish_version


@pytest.fixture
def run(registry: Registry) -> Run:
    """Run a verb by its name; each change has a key of its own unless it is given one."""
    verbs = {verb.name: verb for verb in VERBS}
    keys = count(1)

    def run_verb(
        name: str,
        *,
        by: str = "bob",
        key: str = "",
        reason: str = "",
        expected: int | None = None,
        **arguments: Any,
    ) -> Any:
        verb = verbs[name]
        caller = Caller(by=by, key=key or f"key {next(keys)}", reason=reason, expected=expected)
        return verb.run(registry, verb.arguments(**arguments), caller)

    return run_verb
