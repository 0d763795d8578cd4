"""Publishing, as who publishes sees it: a parcel into the inbox, then wait for the verdict."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from lampyris.domain.layout import INBOX, Upload
from lampyris.domain.manifest import Manifest, Rejection, Tombstone
from lampyris.domain.names import LIVE
from lampyris.domain.store import Store
from lampyris.errors import (
    AliasNotFound,
    KeyReused,
    LampyrisError,
    ModelNotFound,
    ObjectExists,
    VersionDeleted,
)
from lampyris.registry.documents import read_alias, read_rejection
from lampyris.registry.versions import find_upload
from lampyris_local.parcels import Parcel, size_bytes

_POLL_S = 0.1

# A version that is held is registered, and answers by its number; `live` was not pointed at it.
Outcome = Literal["live", "held", "held-by-gates"]


@dataclass(eq=False, kw_only=True)
class Rejected(LampyrisError):
    """The publish function refused the upload; `code` and the sentence are its own."""

    rejection: Rejection

    @property
    def code(self) -> str:  # type: ignore[override]  # the rejection's code, known only from its document
        return self.rejection.code

    def __str__(self) -> str:
        return self.rejection.detail


@dataclass(eq=False, kw_only=True)
class NoVerdict(LampyrisError):
    code = "no-verdict"
    upload: Upload
    waited_s: float

    def __str__(self) -> str:
        return (
            f"Nothing was heard of upload {self.upload.upload} for {self.waited_s:.0f} s. It may still be "
            f"published; to look again: lampyris models {self.upload.model}"
        )


def send(store: Store, parcel: Parcel, *, on_sent: Callable[[int], None]) -> None:
    """Put a parcel into the inbox, telling the size of each object that has arrived.

    One with a key is sent once: nothing happens if it was sent before.
    Raises: KeyReused if something else was; VersionDeleted if what came of it is; StoreUnavailable.
    """
    if parcel.key is not None and _was_sent(store, parcel, parcel.key):
        return
    *before, (last_key, last) = parcel.objects
    for key, source in before:
        store.put(key, source)
        on_sent(size_bytes(source))
    if parcel.key is None:
        store.put(last_key, last)
    else:
        with suppress(ObjectExists):  # somebody sends the same: S3 must tell of it once
            store.create(last_key, last if isinstance(last, bytes) else last.read_bytes())
    on_sent(size_bytes(last))


def _was_sent(store: Store, parcel: Parcel, key: str) -> bool:
    upload = parcel.upload
    made = find_upload(store, upload.model, upload.upload)
    if isinstance(made, Tombstone):
        raise VersionDeleted(model=made.model, version=made.version)
    if made is not None:
        if made.evidence.files != parcel.digests:
            raise KeyReused(key=key)
        return True
    return read_rejection(store, upload.model, upload.upload) is not None or any(
        entry.key == upload.key for entry in store.list(upload.prefix)
    )


def wait_for_verdict(
    store: Store,
    upload: Upload,
    *,
    timeout_s: float,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Manifest:
    """Wait until an upload is a version, and `live` points at it unless it is held back (`outcome_of`).

    Raises: Rejected, NoVerdict; VersionDeleted if somebody was quick to delete it.
    """
    started = clock()
    # The store's own clock, which is the one that its versions are dated by.
    inbox = store.list(f"{INBOX}{upload.model}/{upload.upload}/")
    sent_at = next((entry.modified_at for entry in inbox if entry.key == upload.key), None)
    while clock() - started < timeout_s:
        made = find_upload(store, upload.model, upload.upload, sent_at)
        if isinstance(made, Tombstone):
            raise VersionDeleted(model=made.model, version=made.version)
        if made is not None and (outcome_of(made) != "live" or _went_live(store, made)):
            return made
        rejection = read_rejection(store, upload.model, upload.upload)
        if rejection is not None:
            raise Rejected(rejection=rejection)
        sleep(_POLL_S)
    raise NoVerdict(upload=upload, waited_s=timeout_s)


def outcome_of(manifest: Manifest) -> Outcome:
    """Tell what publishing did with a version: whether `live` was pointed at it, and if not, why."""
    if not manifest.evidence.passed:
        return "held-by-gates"
    return "held" if manifest.hold else "live"


def _went_live(store: Store, manifest: Manifest) -> bool:
    try:
        alias, _ = read_alias(store, manifest.model, LIVE)
    except (AliasNotFound, ModelNotFound):
        return False
    return alias.newest_published >= manifest.version
