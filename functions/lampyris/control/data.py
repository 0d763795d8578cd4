"""The verb that makes a place for data: what a job is to learn from, or to predict on."""

import hashlib
from datetime import datetime, timedelta
from typing import Annotated, Literal

import msgspec

from lampyris.control.call import Caller, Registry
from lampyris.jobs.specs import DATA

_EXPIRES_S = 3600
_ID_DIGITS = 32


class OpenData(msgspec.Struct, frozen=True, kw_only=True):
    name: Annotated[
        str,
        msgspec.Meta(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$",
            description="What the file is called, such as flowers.zip: its ending says what it is.",
        ),
    ]


class DataPlace(msgspec.Struct, frozen=True, kw_only=True):
    """Where to put a file of 5 GB at most, and the `key` by which a job names it.

    The address is signed, and needs no other authorisation.
    """

    key: str
    url: str
    method: Literal["PUT"] = "PUT"
    expires_at: datetime


def open_place(registry: Registry, arguments: OpenData, caller: Caller) -> DataPlace:
    """Make a place below data/; the same key makes the same place. Raises: MalformedRequest."""
    named = msgspec.json.encode((caller.by, caller.author.key, arguments))
    key = f"{DATA}{hashlib.sha256(named).hexdigest()[:_ID_DIGITS]}/{arguments.name}"
    return DataPlace(
        key=key,
        url=registry.store.presign("PUT", key, _EXPIRES_S),
        expires_at=registry.now() + timedelta(seconds=_EXPIRES_S),
    )
