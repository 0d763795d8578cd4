import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from lampyris.domain.bundle import Instructions
from lampyris.domain.names import check_upload_id
from lampyris.errors import InvalidName
from lampyris.publishing.signing import InvalidKey
from lampyris_local.parcels import (
    BrokenBundle,
    ModelNameMissing,
    NothingToSign,
    NotPublishable,
    UnreadableKey,
    keyed_upload_id,
    new_upload_id,
    pack,
)

NOW = datetime(2026, 5, 1, 12, 30, 15, tzinfo=UTC)


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


def test_bundle_with_a_file_of_which_it_does_not_know_is_not_packed(bundle: Path) -> None:
    (bundle / "files" / "notes").mkdir()
    (bundle / "files" / "notes" / "todo.txt").write_text("later")

    with pytest.raises(BrokenBundle, match=r"files/notes/todo.txt is not named in bundle.json"):
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


def test_key_names_an_upload_whatever_letters_it_has() -> None:
    assert check_upload_id(keyed_upload_id("Ü / 1")) == keyed_upload_id("Ü / 1")
    assert keyed_upload_id("a") != keyed_upload_id("b")


def test_parcel_tells_the_digests_of_all_that_is_sent(bundle: Path) -> None:
    parcel = pack(bundle, model=None, at=NOW, instructions=Instructions(release="hold"))

    assert parcel.digests == {
        "files/model.onnx": hashlib.sha256(b"graph").hexdigest(),
        "files/probe.json": hashlib.sha256(b"{}").hexdigest(),
        "instructions.json": hashlib.sha256(b'{"release":"hold","reason":""}').hexdigest(),
        "bundle.json": hashlib.sha256((bundle / "bundle.json").read_bytes()).hexdigest(),
    }
