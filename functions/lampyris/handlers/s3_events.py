"""What S3 puts into a queue when an object was written."""

from collections.abc import Iterator

import msgspec


class _Object(msgspec.Struct, rename="camel"):
    key: str
    e_tag: str = ""
    version_id: str = ""
    sequencer: str = ""


class _S3(msgspec.Struct):
    object: _Object


class _UserIdentity(msgspec.Struct, frozen=True, rename="camel"):
    principal_id: str = "unknown"


class _Record(msgspec.Struct, rename="camel"):
    event_name: str
    s3: _S3
    user_identity: _UserIdentity = _UserIdentity()


class _Notification(msgspec.Struct):
    """S3's test event, sent when a bucket is set up, has no records."""

    records: list[_Record] = msgspec.field(name="Records", default_factory=list)


_decode = msgspec.json.Decoder(_Notification).decode


class Created(msgspec.Struct, frozen=True, kw_only=True):
    """An object that was written: its key, percent-encoded as S3 tells it, and who wrote it.

    `writing` tells this writing of the key from all others, however often S3 announces it; "" if S3 says
    nothing of it.
    """

    encoded_key: str
    by: str
    writing: str = ""


def read_created(body: str) -> Iterator[Created]:
    """Yield what a message says of objects that were written.

    Raises: msgspec.DecodeError if S3 did not write the message.
    """
    for record in _decode(body).records:
        if record.event_name.startswith("ObjectCreated:"):
            found = record.s3.object
            yield Created(
                encoded_key=found.key,
                by=record.user_identity.principal_id,
                writing=" ".join(filter(None, (found.e_tag, found.version_id, found.sequencer))),
            )
