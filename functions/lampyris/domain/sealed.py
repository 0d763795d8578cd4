"""Documents that tell when they were altered: JSON in an envelope that holds its digest.

A flipped bit in a manifest may leave valid JSON of another meaning. The digest is also a document's name in
the chains: each revision of an alias, and each entry of the audit, holds that of the one before.
"""

from typing import TypeVar

import msgspec

from lampyris.errors import DocumentDamaged

T = TypeVar("T")


class _Envelope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`digest` is the BLAKE3 of the document (hex). Raising `fence` makes those who read it read it again."""

    digest: str
    document: msgspec.Raw
    fence: int = 0


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Envelope).decode


class Sealed(msgspec.Struct, frozen=True, kw_only=True):
    """A sealed document as it is stored: `digest` names its content, whatever its `fence` is."""

    digest: str
    document: bytes
    fence: int = 0

    @property
    def data(self) -> bytes:
        """The bytes to store."""
        return _encode(_Envelope(digest=self.digest, document=msgspec.Raw(self.document), fence=self.fence))

    def decode(self, type_: type[T]) -> T:
        """Read the document. Raises: DocumentDamaged if it is of another kind."""
        try:
            return msgspec.json.decode(self.document, type=type_)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise DocumentDamaged(digest=self.digest, is_whole=True) from None

    def fenced(self) -> "Sealed":
        """Return the same document in other bytes: a conditional write that has read these will fail."""
        return msgspec.structs.replace(self, fence=self.fence + 1)


def seal(document: msgspec.Struct, *, fence: int = 0) -> Sealed:
    """Put a document into its envelope.

    One that may stand there a second time, with another between, gets a `fence` that it did not have before:
    an etag on S3 tells bytes apart, not writings.
    """
    encoded = _encode(document)
    return Sealed(digest=_digest(encoded), document=encoded, fence=fence)


def unseal(data: bytes) -> Sealed:
    """Read an envelope.

    Raises: DocumentDamaged if it is none, or if its document does not have the digest that it holds.
    """
    try:
        envelope = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise DocumentDamaged(digest="") from None
    document = bytes(envelope.document)
    if _digest(document) != envelope.digest:
        raise DocumentDamaged(digest=envelope.digest)
    return Sealed(digest=envelope.digest, document=document, fence=envelope.fence)


def _digest(document: bytes) -> str:
    from blake3 import blake3  # noqa: PLC0415 - native: what imports this module must not wait for it

    return blake3(document).hexdigest()
