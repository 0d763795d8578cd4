"""Admit an upload: every step in order, each safe to repeat. Delivered again after a crash, it goes on.

What was decided stays decided: an upload that is a version, or was refused, is not measured a second time.
"""

import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from lampyris.domain.bundle import EVALUATION_FILE
from lampyris.domain.layout import NOWHERE, Upload, misplaced_upload
from lampyris.domain.manifest import Artifact, Evidence, Gate, Manifest, Rejection
from lampyris.domain.names import LIVE
from lampyris.domain.store import Store
from lampyris.errors import (
    ArtifactDamaged,
    DocumentDamaged,
    InvalidName,
    NotFound,
    StorageFull,
    UploadGone,
    UploadRefused,
    VersionClosing,
    VersionDeleted,
)
from lampyris.printable import printable
from lampyris.publishing.bill_of_materials import bill_of_materials
from lampyris.publishing.confinement import LIVE_FOLDER, Accepted
from lampyris.publishing.gates import failure, judge
from lampyris.publishing.inbox import Delivery, Received, find_delivery, receive
from lampyris.publishing.signing import TrustedKey
from lampyris.registry.aliases import publish_to_alias
from lampyris.registry.blobs import put_blobs, release
from lampyris.registry.changes import Author, begin
from lampyris.registry.documents import read_alias, read_rejection, write_rejection
from lampyris.registry.versions import commit_version, find_upload
from lampyris.serving.fetch import GRAPH_FILE, WEIGHTS_FILE, fetch

_LONGEST_DETAIL = 2000
# AWS' principals are shorter; `changes.begin` takes reasons of this length.
_LONGEST_PRINCIPAL, _LONGEST_REASON = 256, 1000

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
    trusted_keys: tuple[TrustedKey, ...] = (),
) -> Manifest | Rejection:
    """Make an upload the newest version and point `live` at it, or leave a Rejection that says why not.

    A version that fails its gates, or that its uploader wants to hold, is registered without going live
    (`Manifest.goes_live`). `by` is who uploaded it; where there are trusted keys, one must have signed it.
    Raises: StoreUnavailable, TrialFailed and the like: nothing is decided, and the upload must come again.
    """
    delivery = find_delivery(store, upload)
    outcome = _find_outcome(store, upload, delivery)
    if outcome is None:
        try:
            outcome = _publish(
                upload,
                delivery,
                store,
                by=by,
                limit_bytes=limit_bytes,
                trial=trial,
                clock=clock,
                trusted_keys=trusted_keys,
            )
        except UploadRefused as refusal:
            # Delivered twice at once, it may be a version by now: figures differ from one time to the next.
            outcome = _find_outcome(store, upload, delivery)
            outcome = outcome or _reject(store, upload, delivery, refusal, now=clock())
    if isinstance(outcome, Manifest) and outcome.goes_live:
        _point_live(store, outcome, now=clock())
    release(store, _owner(upload))
    return outcome


def _owner(upload: Upload) -> str:
    return f"{upload.model}/{upload.upload}"


def _find_outcome(store: Store, upload: Upload, delivery: Delivery | None) -> Manifest | Rejection | None:
    """Return what became of an upload; None if nothing was decided yet, or its version is deleted by now."""
    completed_at = None if delivery is None else delivery.completed_at
    made = find_upload(store, upload.model, upload.upload, completed_at)
    if isinstance(made, Manifest):
        return made
    rejection = read_rejection(store, upload.model, upload.upload)
    if rejection is not None and completed_at in (None, rejection.completed_at):
        return rejection
    return None


def _publish(
    upload: Upload,
    delivery: Delivery | None,
    store: Store,
    *,
    by: str,
    limit_bytes: int,
    trial: Trial,
    clock: Callable[[], datetime],
    trusted_keys: tuple[TrustedKey, ...],
) -> Manifest:
    """Try an upload, store its artifact, and commit what it promises and what was measured as a version."""
    if delivery is None:
        raise UploadGone(key=upload.key)
    with tempfile.TemporaryDirectory(prefix="lampyris-publish-") as name:
        folder = Path(name)
        received = receive(store, delivery, folder, limit_bytes=limit_bytes, trusted_keys=trusted_keys)
        has_live = (folder / EVALUATION_FILE).exists() and _fetch_live(store, upload.model, folder)
        accepted = trial(folder)
        gates = _judge(received, accepted, has_live=has_live)
        author = Author(
            key=f"publish:{_owner(upload)}@{delivery.completed_at.isoformat()}",
            by=printable(by, longest=_LONGEST_PRINCIPAL) or "unknown",
            reason=printable(received.instructions.reason, longest=_LONGEST_REASON)
            or f"upload {upload.upload}",
        )
        published = begin(store, author, "publish", about=(upload.model, upload.upload), at=clock())
        files = [folder / name for name in (GRAPH_FILE, WEIGHTS_FILE) if (folder / name).exists()]
        bill = bill_of_materials(upload.model, received, accepted, at=published.at)
        graph, *weights, bill_blob = put_blobs(store, _owner(upload), [*files, bill])
    bundle = received.bundle
    draft = Manifest(
        model=upload.model,
        version=0,  # the commit gives it its number
        created_at=published.at,
        upload=upload.upload,
        source=received.source,
        signature=accepted.signature,
        artifact=Artifact(
            graph=graph,
            weights=next(iter(weights), None),
            onnxruntime=accepted.onnxruntime,
            tunable=accepted.tunable,
        ),
        published=published,
        licences=() if bundle is None else bundle.licences,
        metrics={} if bundle is None else bundle.metrics,
        provenance={} if bundle is None else bundle.provenance,
        evidence=Evidence(
            measured=accepted.measured,
            gates=gates,
            files=received.files,
            signed_by=received.signed_by,
            bill_of_materials=bill_blob,
        ),
        hold=received.instructions.release == "hold",
    )
    committed = commit_version(store, draft, delivery.completed_at)
    if isinstance(committed, Manifest):
        return committed
    raise UploadGone(key=upload.key)  # it was a version, which is deleted


def _fetch_live(store: Store, model: str, folder: Path) -> bool:
    """Put the artifact of the live version beside an upload; False if there is none to compare with.

    A damaged one must not keep the next one from taking its place.
    """
    try:
        alias, _ = read_alias(store, model, LIVE)
        fetch(alias.stable.artifact, store, folder / LIVE_FOLDER)
    except (NotFound, ArtifactDamaged, DocumentDamaged, StorageFull):
        return False
    return True


def _judge(received: Received, accepted: Accepted, *, has_live: bool) -> tuple[Gate, ...]:
    """Hold what was measured against the bundle's gates. Raises: GateFailed if the bundle asks for it."""
    if received.bundle is None:
        return ()
    wanted = received.bundle.gates
    gates = judge(wanted, accepted.measured, has_live=has_live)
    if wanted.on_failure == "refuse" and not all(gate.passed for gate in gates):
        raise failure(gates)
    return gates


def _point_live(store: Store, manifest: Manifest, *, now: datetime) -> None:
    author = Author(
        key=f"{LIVE}:{manifest.model}:{manifest.version}",
        by=manifest.published.by,
        reason=manifest.published.reason,
    )
    with suppress(VersionDeleted, VersionClosing):  # somebody was quick
        publish_to_alias(store, manifest, alias=LIVE, author=author, now=now)


def _reject(
    store: Store, upload: Upload, delivery: Delivery | None, refusal: UploadRefused, *, now: datetime
) -> Rejection:
    rejection = Rejection(
        model=upload.model,
        upload=upload.upload,
        code=refusal.code,
        detail=printable(str(refusal), longest=_LONGEST_DETAIL),
        rejected_at=now,
        completed_at=None if delivery is None else delivery.completed_at,
    )
    write_rejection(store, rejection)
    return rejection


def refuse_place(store: Store, key: str, reason: InvalidName, *, now: datetime) -> Rejection:
    """Leave a Rejection of what was put where no upload can be, under no model's name."""
    upload = misplaced_upload(key)
    earlier = read_rejection(store, NOWHERE, upload)
    if earlier is not None:
        return earlier
    rejection = Rejection(
        model=NOWHERE,
        upload=upload,
        code=reason.code,
        detail=printable(f"{key} was not taken: {reason}", longest=_LONGEST_DETAIL),
        rejected_at=now,
    )
    write_rejection(store, rejection)
    return rejection
