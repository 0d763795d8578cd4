"""Whoever dies at whichever call, before or after it took effect: nothing is torn; to ask again finishes it.

Where there is to die is recorded from a real run of each operation, so that no call can be forgotten.
"""

import re
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from lampyris.adapters.memory_store import MemoryStore
from lampyris.domain.layout import Upload
from lampyris.domain.signature import Signature, TensorSpec
from lampyris.domain.store import Store
from lampyris.errors import Conflict, InvalidSplit, LampyrisError, NotFound, StoreUnavailable
from lampyris.publishing.admission import admit
from lampyris.publishing.confinement import Accepted
from lampyris.registry.backup import back_up
from lampyris.registry.changes import Author
from lampyris.registry.collection import collect
from lampyris.registry.erasure import erase
from lampyris.registry.restoration import restore
from lampyris.registry.verification import verify
from lampyris.serving.fetch import GRAPH_FILE

NOW = datetime(2026, 7, 1, tzinfo=UTC)
TENSOR = TensorSpec(name="x", datatype="FP32", shape=(-1, 4))
UPLOAD = Upload(model="iris", upload="u9", file="model.onnx")
KEY = "the operation's"


class Crash(BaseException):
    """The process ends here."""


Do = Callable[[Any], object]


@dataclass(frozen=True, kw_only=True)
class Operation:
    """What is done to a registry that `prepare` made, and what it writes, by kind."""

    prepare: Do
    run: Do
    writes: set[str]


def _put_upload(registry: Any) -> None:
    registry.store.put(UPLOAD.key, b"a model")


def _put_on_hold(registry: Any) -> None:
    registry.store.put(UPLOAD.instructions_key, b'{"release":"hold"}')
    _put_upload(registry)


def _admit(registry: Any) -> object:
    def trial(folder: Path) -> Accepted:
        (folder / GRAPH_FILE).write_bytes(b"a graph")
        signature = Signature(inputs=(TENSOR,), outputs=(TENSOR,))
        return Accepted(signature=signature, onnxruntime="1.31.1", tunable=False)

    return admit(UPLOAD, registry.store, by="ann", limit_bytes=1_000_000, trial=trial, clock=lambda: NOW)


def _put_another(registry: Any) -> None:
    _moved(registry)
    _put_upload(registry)


def _two_aliases(registry: Any) -> None:
    _moved(registry)
    registry.set({2: 100}, "other")


def _three(registry: Any) -> None:
    for upload in ("u1", "u2", "u3"):
        registry.commit(upload)


def _moved(registry: Any) -> None:
    _three(registry)
    registry.set({1: 100})
    registry.set({2: 100})


def _canary(registry: Any) -> None:
    _moved(registry)
    registry.set({2: 90, 3: 10})


COMMIT = {"put reservation", "put blob", "create version", "delete reservation"}
SETTLE = {"create audit", "replace audit-head", "create change"}
MOVE = {"replace alias", "create revision"} | SETTLE
OPERATIONS = {
    "publish the first": Operation(
        prepare=_put_upload, run=_admit, writes=COMMIT | MOVE | {"create audit-head", "create alias"}
    ),
    "publish another": Operation(prepare=_put_another, run=_admit, writes=COMMIT | MOVE),
    "publish on hold": Operation(
        prepare=_put_on_hold,
        run=_admit,
        writes=COMMIT | {"create audit", "create audit-head", "create change"},
    ),
    "set the first": Operation(
        prepare=_three,
        run=lambda registry: registry.set({1: 100}, key=KEY),
        writes=MOVE | {"create alias"},
    ),
    "set": Operation(prepare=_moved, run=lambda registry: registry.set({3: 100}, key=KEY), writes=MOVE),
    "set what stands there": Operation(
        prepare=_moved, run=lambda registry: registry.set({2: 100}, key=KEY), writes={"create change"}
    ),
    "split": Operation(
        prepare=_moved, run=lambda registry: registry.set({2: 90, 3: 10}, key=KEY), writes=MOVE
    ),
    "promote": Operation(prepare=_canary, run=lambda registry: registry.promote(key=KEY), writes=MOVE),
    "roll back": Operation(prepare=_canary, run=lambda registry: registry.roll_back(key=KEY), writes=MOVE),
    "shadow": Operation(prepare=_moved, run=lambda registry: registry.shadow(3, key=KEY), writes=MOVE),
    "delete": Operation(
        prepare=_two_aliases,
        run=lambda registry: registry.delete(3, key=KEY),
        writes={"replace version", "replace alias"} | SETTLE,
    ),
}
MOVES = ["set the first", "set", "split", "promote", "roll back", "shadow"]

# What somebody else may want next, who knows of nothing.
OTHERS: dict[str, Do] = {
    "publish": lambda registry: registry.publish("u10"),
    "the same upload": lambda registry: registry.publish("u1"),
    "set": lambda registry: registry.set({1: 100}),
    "set the third": lambda registry: registry.set({3: 100}, "other"),
    "promote": lambda registry: registry.promote(),
    "roll back": lambda registry: registry.roll_back(),
    "shadow": lambda registry: registry.shadow(1),
    "delete": lambda registry: registry.delete(3),
    "delete the first": lambda registry: registry.delete(1),
}

Call = tuple[str, str]
# The process dies before a call takes effect, or after; or the process lives, and no answer comes.
FATES = ("before", "after", "unanswered before", "unanswered after")
_KINDS = re.compile(
    r"(?:models/[^/]+/)?(version|alias|revision|backup|audit-head|audit|change|blobs/sha256|reservation)"
)
_WRITES = {"put", "create", "replace", "delete", "purge"}


class Disturbed:
    """Lets calls through, writes them down, and gives the ones it is told to another fate."""

    def __init__(self, fates: dict[int, str] | None = None) -> None:
        self.calls: list[Call] = []
        self._fates = fates or {}

    def __call__(self, method: str, key: str, call: Callable[[], Any]) -> Any:
        fate = self._fates.get(len(self.calls))
        self.calls.append((method, key))
        if fate is None:
            return call()
        if fate.endswith("after"):
            with suppress(LampyrisError):  # nobody hears of a refusal either
                call()
        if fate.startswith("unanswered"):
            raise StoreUnavailable(operation=f"{method} {key}", cause="no answer came")
        raise Crash

    @property
    def writes(self) -> set[str]:
        """What was written, by kind: "create version"."""
        found = ((method, _KINDS.match(key)) for method, key in self.calls if method in _WRITES)
        return {
            f"{method} {kind[1].removesuffix('s/sha256') if kind else 'something new'}"
            for method, kind in found
        }


def _where_it_matters(calls: list[Call]) -> list[int]:
    """Return where something is written: to die while reading is to die before the next of these."""
    return [at for at, (method, _) in enumerate(calls) if method in _WRITES]


@pytest.fixture
def prepared(registry_of: Any) -> Callable[[Operation], MemoryStore]:
    def prepare(operation: Operation) -> MemoryStore:
        store = MemoryStore(lambda: NOW)
        operation.prepare(registry_of(store))
        return store

    return prepare


def _recorded(operation: Operation, store: Store, watch: Any, registry_of: Any) -> list[Call]:
    record = Disturbed()
    operation.run(registry_of(watch(store, record)))
    return record.calls


def _disturb(operation: Operation, store: Store, watch: Any, registry_of: Any, fates: dict[int, str]) -> bool:
    """Run an operation; say whether it was disturbed."""
    disturbed = Disturbed(fates)
    try:
        operation.run(registry_of(watch(store, disturbed)))
    except (Crash, StoreUnavailable):
        return True
    return False


def _meaning(registry: Any, checks: Any) -> object:
    """Return what a registry holds, whatever happened on the way."""
    keys = sorted(entry.key for prefix in ("models/", "blobs/") for entry in registry.store.list(prefix))
    aliases = []
    for key in keys:
        if "/aliases/" in key:
            alias = registry.alias(key.rpartition("/")[2].removesuffix(".json"))
            shadow = alias.shadow and (alias.shadow.manifest.version, alias.shadow.weight)
            shares = [(route.manifest.version, route.weight) for route in alias.routes]
            aliases.append(
                (alias.alias, alias.revision, shares, shadow, alias.before, alias.newest_published)
            )
    audit = [(entry.change.action, entry.subject, entry.details) for entry in checks.audit(registry.store)]
    return keys, aliases, audit


@pytest.mark.parametrize("name", OPERATIONS)
def test_operation_writes_what_is_known_of_it(name: str, prepared: Any, watch: Any, registry_of: Any) -> None:
    operation = OPERATIONS[name]
    record = Disturbed()

    operation.run(registry_of(watch(prepared(operation), record)))

    assert record.writes == operation.writes


@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize("name", OPERATIONS)
def test_operation_that_was_interrupted_is_finished_by_asking_again(
    name: str, fate: str, prepared: Any, watch: Any, registry_of: Any, checks: Any
) -> None:
    operation = OPERATIONS[name]
    whole = prepared(operation)
    calls = _recorded(operation, whole, watch, registry_of)
    meaning = _meaning(registry_of(whole), checks)

    for at in range(len(calls)):
        store = prepared(operation)
        assert _disturb(operation, store, watch, registry_of, {at: fate}), calls[at]
        checks.invariants(store)

        operation.run(registry_of(store))

        checks.all_settled(store)
        assert _meaning(registry_of(store), checks) == meaning, calls[at]


@pytest.mark.parametrize("fate", ["before", "after"])
@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_somebody_else_may_go_on_after_an_interruption(
    name: str, other: str, fate: str, prepared: Any, watch: Any, registry_of: Any, checks: Any
) -> None:
    operation = OPERATIONS[name]
    calls = _recorded(operation, prepared(operation), watch, registry_of)

    for at in _where_it_matters(calls):
        store = prepared(operation)
        _disturb(operation, store, watch, registry_of, {at: fate})
        refused = _ask(partial(OTHERS[other], registry_of(store)))
        checks.invariants(store)
        entries = len(checks.audit(store))

        refused_again = _ask(partial(operation.run, registry_of(store)))

        checks.invariants(store)
        assert refused is None or refused_again is None or len(checks.audit(store)) >= entries


def _ask(run: Callable[[], object]) -> Exception | None:
    """Run what may be impossible as things stand, and say so then."""
    try:
        run()
    except (Conflict, InvalidSplit, NotFound) as refusal:
        return refusal
    return None


@pytest.mark.parametrize("name", MOVES)
def test_move_that_was_interrupted_twice_is_finished_by_asking_again(
    name: str, prepared: Any, watch: Any, registry_of: Any, checks: Any
) -> None:
    operation = OPERATIONS[name]
    whole = prepared(operation)
    calls = _recorded(operation, whole, watch, registry_of)
    meaning = _meaning(registry_of(whole), checks)

    for first, fate in product(_where_it_matters(calls), ("before", "after")):
        interrupted = prepared(operation)
        _disturb(operation, interrupted, watch, registry_of, {first: fate})
        rest = _where_it_matters(_recorded(operation, interrupted, watch, registry_of))
        for second, fate_again in product(rest, ("before", "after")):
            store = prepared(operation)
            _disturb(operation, store, watch, registry_of, {first: fate})
            assert _disturb(operation, store, watch, registry_of, {second: fate_again})
            checks.invariants(store)

            operation.run(registry_of(store))

            checks.all_settled(store)
            assert _meaning(registry_of(store), checks) == meaning


@dataclass(frozen=True, kw_only=True)
class Keeping:
    """What keeps or loses much at once: `run` is given the registry, another place, and who wants it."""

    prepare: Callable[[Any, Store], None] = lambda registry, _: _much(registry)
    run: Callable[[Store, Store, Author], object]
    writes: set[str]


LATER = NOW + timedelta(days=3)


def _much(registry: Any) -> None:
    """Leave something behind of every kind: a canary, a tombstone, a blob that nothing names any more."""
    _canary(registry)
    registry.publish("u4")
    registry.publish("u5")
    registry.delete(1)


def _backed_up(registry: Any, backup: Store) -> None:
    """Leave the registry empty, and a backup of what was there."""
    lost = MemoryStore(lambda: NOW)
    _much(type(registry)(lost))
    back_up(lost, backup, author=registry.author("backup"), now=NOW)


TELL = {"create audit", "replace audit-head", "create change", "put change"}
KEEPING = {
    "collect": Keeping(
        run=lambda store, _, author: collect(store, author=author, now=LATER),
        writes=TELL | {"purge blob", "purge reservation"},
    ),
    "erase": Keeping(
        run=lambda store, _, author: erase(store, "iris", author=author, now=LATER),
        writes=TELL
        | {"replace version", "replace alias", "create revision"}
        | {f"purge {kind}" for kind in ("version", "alias", "revision", "blob", "reservation")},
    ),
    "back up": Keeping(
        run=lambda store, place, author: back_up(store, place, author=author, now=LATER),
        writes=TELL | {f"put {kind}" for kind in ("backup", "version", "alias", "revision", "blob", "audit")},
    ),
    "restore": Keeping(
        prepare=_backed_up,
        run=lambda store, place, author: restore(place, store, author=author, now=LATER),
        writes=TELL
        | {"put blob", "put reservation", "delete reservation", "replace alias", "create audit-head"}
        | {f"create {kind}" for kind in ("version", "alias", "revision")},
    ),
}


def _contents(*stores: MemoryStore) -> object:
    """Count what each holds, whenever it was written, by key; changes are named by keys that are random."""
    keys = (
        (place, one.key)
        for place, store in enumerate(stores)
        for one in store.generations("")
        if one.size_bytes
    )
    return Counter((place, re.sub("changes/[0-9a-f]+", "changes/", key)) for place, key in set(keys))


def _keep(
    operation: Keeping, stores: tuple[MemoryStore, MemoryStore], disturbed: Disturbed, watch: Any
) -> bool:
    """Run an operation; say whether it was disturbed."""
    store, place = (watch(one, disturbed) for one in stores)
    try:
        operation.run(store, place, Author(key=KEY, by="ann"))
    except (Crash, StoreUnavailable):
        return True
    return False


@pytest.mark.parametrize("name", KEEPING)
def test_keeping_writes_what_is_known_of_it(name: str, watch: Any, registry_of: Any) -> None:
    operation = KEEPING[name]
    stores = MemoryStore(lambda: NOW), MemoryStore(lambda: NOW)
    operation.prepare(registry_of(stores[0]), stores[1])
    record = Disturbed()

    _keep(operation, stores, record, watch)

    assert record.writes == operation.writes


@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize("name", KEEPING)
def test_keeping_that_was_interrupted_is_finished_by_asking_again(
    name: str, fate: str, watch: Any, registry_of: Any, checks: Any
) -> None:
    operation = KEEPING[name]

    def prepared() -> tuple[MemoryStore, MemoryStore]:
        store, place = MemoryStore(lambda: NOW), MemoryStore(lambda: NOW)
        operation.prepare(registry_of(store), place)
        return store, place

    whole, record = prepared(), Disturbed()
    assert not _keep(operation, whole, record, watch)
    contents = _contents(*whole)

    every_call = range(len(record.calls))
    for at in every_call if fate == "unanswered before" else _where_it_matters(record.calls):
        stores = prepared()
        assert _keep(operation, stores, Disturbed({at: fate}), watch), record.calls[at]
        checks.aliases(stores[0], "iris")

        assert not _keep(operation, stores, Disturbed(), watch)

        assert _contents(*stores) == contents, record.calls[at]
        assert verify(stores[0]).findings == (), record.calls[at]
