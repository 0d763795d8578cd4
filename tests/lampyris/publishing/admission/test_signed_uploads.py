"""Where keys are trusted, nothing comes in without a signature of one of them."""

import hashlib
from collections.abc import Callable

import onnx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from lampyris.adapters.memory_store import MemoryStore
from lampyris.domain.layout import BUNDLE_FILE, SIGNATURE_FILE, Upload
from lampyris.domain.manifest import Manifest, Rejection
from lampyris.publishing.admission import Trial
from lampyris.publishing.signing import TrustedKey, sign
from lampyris.registry.documents import list_models

Files = dict[str, bytes]
Changed = Callable[..., Files]
Send = Callable[..., Upload]
Publish = Callable[..., Manifest | Rejection]
Measuring = Callable[..., Trial]


@pytest.fixture
def trusted(private_key: bytes) -> tuple[TrustedKey, ...]:
    public = load_pem_private_key(private_key, password=None).public_key()
    return (TrustedKey(der=public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)),)


def signed(files: Files, private_key: bytes) -> Files:
    return {SIGNATURE_FILE: sign(files[BUNDLE_FILE], private_key), **files}


def test_signed_bundle_is_published_and_names_its_key(
    bundle: Files, private_key: bytes, trusted: tuple[TrustedKey, ...], send: Send, publish: Publish
) -> None:
    upload = send(signed(bundle, private_key))

    manifest = publish(upload, trusted_keys=trusted)

    assert isinstance(manifest, Manifest)
    assert manifest.evidence.signed_by == trusted[0].digest
    assert SIGNATURE_FILE in manifest.evidence.files


def test_signature_is_not_looked_at_where_no_key_is_trusted(
    bundle: Files, private_key: bytes, send: Send, publish: Publish
) -> None:
    manifest = publish(send(signed(bundle, private_key)))

    assert isinstance(manifest, Manifest)
    assert manifest.evidence.signed_by is None
    assert (
        manifest.evidence.files[SIGNATURE_FILE]
        == hashlib.sha256(sign(bundle[BUNDLE_FILE], private_key)).hexdigest()
    )


def test_unsigned_bundle_is_refused(
    store: MemoryStore, bundle: Files, trusted: tuple[TrustedKey, ...], send: Send, publish: Publish
) -> None:
    rejection = publish(send(bundle), trusted_keys=trusted)

    assert isinstance(rejection, Rejection)
    assert rejection.code == "unsigned-upload"
    assert "--sign-key" in rejection.detail
    assert list_models(store) == []


def test_bare_model_is_refused_even_beside_a_signature(
    mlp: Callable[..., onnx.ModelProto],
    private_key: bytes,
    trusted: tuple[TrustedKey, ...],
    send: Send,
    publish: Publish,
) -> None:
    model = mlp(4, 3).SerializeToString()

    rejection = publish(
        send({"model.onnx": model, SIGNATURE_FILE: sign(model, private_key)}), trusted_keys=trusted
    )

    assert isinstance(rejection, Rejection)
    assert rejection.code == "unsigned-upload"


@pytest.mark.parametrize("signature", [b"", b"x", bytes(63), bytes(65), b"x" * 20_000])
def test_signature_of_another_size_is_refused_whoever_is_trusted(
    bundle: Files, send: Send, publish: Publish, trusted: tuple[TrustedKey, ...], signature: bytes
) -> None:
    upload = send({SIGNATURE_FILE: signature, **bundle})

    outcomes = [publish(upload), publish(upload, trusted_keys=trusted)]

    for rejection in outcomes:
        assert isinstance(rejection, Rejection)
        assert rejection.code == "bad-signature"
        assert f"{len(signature):,} bytes" in rejection.detail


def test_signature_of_an_unknown_key_is_refused(
    bundle: Files, trusted: tuple[TrustedKey, ...], send: Send, publish: Publish
) -> None:
    stranger = Ed25519PrivateKey.generate()

    rejection = publish(
        send({SIGNATURE_FILE: stranger.sign(bundle[BUNDLE_FILE]), **bundle}), trusted_keys=trusted
    )

    assert isinstance(rejection, Rejection)
    assert rejection.code == "bad-signature"


def test_document_altered_after_it_was_signed_is_refused(
    bundle: Files,
    changed: Changed,
    private_key: bytes,
    trusted: tuple[TrustedKey, ...],
    send: Send,
    publish: Publish,
) -> None:
    other = changed(metrics={"fp32": {"accuracy": 1.0}})

    rejection = publish(send(signed(bundle, private_key) | other), trusted_keys=trusted)

    assert isinstance(rejection, Rejection)
    assert rejection.code == "bad-signature"


def test_file_altered_after_its_bundle_was_signed_is_refused(
    bundle: Files, private_key: bytes, trusted: tuple[TrustedKey, ...], send: Send, publish: Publish
) -> None:
    rejection = publish(
        send(signed(bundle, private_key) | {"report.html": b"<html></htmk>"}), trusted_keys=trusted
    )

    assert isinstance(rejection, Rejection)
    assert rejection.code == "corrupt-bundle"


def test_bundle_signed_for_one_model_is_not_another_one(
    store: MemoryStore,
    bundle: Files,
    private_key: bytes,
    trusted: tuple[TrustedKey, ...],
    send: Send,
    publish: Publish,
) -> None:
    rejection = publish(send(signed(bundle, private_key), model="rose"), trusted_keys=trusted)

    assert isinstance(rejection, Rejection)
    assert rejection.code == "bad-signature"
    assert "signed for model 'iris', and uploaded for 'rose'" in rejection.detail
    assert list_models(store) == []
