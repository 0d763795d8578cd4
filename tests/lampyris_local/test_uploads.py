from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest

from lampyris.adapters.object_store import memory_store
from lampyris.domain.layout import Upload
from lampyris.domain.manifest import Artifact, Blob, Change, Evidence, Gate, Manifest, Rejection
from lampyris.domain.signature import Signature
from lampyris.domain.store import Store
from lampyris.errors import KeyReused, VersionDeleted
from lampyris.registry.aliases import publish_to_alias
from lampyris.registry.changes import Author
from lampyris.registry.documents import write_rejection
from lampyris.registry.versions import commit_version, delete_version
from lampyris_local.parcels import pack
from lampyris_local.uploads import NoVerdict, Rejected, outcome_of, send, wait_for_verdict

NOW = datetime(2026, 5, 1, 12, 30, 15, tzinfo=UTC)
UPLOAD = Upload(model="digits", upload="u1", file="model.onnx")


def commit(
    store: Store,
    *,
    upload: str,
    hold: bool = False,
    gates: tuple[Gate, ...] = (),
    files: dict[str, str] | None = None,
) -> Manifest:
    blob = Blob(digest="0", size_bytes=1, part_size_bytes=1, part_digests=("0",))
    draft = Manifest(
        model="digits",
        version=0,
        created_at=NOW,
        upload=upload,
        source="0",
        signature=Signature(inputs=(), outputs=()),
        artifact=Artifact(graph=blob, weights=None, onnxruntime="1"),
        published=Change(id=upload, action="publish", by="a test", reason="", at=NOW, audited=0),
        hold=hold,
        evidence=Evidence(gates=gates, files=files or {}),
    )
    manifest = commit_version(store, draft, None)
    assert isinstance(manifest, Manifest)
    return manifest


def make_live(store: Store, manifest: Manifest) -> None:
    publish_to_alias(
        store, manifest, alias="live", author=Author(key=f"live:{manifest.upload}", by="a test"), now=NOW
    )


def test_bundle_document_is_sent_last(bundle: Path) -> None:
    store, sent = memory_store(), list[int]()
    parcel = pack(bundle, model=None, at=NOW)

    send(store, parcel, on_sent=sent.append)

    assert [key.removeprefix(parcel.upload.prefix) for key, _ in parcel.objects] == [
        "files/model.onnx",
        "files/probe.json",
        "bundle.json",
    ]
    assert sent == [len(b"graph"), len(b"{}"), (bundle / "bundle.json").stat().st_size]
    assert store.get(parcel.upload.file_key("model.onnx")).data == b"graph"
    assert store.get(parcel.upload.key).data == (bundle / "bundle.json").read_bytes()


def test_version_that_went_live_is_the_verdict() -> None:
    store = memory_store()
    store.put(UPLOAD.key, b"graph")
    manifest = commit(store, upload="u1")
    make_live(store, manifest)

    assert wait_for_verdict(store, UPLOAD, timeout_s=1) == manifest


def test_version_counts_as_live_though_a_newer_one_overtook_it() -> None:
    store = memory_store()
    store.put(UPLOAD.key, b"graph")
    manifest = commit(store, upload="u1")
    make_live(store, commit(store, upload="u2"))

    assert wait_for_verdict(store, UPLOAD, timeout_s=1) == manifest


def test_rejection_is_raised_with_its_own_code() -> None:
    store = memory_store()
    store.put(UPLOAD.key, b"graph")
    write_rejection(
        store,
        Rejection(model="digits", upload="u1", code="not-onnx", detail="It is no model.", rejected_at=NOW),
    )

    with pytest.raises(Rejected, match="It is no model") as caught:
        wait_for_verdict(store, UPLOAD, timeout_s=1)

    assert caught.value.code == "not-onnx"


def test_committed_version_is_no_verdict_before_live_names_it() -> None:
    store, ticks = memory_store(), count()
    store.put(UPLOAD.key, b"graph")
    manifest = commit(store, upload="u1")

    def sleep(_: float) -> None:
        if next(ticks) == 2:
            make_live(store, manifest)

    assert wait_for_verdict(store, UPLOAD, timeout_s=1, sleep=sleep) == manifest
    assert next(ticks) == 3


def test_version_that_is_held_is_a_verdict_though_live_does_not_name_it() -> None:
    store = memory_store()
    store.put(UPLOAD.key, b"graph")
    manifest = commit(store, upload="u1", hold=True)

    assert wait_for_verdict(store, UPLOAD, timeout_s=1) == manifest
    assert outcome_of(manifest) == "held"


def test_failed_gate_holds_a_version_whatever_was_asked() -> None:
    failed = Gate(name="max_size_bytes", limit=1, measured=2, passed=False)

    manifest = commit(memory_store(), upload="u1", hold=True, gates=(failed,))

    assert outcome_of(manifest) == "held-by-gates"


def test_silence_ends_with_where_to_look() -> None:
    store = memory_store()
    store.put(UPLOAD.key, b"graph")

    with pytest.raises(NoVerdict, match=r"u1 for 60 s.*lampyris models digits"):
        wait_for_verdict(store, UPLOAD, timeout_s=60, sleep=lambda _: None, clock=count(step=20).__next__)


def test_parcel_with_a_key_is_sent_once(bundle: Path) -> None:
    store, sent = memory_store(), list[int]()
    parcel = pack(bundle, model=None, at=NOW, key="build-17")

    for _ in range(2):
        send(store, parcel, on_sent=sent.append)

    assert len(sent) == 3
    assert len(list(store.generations("inbox/"))) == 3


def test_parcel_that_is_a_version_already_is_not_sent_again(bundle: Path) -> None:
    store, sent = memory_store(), list[int]()
    parcel = pack(bundle, model=None, at=NOW, key="build-17")
    manifest = commit(store, upload=parcel.upload.upload, files=parcel.digests)
    make_live(store, manifest)

    send(store, parcel, on_sent=sent.append)

    assert sent == []
    assert wait_for_verdict(store, parcel.upload, timeout_s=1) == manifest


def test_key_that_stands_for_another_upload_is_refused(bundle: Path) -> None:
    store = memory_store()
    parcel = pack(bundle, model=None, at=NOW, key="build-17")
    commit(store, upload=parcel.upload.upload, files={"bundle.json": "0"})

    with pytest.raises(KeyReused):
        send(store, parcel, on_sent=lambda _: None)


def test_refusal_stays_the_answer_to_its_key(bundle: Path) -> None:
    store, sent = memory_store(), list[int]()
    parcel = pack(bundle, model=None, at=NOW, key="build-17")
    write_rejection(
        store,
        Rejection(
            model="digits", upload=parcel.upload.upload, code="not-onnx", detail="No.", rejected_at=NOW
        ),
    )

    send(store, parcel, on_sent=sent.append)

    assert sent == []
    with pytest.raises(Rejected, match="No"):
        wait_for_verdict(store, parcel.upload, timeout_s=1)


def test_version_that_was_deleted_meanwhile_is_told() -> None:
    store = memory_store()
    store.put(UPLOAD.key, b"graph")
    commit(store, upload="u1")
    delete_version(store, "digits", 1, author=Author(key="d", by="a test"), now=NOW)

    with pytest.raises(VersionDeleted):
        wait_for_verdict(store, UPLOAD, timeout_s=1)
