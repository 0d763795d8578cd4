"""Signatures of bundles: made here, made by openssl, and those that do not hold."""

import base64
import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from lampyris.errors import BadSignature
from lampyris.publishing.signing import InvalidKey, TrustedKey, read_trusted_keys, sign, verify

DOCUMENT = b'{"model": "iris"}'
Private = ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey | ec.EllipticCurvePrivateKey


def pem(key: Private, encryption: KeySerializationEncryption | None = None) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())


def der(key: Private) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def line(key: Private) -> str:
    return base64.b64encode(der(key)).decode()


@pytest.fixture
def key() -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


def test_what_was_signed_is_verified_and_the_key_is_named(key: ed25519.Ed25519PrivateKey) -> None:
    other = ed25519.Ed25519PrivateKey.generate()
    trusted = read_trusted_keys(f"{line(other)}, {line(key)}")

    signer = verify(DOCUMENT, sign(DOCUMENT, pem(key)), trusted)

    assert signer == TrustedKey(der=der(key))
    assert signer.digest == hashlib.sha256(der(key)).hexdigest()


def test_signature_of_an_unknown_key_does_not_hold(key: ed25519.Ed25519PrivateKey) -> None:
    trusted = read_trusted_keys(line(ed25519.Ed25519PrivateKey.generate()))

    with pytest.raises(BadSignature, match="none of the 1 trusted keys"):
        verify(DOCUMENT, sign(DOCUMENT, pem(key)), trusted)


@given(st.integers(0, 8 * len(DOCUMENT) - 1))
def test_no_bit_of_a_signed_document_can_be_altered(bit: int) -> None:
    key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
    altered = bytearray(DOCUMENT)
    altered[bit // 8] ^= 1 << bit % 8

    with pytest.raises(BadSignature):
        verify(bytes(altered), sign(DOCUMENT, pem(key)), read_trusted_keys(line(key)))


@given(st.binary(max_size=100))
def test_noise_is_no_signature(noise: bytes) -> None:
    key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))

    with pytest.raises(BadSignature):
        verify(DOCUMENT, noise, read_trusted_keys(line(key)))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl's command line")
def test_openssl_alone_makes_keys_and_signatures(tmp_path: Path) -> None:
    (tmp_path / "bundle.json").write_bytes(DOCUMENT)
    for command in (
        "openssl genpkey -algorithm ed25519 -out key.pem",
        "openssl pkeyutl -sign -rawin -inkey key.pem -in bundle.json -out bundle.sig",
        "openssl pkey -in key.pem -pubout -out public.pem",
    ):
        subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)
    setting = (tmp_path / "public.pem").read_text().splitlines()[1]

    signature = (tmp_path / "bundle.sig").read_bytes()

    trusted = read_trusted_keys(setting)
    assert verify(DOCUMENT, signature, trusted) == trusted[0]
    assert sign(DOCUMENT, (tmp_path / "key.pem").read_bytes()) == signature


@pytest.mark.parametrize("setting", ["", " ", ",", " , "])
def test_no_setting_is_no_key(setting: str) -> None:
    assert read_trusted_keys(setting) == ()


@pytest.mark.parametrize(
    "setting",
    [
        "nonsense",
        "äöü",
        base64.b64encode(bytes(44)).decode(),
        line(ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)))[:-4],
        line(ed448.Ed448PrivateKey.from_private_bytes(bytes(57))),
        line(ec.generate_private_key(ec.SECP256R1())),
        f"{line(ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)))} nonsense",
    ],
)
def test_setting_that_is_no_key_says_what_would_be(setting: str) -> None:
    with pytest.raises(InvalidKey, match="LAMPYRIS_TRUSTED_KEYS takes, separated by commas") as error:
        read_trusted_keys(setting)
    assert setting[:80] in str(error.value)


@pytest.mark.parametrize(
    ("private", "what"),
    [
        (b"", "not one of Ed25519 in PEM"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "not one of Ed25519 in PEM"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "openssl genpkey -algorithm ed25519"),
        (pem(ed448.Ed448PrivateKey.generate()), "not one of Ed25519"),
        (
            pem(ed25519.Ed25519PrivateKey.generate(), BestAvailableEncryption(b"word")),
            "is encrypted. Decrypt it first",
        ),
    ],
)
def test_private_key_of_another_kind_says_what_to_do(private: bytes, what: str) -> None:
    with pytest.raises(InvalidKey, match=what):
        sign(DOCUMENT, private)
