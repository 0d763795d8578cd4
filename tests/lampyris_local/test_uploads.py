import hashlib
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from lampyris.adapters.object_store import memory_store
from lampyris.domain.bundle import Bundle, BundleFile, Instructions
from lampyris.domain.layout import Upload
from lampyris.domain.manifest import Artifact, Blob, Change, Evidence, Gate, Manifest, Rejection
from lampyris.domain.names import check_upload_id
from lampyris.domain.signature import Signature
from lampyris.domain.store import Store
from lampyris.errors import InvalidName
from lampyris.publishing.signing import InvalidKey
from lampyris.registry.aliases import publish_to_alias
from lampyris.registry.changes import Author
from lampyris.registry.documents import write_rejection
from lampyris.registry.versions import commit_version
from lampyris_local.uploads import (
    BrokenBundle,
    ModelNameMissing,
    NothingToSign,
    NotPublishable,
    NoVerdict,
    Rejected,
    UnreadableKey,
    new_upload_id,
    outcome_of,
    pack,
    send,
    wait_for_verdict,
)

NOW = datetime(2026, 5, 1, 12, 30, 15, tzinfo=UTC)
UPLOAD = Upload(model="digits", upload="u1", file="model.onnx")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    (folder / "files").mkdir(parents=True)
    contents = {"model.onnx": b"graph", "probe.json": b"{}"}
    for name, data in contents.items():
        (folder / "files" / name).write_bytes(data)
    document = Bundle(
        model="digits",
        created_at=NOW,
        files={
            name: BundleFile(digest=hashlib.sha256(data).hexdigest(), size_bytes=len(data))
            for name, data in contents.items()
        },
        signature=Signature(inputs=(), outputs=()),
    )
    (folder / "bundle.json").write_bytes(msgspec.json.encode(document))
    return folder


def commit(store: Store, *, upload: str, hold: bool = False, gates: tuple[Gate, ...] = ()) -> Manifest:
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
        evidence=Evidence(gates=gates),
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


def test_parcel_knows_its_whole_size(bundle: Path) -> None:
    parcel = pack(bundle, model=None, at=NOW)

    assert parcel.size_bytes == len(b"graph") + len(b"{}") + (bundle / "bundle.json").stat().st_size


def test_given_name_stands_in_for_the_bundles_own(bundle: Path) -> None:
    assert pack(bundle, model="other", at=NOW).upload.key.startswith("inbox/other/")


def test_instructions_and_signature_are_sent_before_what_completes_the_upload(
    bundle: Path, tmp_path: Path
) -> None:
    key = Ed25519PrivateKey.generate()
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )
    wish = Instructions(release="hold", reason="to look at")

    parcel = pack(bundle, model=None, at=NOW, instructions=wish, sign_key=tmp_path / "key.pem")

    (sig_key, signature), (told_key, told), (last_key, _) = parcel.objects[-3:]
    assert sig_key == parcel.upload.signature_key
    assert isinstance(signature, bytes)
    key.public_key().verify(signature, (bundle / "bundle.json").read_bytes())
    assert told_key == parcel.upload.instructions_key
    assert told == b'{"release":"hold","reason":"to look at"}'
    assert last_key == parcel.upload.key


def test_bare_model_takes_instructions_but_no_signature(tmp_path: Path) -> None:
    file = tmp_path / "m.onnx"
    file.write_bytes(b"graph")

    parcel = pack(file, model="m", at=NOW, instructions=Instructions(release="hold"))

    assert [key.rpartition("/")[2] for key, _ in parcel.objects] == ["instructions.json", "model.onnx"]
    with pytest.raises(NothingToSign, match="only bundles are signed"):
        pack(file, model="m", at=NOW, sign_key=tmp_path / "key.pem")


def test_key_that_cannot_be_read_says_how_to_make_one(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(UnreadableKey, match=r"no such file.*openssl genpkey"):
        pack(bundle, model=None, at=NOW, sign_key=tmp_path / "absent.pem")


def test_key_of_another_kind_does_not_sign(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("no key")

    with pytest.raises(InvalidKey, match="Ed25519"):
        pack(bundle, model=None, at=NOW, sign_key=tmp_path / "key.pem")


def test_bundle_with_a_missing_file_is_not_packed(bundle: Path) -> None:
    (bundle / "files" / "probe.json").unlink()

    with pytest.raises(BrokenBundle, match=r"files/probe.json is missing"):
        pack(bundle, model=None, at=NOW)


def test_bundle_with_a_changed_file_is_not_packed(bundle: Path) -> None:
    (bundle / "files" / "model.onnx").write_bytes(b"other")

    with pytest.raises(BrokenBundle, match=r"files/model.onnx was changed"):
        pack(bundle, model=None, at=NOW)


def test_bundle_document_that_cannot_be_read_is_told(bundle: Path) -> None:
    (bundle / "bundle.json").write_text("{}")

    with pytest.raises(BrokenBundle, match=r"bundle.json cannot be read: .*missing required field"):
        pack(bundle, model=None, at=NOW)


def test_bare_model_needs_a_name(tmp_path: Path) -> None:
    file = tmp_path / "m.onnx"
    file.write_bytes(b"graph")

    with pytest.raises(ModelNameMissing, match="--model NAME"):
        pack(file, model=None, at=NOW)


@pytest.mark.parametrize("name", ["absent.onnx", "model.pt", "folder"])
def test_what_is_neither_bundle_nor_model_is_not_packed(tmp_path: Path, name: str) -> None:
    (tmp_path / "model.pt").write_bytes(b"torch")
    (tmp_path / "folder").mkdir()

    with pytest.raises(NotPublishable, match=name):
        pack(tmp_path / name, model="m", at=NOW)


def test_name_is_checked_before_anything_is_read() -> None:
    with pytest.raises(InvalidName, match="'Ünicode'"):
        pack(Path("absent.onnx"), model="Ünicode", at=NOW)


def test_upload_ids_sort_by_time_and_differ() -> None:
    first, second = new_upload_id(NOW), new_upload_id(NOW)
    later = new_upload_id(NOW.replace(second=16))

    assert first != second
    assert max(first, second) < later
    assert check_upload_id(first) == first


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
