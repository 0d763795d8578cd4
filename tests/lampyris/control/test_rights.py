"""What verbs ask of the bucket, held against what the template lets their functions ask of it."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from itertools import count
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from samtranslator.yaml_helper import yaml_parse

from lampyris.adapters.memory_store import MemoryStore
from lampyris.adapters.object_store import memory_store
from lampyris.control.aliases import Share
from lampyris.control.call import Caller, Registry
from lampyris.control.verbs import VERBS
from lampyris.domain.manifest import Artifact, Change, Evidence, Manifest, Rejection
from lampyris.domain.signature import Signature
from lampyris.domain.store import Generation, Store
from lampyris.jobs.dead_letters import DeadLetter
from lampyris.jobs.specs import BatchSpec
from lampyris.registry.aliases import publish_to_alias
from lampyris.registry.blobs import put_blobs, release
from lampyris.registry.changes import Author
from lampyris.registry.documents import write_rejection
from lampyris.registry.versions import commit_version

TEMPLATE = Path(__file__).parents[3] / "template.yaml"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEEPING = {"backup", "restore", "gc", "erase", "jobs purge"}
ACTIONS = {
    "get": "s3:GetObject",
    "get_if_changed": "s3:GetObject",
    "get_range": "s3:GetObject",
    "head": "s3:GetObject",
    "size_bytes": "s3:GetObject",
    "put": "s3:PutObject",
    "create": "s3:PutObject",
    "replace": "s3:PutObject",
    "delete": "s3:DeleteObject",
    "list": "s3:ListBucket",
    "list_folders": "s3:ListBucket",
    "generations": "s3:ListBucketVersions",
    "purge": "s3:DeleteObjectVersion",
}

# Takes the method and the key of a call.
Permit = Callable[[str, str], None]


class Guarded:
    """A store each call of which needs a permit for its action and its key."""

    def __init__(self, store: Store, permit: Permit) -> None:
        self._store = store
        self._permit = permit

    def __getattr__(self, method: str) -> Callable[..., Any]:
        def call(key: str, *arguments: Any, **named: Any) -> Any:
            self._permit(method, key)
            return getattr(self._store, method)(key, *arguments, **named)

        return call

    def presign(self, method: Any, key: str, expires_s: int) -> str:
        self._permit(method.lower(), key)
        return self._store.presign(method, key, expires_s)

    def purge(self, generations: list[Generation]) -> None:
        for generation in generations:
            self._permit("purge", generation.key)
        self._store.purge(generations)


class NoLetters:
    """A queue of failed jobs that is empty."""

    def receive(self, limit: int) -> Sequence[DeadLetter]:
        return ()

    def remove(self, letter: DeadLetter) -> None:
        raise AssertionError(letter)


def permit_of(role: str) -> Permit:
    """Return what raises where a role's statements about the bucket do not allow a call."""
    (policy,) = yaml_parse(TEMPLATE.read_text())["Resources"][role]["Properties"]["Policies"]
    statements = policy["PolicyDocument"]["Statement"]

    def permit(method: str, key: str) -> None:
        action = ACTIONS[method]
        for statement in statements:
            condition = statement.get("Condition", {})
            if "s3:prefix" in condition.get("StringLikeIfExists", {}):
                patterns = condition["StringLikeIfExists"]["s3:prefix"]
            else:
                patterns = [
                    one["Fn::Sub"].partition("/")[2]
                    for one in _as_list(statement["Resource"])
                    if "Fn::Sub" in one
                ]
            if (
                action in _as_list(statement["Action"])
                and any(fnmatchcase(key, pattern) for pattern in patterns)
                and (method == "create" or "Null" not in condition)
            ):
                return
        raise PermissionError(f"{role} may not {action}: {key}")

    return permit


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def _guarded(store: Store, role: str) -> Store:
    return cast("Store", Guarded(store, permit_of(role)))


def _run(name: str, registry: Registry, /, *, key: str, **arguments: Any) -> Any:
    """Run a verb with the rights of the function that runs it."""
    (verb,) = (verb for verb in VERBS if verb.name == name)
    role = "KeepRole" if name in KEEPING else "ControlRole"
    within = msgspec.structs.replace(registry, store=_guarded(registry.store, role))
    return verb.run(within, verb.arguments(**arguments), Caller(by="ann", key=key))


def test_verbs_ask_no_more_of_the_bucket_than_their_functions_may(
    registry: Registry, publish: Any, store: MemoryStore
) -> None:
    keys = count(1)
    asked = set()

    def run(name: str, /, **arguments: Any) -> Any:
        asked.add(name)
        return _run(name, registry, key=f"key {next(keys)}", **arguments)

    registry = msgspec.structs.replace(registry, dead_letters=NoLetters())
    (bill,) = put_blobs(store, "iris/bill", [b"{}"])
    for upload in ("a", "b", "c", "d"):
        publish(upload=upload)
    publish(upload="e", live=False, evidence=Evidence(bill_of_materials=bill))
    for key in ("shadow/iris/live/1/x", "shadowed/iris/beta/1/x.json", "tuned/ab/c.json", "tuning/ab/c.json"):
        store.put(key, b"{}")
    refused = Rejection(model="iris", upload="r", code="c", detail="d", rejected_at=registry.now())
    write_rejection(store, refused)
    alias = {"model": "iris", "alias": "live"}
    run("models list")
    run("models show", model="iris")
    run("versions list", model="iris")
    run("versions show", model="iris", version=1)
    run("versions card", model="iris", version=1)
    run("versions bill-of-materials", model="iris", version=5)
    run("versions compare", model="iris", versions=(1, 2))
    run("aliases set", **alias, routes=(Share(version=2),))
    run("aliases shadow", **alias, version=1)
    run("aliases promote", **alias)
    run("aliases rollback", **alias)
    run("aliases shadow-differences", **alias)
    run("aliases list", model="iris")
    run("aliases show", **alias)
    run("aliases history", **alias)
    opened = run("uploads open", model="iris", files=("model.onnx",))
    run("uploads show", model="iris", upload=opened.upload)
    run("uploads show", model="iris", upload="r")
    run("rejected list")
    run("rejected show", model="iris", upload="r")
    run("audit list")
    run("backup")
    run("restore")
    run("versions delete", model="iris", version=5)
    run("audit verify")
    _run_jobs(run, registry)
    run("gc", grace_s=0)
    run("erase", model="iris", confirm="iris")

    assert asked == {verb.name for verb in VERBS}


def _run_jobs(run: Callable[..., Any], registry: Registry) -> None:
    """Run the verbs about jobs on one whose files stand where jobs write."""
    assert registry.jobs is not None
    data = run("data open", name="rows.csv").key
    registry.store.put(data, b"1")
    for place in (data, "batch/iris/rows/", "watch/iris/data/x", "uploads/" + "0" * 32):
        registry.store.put(f"{place}x" if place.endswith("/") else place, b"1")
        job = run("jobs submit", spec=BatchSpec(model="iris", input=place)).job
    for name in ("rows.ndjson", "many/0.ndjson"):
        registry.store.put(f"jobs/{job}/1/{name}", b"{}")
    registry.jobs.change(
        job,
        lambda one: msgspec.structs.replace(
            one,
            state="failed",
            results={"rows": f"jobs/{job}/1/rows.ndjson", "many": f"jobs/{job}/1/many/"},
        ),
    )
    run("jobs list")
    run("jobs show", job=job)
    assert len(run("jobs results", job=job).items) == 2
    run("jobs retry", job=job)
    run("jobs redrive")
    run("jobs cancel", job=job)
    registry.jobs.change(job, lambda one: msgspec.structs.replace(one, duties=()))
    assert run("jobs purge", job=job).objects == 2


@pytest.mark.parametrize("before", ["nothing", "an audit of its own"])
def test_restoring_asks_no_more_of_the_bucket_than_its_function_may(
    before: str, registry: Registry, publish: Any, store: MemoryStore
) -> None:
    publish()
    refused = Rejection(model="iris", upload="r", code="c", detail="d", rejected_at=registry.now())
    write_rejection(store, refused)
    _run("backup", registry, key="backup")
    other = msgspec.structs.replace(registry, store=memory_store())
    if before == "an audit of its own":
        _run("gc", other, key="gc")

    copied = _run("restore", other, key="restore")

    assert (copied.done, copied.blobs) == (True, 1)


def test_publishing_asks_no_more_of_the_bucket_than_its_function_may(store: MemoryStore) -> None:
    guarded = _guarded(store, "PublishRole")
    draft = Manifest(
        model="iris",
        version=0,
        created_at=NOW,
        upload="a",
        source="ef" * 32,
        signature=Signature(inputs=(), outputs=()),
        artifact=Artifact(
            graph=put_blobs(guarded, "iris/a", [b"graph"])[0], weights=None, onnxruntime="1.31.1"
        ),
        published=Change(id="publish:iris/a", action="publish", by="ann", reason="", at=NOW, audited=0),
    )

    made = commit_version(guarded, draft, None)
    assert isinstance(made, Manifest)
    publish_to_alias(guarded, made, alias="live", author=Author(key="live:iris:a", by="ann"), now=NOW)
    release(guarded, "iris/a")

    assert [entry.key for entry in store.list("audit/")] == ["audit/000000001.json", "audit/000000002.json"]
