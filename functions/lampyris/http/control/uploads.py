"""`POST /uploads`: a place in the bucket for a body that is too large for a request."""

from datetime import datetime, timedelta
from typing import Literal

import msgspec

from lampyris.bootstrap import Control
from lampyris.domain.layout import upload_key
from lampyris.http.reply import Reply, json_reply

EXPIRES_S = 900


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """Where to put a body, and by what name a request says that it is its body.

    The address is signed: who has it may write there until `expires_at`. More than `limit_bytes`, once it is
    decompressed, no request takes.
    """

    upload: str
    url: str
    method: Literal["PUT"]
    expires_at: datetime
    limit_bytes: int


def open_upload(control: Control) -> Reply:
    """Make a place for one upload, which the bucket's lifecycle clears after a day."""
    upload = control.new_id()
    url = control.store.presign("PUT", upload_key(upload), EXPIRES_S)
    document = Upload(
        upload=upload,
        url=url,
        method="PUT",
        expires_at=control.now() + timedelta(seconds=EXPIRES_S),
        limit_bytes=control.body_limit_bytes,
    )
    return json_reply(document, status=201, headers={"location": url})
