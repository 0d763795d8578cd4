"""Admit an upload: every step in order, each safe to repeat. Delivered again after a crash, it goes on."""

import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from lampyris.domain.layout import Upload
from lampyris.domain.manifest import Artifact, Change, Manifest, Rejection
from lampyris.domain.names import LIVE
from lampyris.domain.store import Store
from lampyris.errors import UploadGone, UploadRefused, VersionClosing, VersionDeleted
from lampyris.publishing.confinement import Accepted
from lampyris.publishing.inbox import Delivery, find_delivery, receive
from lampyris.registry.aliases import publish_to_alias
from lampyris.registry.blobs import put_blobs, release
from lampyris.registry.changes import Author, begin
from lampyris.registry.documents import read_rejection, write_rejection
from lampyris.registry.versions import commit_version, find_upload
from lampyris.serving.fetch import GRAPH_FILE, WEIGHTS_FILE

# Takes the folder in which the model stands, leaves the artifact there, and says what it promises.
Trial = Callable[[Path], Accepted]


def admit(
    upload: Upload,
    store: Store,
    *,
    by: str,
    limit_bytes: int,
    trial: Trial,
    clock: Callable[[], datetime],
) -> Manifest | Rejection:
    """Make an upload the newest version and point `live` at it, or leave a Rejection that says why not.

    `by` is who uploaded it.
    Raises: StoreUnavailable, TrialFailed and the like: nothing is decided, and the upload must come again.
    """
    try:
        manifest = _version_of(upload, store, by=by, limit_bytes=limit_bytes, trial=trial, clock=clock)
    except UploadRefused as refusal:
        return _reject(upload, refusal, store, now=clock())
    author = Author(
        key=f"{LIVE}:{upload.model}:{upload.upload}",
        by=manifest.published.by,
        reason=manifest.published.reason,
    )
    with suppress(VersionDeleted, VersionClosing):  # somebody was quick
        publish_to_alias(store, manifest, alias=LIVE, author=author, now=clock())
    release(store, _owner(upload))
    return manifest


def _owner(upload: Upload) -> str:
    return f"{upload.model}/{upload.upload}"


def _version_of(
    upload: Upload,
    store: Store,
    *,
    by: str,
    limit_bytes: int,
    trial: Trial,
    clock: Callable[[], datetime],
) -> Manifest:
    """Return the version that was made from an upload, and make it if it was not."""
    delivery = find_delivery(store, upload)
    since = None if delivery is None else delivery.completed_at
    made = find_upload(store, upload.model, upload.upload, since)
    if isinstance(made, Manifest):
        return made
    if delivery is None or made is not None:
        raise UploadGone(key=upload.key)
    author = Author(key=f"publish:{_owner(upload)}", by=by, reason=f"upload {upload.upload}")
    published = begin(store, author, "publish", about=(upload.model, upload.upload), at=clock())
    with tempfile.TemporaryDirectory(prefix="lampyris-publish-") as folder:
        draft = _draft(
            delivery, store, Path(folder), limit_bytes=limit_bytes, trial=trial, published=published
        )
    committed = commit_version(store, draft, delivery.completed_at)
    if isinstance(committed, Manifest):
        return committed
    raise UploadGone(key=upload.key)


def _draft(
    delivery: Delivery, store: Store, folder: Path, *, limit_bytes: int, trial: Trial, published: Change
) -> Manifest:
    """Try the upload, store its artifact, write down what it promises; the commit gives it its number."""
    received = receive(store, delivery, folder, limit_bytes=limit_bytes)
    accepted = trial(folder)
    files = [folder / name for name in (GRAPH_FILE, WEIGHTS_FILE)]
    graph, *weights = put_blobs(store, _owner(delivery.upload), [file for file in files if file.exists()])
    bundle = received.bundle
    return Manifest(
        model=delivery.upload.model,
        version=0,
        created_at=published.at,
        upload=delivery.upload.upload,
        source=received.source,
        signature=accepted.signature,
        artifact=Artifact(
            graph=graph,
            weights=next(iter(weights), None),
            onnxruntime=accepted.onnxruntime,
            tunable=accepted.tunable,
        ),
        published=published,
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
