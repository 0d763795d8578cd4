"""Admit an upload: every step in order, each safe to repeat. Delivered again after a crash, it goes on."""

import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from lampyris.domain.layout import Upload
from lampyris.domain.manifest import Artifact, Manifest, Rejection
from lampyris.domain.names import LIVE
from lampyris.domain.registry import (
    commit_version,
    find_upload,
    publish_to_alias,
    put_blob,
    read_rejection,
    write_rejection,
)
from lampyris.domain.store import Store
from lampyris.errors import UploadGone, UploadRefused
from lampyris.publishing.confinement import Accepted
from lampyris.publishing.inbox import Delivery, find_delivery, receive
from lampyris.serving.fetch import GRAPH_FILE, WEIGHTS_FILE

# Takes the folder in which the model stands, leaves the artifact there, and says what it promises.
Trial = Callable[[Path], Accepted]


def admit(
    upload: Upload, store: Store, *, limit_bytes: int, trial: Trial, clock: Callable[[], datetime]
) -> Manifest | Rejection:
    """Make an upload the newest version and point `live` at it, or leave a Rejection that says why not.

    Raises: StoreUnavailable, TrialFailed and the like: nothing is decided, and the upload must come again.
    """
    try:
        manifest = _version_of(upload, store, limit_bytes=limit_bytes, trial=trial, clock=clock)
    except UploadRefused as refusal:
        return _reject(upload, refusal, store, now=clock())
    publish_to_alias(
        store, manifest, alias=LIVE, changed_by="publish", reason=f"upload {upload.upload}", now=clock()
    )
    return manifest


def _version_of(
    upload: Upload, store: Store, *, limit_bytes: int, trial: Trial, clock: Callable[[], datetime]
) -> Manifest:
    """Return the version that was made from an upload, and make it if it was not."""
    delivery = find_delivery(store, upload)
    since = None if delivery is None else delivery.completed_at
    made = find_upload(store, upload.model, upload.upload, since)
    if made is not None:
        return made
    if delivery is None:
        raise UploadGone(key=upload.key)
    with tempfile.TemporaryDirectory(prefix="lampyris-publish-") as folder:
        draft = _draft(
            delivery, store, Path(folder), limit_bytes=limit_bytes, trial=trial, created_at=clock()
        )
    return commit_version(store, draft, delivery.completed_at)


def _draft(
    delivery: Delivery, store: Store, folder: Path, *, limit_bytes: int, trial: Trial, created_at: datetime
) -> Manifest:
    """Try the upload, store its artifact, write down what it promises; the commit gives it its number."""
    received = receive(store, delivery, folder, limit_bytes=limit_bytes)
    accepted = trial(folder)
    weights = folder / WEIGHTS_FILE
    bundle = received.bundle
    return Manifest(
        model=delivery.upload.model,
        version=0,
        created_at=created_at,
        upload=delivery.upload.upload,
        source=received.source,
        signature=accepted.signature,
        artifact=Artifact(
            graph=put_blob(store, folder / GRAPH_FILE),
            weights=put_blob(store, weights) if weights.exists() else None,
            onnxruntime=accepted.onnxruntime,
            tunable=accepted.tunable,
        ),
        metrics={} if bundle is None else bundle.metrics,
        provenance={} if bundle is None else bundle.provenance,
    )


def _reject(upload: Upload, refusal: UploadRefused, store: Store, *, now: datetime) -> Rejection:
    if isinstance(refusal, UploadGone):
        earlier = read_rejection(store, upload.model, upload.upload)
        if earlier is not None:
            return earlier
    rejection = Rejection(
        model=upload.model, upload=upload.upload, code=refusal.code, detail=str(refusal), rejected_at=now
    )
    write_rejection(store, rejection)
    return rejection
