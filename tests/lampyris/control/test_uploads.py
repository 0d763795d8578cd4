"""Verbs about uploads: a place in the inbox, and what became of it."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from lampyris.control.aliases import Share
from lampyris.control.call import Registry
from lampyris.domain.bundle import Instructions
from lampyris.domain.layout import Upload
from lampyris.domain.manifest import Evidence, Gate, Rejection
from lampyris.errors import InvalidName, UploadNotFound
from lampyris.registry.documents import write_rejection

FILES = ("model.onnx", "probe.json")


def reject(registry: Registry, upload: str, completed_at: datetime | None = None) -> None:
    rejection = Rejection(
        model="iris",
        upload=upload,
        code="not-onnx",
        detail="No.",
        rejected_at=registry.now(),
        completed_at=completed_at,
    )
    write_rejection(registry.store, rejection)


def test_bundle_has_a_place_for_each_file_with_its_document_last(run: Any) -> None:
    opened = run("uploads open", model="iris", files=FILES)

    prefix = f"memory:///inbox/iris/{opened.upload}/"
    assert [(place.name, place.url.removeprefix(prefix)) for place in opened.places] == [
        ("files/model.onnx", "files/model.onnx"),
        ("files/probe.json", "files/probe.json"),
        ("bundle.sig", "bundle.sig"),
        ("bundle.json", "bundle.json"),
    ]
    assert [place.name for place in opened.places if place.optional] == ["bundle.sig"]


def test_bare_model_has_one_place_that_completes_an_upload(run: Any) -> None:
    opened = run("uploads open", model="iris")

    (place,) = opened.places
    assert Upload.from_key(place.url.removeprefix("memory:///")) is not None


def test_instructions_name_who_opened_it_and_why(run: Any, registry: Registry) -> None:
    opened = run("uploads open", model="iris", release="hold", by="arn:ann", reason="to look at it")

    upload = Upload(model="iris", upload=opened.upload, file="model.onnx")
    stored = registry.store.get(upload.instructions_key).data
    assert msgspec.json.decode(stored, type=Instructions) == Instructions(
        release="hold", reason="to look at it; opened by arn:ann"
    )


def test_longer_reason_is_refused_and_makes_no_place(run: Any, registry: Registry) -> None:
    with pytest.raises(InvalidName, match="1000 letters at most"):
        run("uploads open", model="iris", reason="x" * 1001)

    assert list(registry.store.list("inbox/")) == []


def test_reason_as_long_as_may_be_leaves_room_for_the_caller(run: Any, registry: Registry) -> None:
    opened = run("uploads open", model="iris", by="arn:ann", reason="x" * 1000)

    upload = Upload(model="iris", upload=opened.upload, file="model.onnx")
    written = msgspec.json.decode(registry.store.get(upload.instructions_key).data, type=Instructions)
    assert written.reason.endswith("x; opened by arn:ann")
    assert len(written.reason) == 1000


def test_the_same_key_opens_the_same_place(run: Any) -> None:
    first = run("uploads open", model="iris", files=FILES, key="k")

    assert run("uploads open", model="iris", files=FILES, key="k") == first
    assert run("uploads open", model="iris", files=FILES, key="l").upload != first.upload
    assert run("uploads open", model="iris", files=FILES, key="k", by="eve").upload != first.upload


def test_model_must_be_named_by_the_grammar(run: Any) -> None:
    with pytest.raises(InvalidName):
        run("uploads open", model="../blobs")


def test_upload_is_pending_from_when_it_is_opened(run: Any, registry: Registry) -> None:
    opened = run("uploads open", model="iris")

    before = run("uploads show", model="iris", upload=opened.upload)
    registry.store.put(f"inbox/iris/{opened.upload}/model.onnx", b"x")
    after = run("uploads show", model="iris", upload=opened.upload)

    assert before.status == after.status == "pending"


def test_published_upload_names_its_version(run: Any, publish: Any) -> None:
    publish(upload="mine")

    state = run("uploads show", model="iris", upload="mine")

    assert (state.status, state.version) == ("published", 1)


def test_version_that_has_not_been_made_live_yet_is_pending(run: Any, publish: Any) -> None:
    publish(upload="mine", live=False)

    assert run("uploads show", model="iris", upload="mine").status == "pending"


def test_held_upload_says_by_whom(run: Any, publish: Any) -> None:
    failed = Gate(name="accuracy", limit=0.9, measured=0.8, passed=False)
    publish(upload="asked", live=False, hold=True)
    publish(upload="failed", live=False, evidence=Evidence(gates=(failed,)))

    asked = run("uploads show", model="iris", upload="asked")
    by_gates = run("uploads show", model="iris", upload="failed")

    assert (asked.status, asked.version, asked.code) == ("held", 1, "hold")
    assert (by_gates.status, by_gates.version, by_gates.code) == ("held", 2, "gate-failed")
    assert "accuracy" in by_gates.detail


def test_refused_upload_has_a_code_and_a_sentence(run: Any, registry: Registry) -> None:
    reject(registry, "mine")

    state = run("uploads show", model="iris", upload="mine")

    assert (state.status, state.code, state.detail) == ("rejected", "not-onnx", "No.")


def test_refused_upload_that_was_written_again_is_pending(run: Any, registry: Registry) -> None:
    key = "inbox/iris/mine/model.onnx"
    registry.store.put(key, b"x")
    (entry,) = registry.store.list("inbox/iris/mine/")
    reject(registry, "mine", completed_at=entry.modified_at)

    refused = run("uploads show", model="iris", upload="mine")
    reject(registry, "mine", completed_at=entry.modified_at - timedelta(seconds=1))
    again = run("uploads show", model="iris", upload="mine")

    assert (refused.status, again.status) == ("rejected", "pending")


def test_upload_of_a_version_that_was_deleted_says_so(run: Any, publish: Any) -> None:
    publish(upload="mine")
    publish()
    run("aliases set", model="iris", alias="live", routes=(Share(version=2),))
    publish()
    run("versions delete", model="iris", version=1)

    state = run("uploads show", model="iris", upload="mine")

    assert (state.status, state.version) == ("deleted", 1)


def test_upload_that_never_was_is_not_found(run: Any) -> None:
    with pytest.raises(UploadNotFound, match="'iris'"):
        run("uploads show", model="iris", upload="mine")
