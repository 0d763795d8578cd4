"""Sign a bundle, and tell whether one of the trusted keys has signed it.

A signature is Ed25519 over the bytes of `bundle.json` as they are: that document holds the digests of all the
bundle's files, and the name of its model. `openssl pkeyutl -sign -rawin` makes the same.
"""

import base64
import binascii
import hashlib

import msgspec

from lampyris.errors import BadSignature, LampyrisError

SIGNATURE_BYTES = 64
# What stands before the 32 bytes of every Ed25519 key in its DER form (RFC 8410): so no parser is needed.
_DER_HEAD = bytes.fromhex("302a300506032b6570032100")
_RAW_BYTES = 32


class InvalidKey(LampyrisError):
    """A key cannot be read, or is of another kind."""

    code = "invalid-key"

    def __init__(self, *, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TrustedKey(msgspec.Struct, frozen=True, kw_only=True):
    """A public key, in DER: `openssl pkey -in key.pem -pubout -outform DER`."""

    der: bytes

    @property
    def digest(self) -> str:
        """The SHA-256 by which a manifest names it (hex)."""
        return hashlib.sha256(self.der).hexdigest()


def read_trusted_keys(setting: str) -> tuple[TrustedKey, ...]:
    """Read public keys, separated by commas, each the base64 of its DER: the middle line of its PEM.

    Raises: InvalidKey.
    """
    return tuple(_trusted_key(item.strip()) for item in setting.split(",") if item.strip())


def _trusted_key(text: str) -> TrustedKey:
    try:
        der = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        der = b""
    if not der.startswith(_DER_HEAD) or len(der) != len(_DER_HEAD) + _RAW_BYTES:
        raise InvalidKey(
            reason=f"{text[:80]!r} is no public key of Ed25519. LAMPYRIS_TRUSTED_KEYS takes, separated by "
            "commas, what stands between BEGIN and END in the output of: openssl pkey -in key.pem -pubout"
        )
    return TrustedKey(der=der)


def verify(document: bytes, signature: bytes, keys: tuple[TrustedKey, ...]) -> TrustedKey:
    """Return the key that signed a document.

    Raises: BadSignature if none of `keys` did.
    """
    # 27 ms, and only where there are keys.
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - as above
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415 - as above

    for key in keys:
        try:
            Ed25519PublicKey.from_public_bytes(key.der[len(_DER_HEAD) :]).verify(signature, document)
        except InvalidSignature:
            continue
        return key
    raise BadSignature(
        reason=f"none of the {len(keys)} trusted keys made it for this bundle.json. "
        "Sign the file exactly as it is uploaded."
    )


def sign(document: bytes, private_key: bytes) -> bytes:
    """Sign the bytes of a `bundle.json`; the key is in PEM: `openssl genpkey -algorithm ed25519`.

    Raises: InvalidKey.
    """
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - as above
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - as above
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415 - as above

    try:
        key = load_pem_private_key(private_key, password=None)
    except TypeError:
        raise InvalidKey(
            reason="The private key is encrypted. Decrypt it first: openssl pkey -in key.pem -out plain.pem"
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise InvalidKey(
            reason="The private key is not one of Ed25519 in PEM. "
            "Make one with: openssl genpkey -algorithm ed25519 -out key.pem"
        )
    return key.sign(document)
