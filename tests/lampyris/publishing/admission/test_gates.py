"""What becomes of a version that does not keep to its gates, and that it is measured only once."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from lampyris.adapters.memory_store import MemoryStore
from lampyris.domain.bundle import EVALUATION_FILE, REFERENCE_FILE, Gates
from lampyris.domain.layout import BUNDLE_FILE, Upload, blob_key
from lampyris.domain.manifest import Manifest, Rejection
from lampyris.errors import StoreUnavailable
from lampyris.publishing.admission import Trial
from lampyris.publishing.confinement import LIVE_FOLDER, Accepted
from lampyris.registry.aliases import roll_back, set_routes
from lampyris.registry.changes import Author
from lampyris.registry.documents import list_versions, read_alias, read_aliases, read_rejection
from lampyris.serving.fetch import GRAPH_FILE

Files = dict[str, bytes]
Changed = Callable[..., Files]
Send = Callable[..., Upload]
Publish = Callable[..., Manifest | Rejection]
Measuring = Callable[..., Trial]
HOLD = Gates(min_accuracy=0.9)
REFUSE = Gates(min_accuracy=0.9, on_failure="refuse")


def live(store: MemoryStore) -> int:
    return read_alias(store, "iris", "live")[0].stable.version


def test_version_that_passes_goes_live_with_its_evidence(
    store: MemoryStore, changed: Changed, send: Send, publish: Publish, measuring: Measuring
) -> None:
    upload = send(changed(gates=HOLD))

    manifest = publish(upload, trial=measuring(accuracy=0.95))

    assert isinstance(manifest, Manifest)
    assert manifest.evidence.measured == {"accuracy": 0.95}
    assert [(gate.name, gate.measured, gate.passed) for gate in manifest.evidence.gates] == [
        ("min_accuracy", 0.95, True)
    ]
    assert live(store) == 1


def test_version_that_fails_is_registered_and_not_live(
    store: MemoryStore, changed: Changed, send: Send, publish: Publish, measuring: Measuring
) -> None:
    publish(send(changed(gates=HOLD)), trial=measuring(accuracy=0.95))

    held = publish(send(changed(gates=HOLD), upload="u2"), trial=measuring(accuracy=0.5))

    assert isinstance(held, Manifest)
    assert not held.goes_live
    assert list_versions(store, "iris") == [1, 2]
    assert live(store) == 1


def test_first_version_that_fails_leaves_a_model_without_live(
    store: MemoryStore, changed: Changed, send: Send, publish: Publish, measuring: Measuring
) -> None:
    publish(send(changed(gates=HOLD)), trial=measuring(accuracy=0.5))

    assert list_versions(store, "iris") == [1]
    assert read_aliases(store, "iris") == []


def test_held_version_can_be_put_live_by_hand(
    store: MemoryStore, changed: Changed, send: Send, publish: Publish, measuring: Measuring
) -> None:
    publish(send(changed(gates=HOLD)), trial=measuring(accuracy=0.5))
    author = Author(key="k", by="ada", reason="good enough")

    set_routes(store, "iris", "live", {1: 100}, author=author, now=read_now(store))

    assert live(store) == 1


def read_now(store: MemoryStore) -> datetime:
    return next(iter(store.list("models/"))).modified_at


def test_version_that_fails_is_refused_where_its_recipe_says_so(
    store: MemoryStore, changed: Changed, send: Send, publish: Publish, measuring: Measuring
) -> None:
    rejection = publish(send(changed(gates=REFUSE)), trial=measuring(accuracy=0.5))

    assert isinstance(rejection, Rejection)
    assert rejection.code == "gate-failed"
    assert "min_accuracy asks for at least 0.9" in rejection.detail
    assert list_versions(store, "iris") == []
    assert list(store.list("blobs/")) == []


def test_gate_whose_figure_is_missing_fails(
    changed: Changed, send: Send, publish: Publish, measuring: Measuring
) -> None:
    held = publish(send(changed(gates=HOLD)), trial=measuring(size_bytes=9))

    assert isinstance(held, Manifest)
    assert not held.goes_live
    assert held.evidence.gates[0].measured is None


@pytest.mark.parametrize(("first", "then"), [(0.5, 0.95), (0.95, 0.5)])
@pytest.mark.parametrize("gates", [HOLD, REFUSE])
def test_upload_delivered_again_is_not_measured_into_another_decision(
    store: MemoryStore,
    changed: Changed,
    send: Send,
    publish: Publish,
    measuring: Measuring,
    gates: Gates,
    first: float,
    then: float,
) -> None:
    upload = send(changed(gates=gates))
    decided = publish(upload, trial=measuring(accuracy=first))
    before = {entry.key: store.get(entry.key) for entry in store.list("")}

    again = publish(upload, trial=measuring(accuracy=then))

    assert again == decided
    assert {entry.key: store.get(entry.key) for entry in store.list("")} == before


def test_place_of_a_refused_upload_written_again_is_tried_anew(
    store: MemoryStore, changed: Changed, send: Send, publish: Publish, measuring: Measuring
) -> None:
    publish(send(changed(gates=REFUSE)), trial=measuring(accuracy=0.5))

    manifest = publish(send(changed(gates=REFUSE)), trial=measuring(accuracy=0.95))

    assert isinstance(manifest, Manifest)
    assert live(store) == 1


def test_delivery_that_fails_its_gates_while_another_is_committed_is_the_version(
    store: MemoryStore, changed: Changed, send: Send, publish: Publish, measuring: Measuring
) -> None:
    upload = send(changed(gates=REFUSE))
    made: list[Manifest | Rejection] = []

    def slow(folder: Path) -> Accepted:
        made.append(publish(upload, trial=measuring(accuracy=0.95)))
        return measuring(accuracy=0.5)(folder)

    assert publish(upload, trial=slow) == made[0]
    assert read_rejection(store, "iris", "u1") is None


def test_trial_finds_the_test_set_the_reference_and_the_live_version(
    changed: Changed, send: Send, publish: Publish, measuring: Measuring
) -> None:
    publish(send(changed()), trial=measuring(b"the first"))
    found: dict[str, bytes] = {}

    def look(folder: Path) -> Accepted:
        for file in folder.rglob("*"):
            if file.is_file():
                found[str(file.relative_to(folder))] = file.read_bytes()
        return measuring(b"the second")(folder)

    publish(send(changed({EVALUATION_FILE: b"test", REFERENCE_FILE: b"fp32"}), upload="u2"), trial=look)

    assert found[EVALUATION_FILE] == b"test"
    assert found[REFERENCE_FILE] == b"fp32"
    assert found[f"{LIVE_FOLDER}/{GRAPH_FILE}"] == b"the first"
    assert set(found) == {
        BUNDLE_FILE,
        "model.onnx",
        "probe.json",
        EVALUATION_FILE,
        REFERENCE_FILE,
        f"{LIVE_FOLDER}/{GRAPH_FILE}",
    }


def test_live_version_is_left_where_it_is_when_there_is_no_test_set(
    changed: Changed, send: Send, publish: Publish, measuring: Measuring
) -> None:
    publish(send(changed()), trial=measuring())
    found: list[str] = []

    def look(folder: Path) -> Accepted:
        found.extend(file.name for file in folder.iterdir())
        return measuring()(folder)

    publish(send(changed(), upload="u2"), trial=look)

    assert LIVE_FOLDER not in found


@pytest.mark.parametrize("damage", [b"an artifacT", b""])
def test_damaged_live_version_does_not_keep_the_next_from_taking_its_place(
    store: MemoryStore, changed: Changed, send: Send, publish: Publish, measuring: Measuring, damage: bytes
) -> None:
    first = publish(send(changed()), trial=measuring())
    assert isinstance(first, Manifest)
    store.put(blob_key(first.artifact.graph.digest), damage)
    gates = Gates(max_drop_live=0.01)

    publish(
        send(changed({EVALUATION_FILE: b"test"}, gates=gates), upload="u2"),
        trial=measuring(b"whole", accuracy=0.9),
    )

    assert live(store) == 2


def test_lost_live_version_does_not_keep_the_next_from_taking_its_place(
    store: MemoryStore, changed: Changed, send: Send, publish: Publish, measuring: Measuring
) -> None:
    first = publish(send(changed()), trial=measuring())
    assert isinstance(first, Manifest)
    store.delete(blob_key(first.artifact.graph.digest))

    publish(send(changed({EVALUATION_FILE: b"test"}), upload="u2"), trial=measuring(b"whole"))

    assert live(store) == 2


def test_version_worse_than_the_live_one_is_held(
    store: MemoryStore, changed: Changed, send: Send, publish: Publish, measuring: Measuring
) -> None:
    publish(send(changed()), trial=measuring())
    gates = Gates(max_drop_live=0.01)

    publish(
        send(changed({EVALUATION_FILE: b"test"}, gates=gates), upload="u2"),
        trial=measuring(b"worse", accuracy=0.9, accuracy_live=0.95),
    )

    assert live(store) == 1


@pytest.mark.parametrize("accuracy", [0.5, 0.95])
def test_held_version_is_put_live_by_no_later_delivery(
    store: MemoryStore,
    changed: Changed,
    send: Send,
    publish: Publish,
    measuring: Measuring,
    accuracy: float,
) -> None:
    publish(send(changed(gates=HOLD)), trial=measuring(accuracy=0.95))
    second = send(changed(gates=HOLD), upload="u2")
    publish(second, trial=measuring(accuracy=accuracy))
    author = Author(key="back", by="ada", reason="")
    if accuracy > 0.9:
        roll_back(store, "iris", "live", author=author, now=read_now(store))

    publish(second, trial=measuring(accuracy=0.95))

    assert live(store) == 1


def test_nothing_is_decided_while_the_store_is_away(
    store: MemoryStore, changed: Changed, send: Send, publish: Publish
) -> None:
    def away(folder: Path) -> Accepted:
        raise StoreUnavailable(operation="get", cause="it is away")

    with pytest.raises(StoreUnavailable):
        publish(send(changed()), trial=away)

    assert read_rejection(store, "iris", "u1") is None
