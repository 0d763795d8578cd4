"""The documents under `models/`: what a version promises, what an alias points at, and what was refused."""

from datetime import datetime
from typing import Any, Literal

import msgspec

from lampyris.domain.signature import Signature

# A part is what one ranged GET fetches and one digest covers: large enough to keep a connection busy,
# small enough that a damaged or slow one is noticed early.
PART_SIZE_BYTES = 8 * 1024 * 1024


class Blob(msgspec.Struct, frozen=True, kw_only=True):
    """Immutable bytes, named by the SHA-256 of the whole, checked by the `part_hash` of each part (hex).

    BLAKE3 is as strong as SHA-256, and a cold start verifies with it in a third of the time.
    """

    digest: str
    size_bytes: int
    part_size_bytes: int
    part_digests: tuple[str, ...]
    part_hash: Literal["sha256", "blake3"] = "sha256"


class Artifact(msgspec.Struct, frozen=True, kw_only=True):
    """A model as onnxruntime loads it: a small graph, and the weights that it maps into memory.

    `weights` is None for a model so small that the graph holds them all. Any CPU can load it; of a `tunable`
    one there may be a faster one for this CPU (`domain/tuned.py`).
    """

    graph: Blob
    weights: Blob | None
    onnxruntime: str
    tunable: bool = False

    @property
    def digest(self) -> str:
        """Name these bytes: equal digests, equal sessions."""
        return self.graph.digest if self.weights is None else f"{self.graph.digest}-{self.weights.digest}"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Who changed something, when and why: kept in the document that was changed, until the audit has it.

    `id` is the caller's idempotency key, or a random one; `fingerprint` tells requests with one key apart.
    The audit had `audited` entries when the change was decided on: its own comes later.
    """

    id: str
    action: str
    by: str
    reason: str
    at: datetime
    audited: int
    fingerprint: str = ""


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """A limit that a version had to keep: what was measured, and None where it could not be."""

    name: str
    limit: float
    measured: float | None
    passed: bool


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What publishing saw for itself, whatever the upload says.

    `measured` is by name: size_bytes, latency_p50_ms, latency_p99_ms, cold_start_ms, and where there is a
    test set: accuracy, samples, accuracy_fp32, accuracy_live. `files` are the SHA-256 of what was uploaded.
    `signed_by` is the SHA-256 of the public key (hex). `bill_of_materials` is a blob: CycloneDX in JSON.
    """

    measured: dict[str, float] = {}
    gates: tuple[Gate, ...] = ()
    files: dict[str, str] = {}
    signed_by: str | None = None
    bill_of_materials: Blob | None = None

    @property
    def passed(self) -> bool:
        """Whether no gate failed."""
        return all(gate.passed for gate in self.gates)


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """A version: immutable, whole or absent. `source` is the SHA-256 of the model file that was uploaded.

    `metrics` is by precision ("fp32", "int8"), as the build measured them; `provenance` as the build told it.
    `hold` says that it was uploaded to be registered without going live. A version that is being deleted has
    `closing`: it answers still, but no alias may be pointed at it.
    """

    format: Literal[1] = 1  # a document of a later format is not read as if it were of this one
    model: str
    version: int
    created_at: datetime
    upload: str
    source: str
    signature: Signature
    artifact: Artifact
    published: Change
    licences: tuple[str, ...] = ()
    metrics: dict[str, dict[str, float]] = {}
    provenance: dict[str, Any] = {}
    evidence: Evidence = Evidence()
    hold: bool = False
    closing: Change | None = None

    @property
    def goes_live(self) -> bool:
        """Whether publishing points `live` at it: nobody asked to hold it, and it passed its gates."""
        return not self.hold and self.evidence.passed


class Tombstone(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of a deleted version: its number, which no other gets. Erased ones name no upload."""

    format: Literal[1] = 1
    model: str
    version: int
    upload: str | None
    deleted: Change


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One version behind an alias, with its share of the traffic (or of what is copied) in percent."""

    weight: int
    manifest: Manifest


class Alias(msgspec.Struct, frozen=True, kw_only=True):
    """A movable pointer. It embeds its manifests, so that a cold start reads one document before the blobs.

    The first route is the stable one; the others are canaries. The `shadow` gets copies of requests.
    `newest_published` is the highest version that publishing ever pointed this alias at: an upload delivered
    again never moves it back or forth. `before` is the revision that a rollback restores; `previous` the
    digest of the revision before this one. Revision 0 has no routes: the alias is about to be made.
    """

    format: Literal[1] = 1
    model: str
    alias: str
    revision: int
    routes: tuple[Route, ...]
    shadow: Route | None = None
    before: int | None = None
    newest_published: int = 0
    change: Change
    previous: str | None = None

    @property
    def stable(self) -> Manifest:
        """The manifest of the first route."""
        return self.routes[0].manifest


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """Why an upload was refused: a stable code, and a sentence that says what would be right.

    What was uploaded where no upload can be has no model: it stands under `layout.NOWHERE`. `completed_at`
    is when the upload was complete: written again, it is another one.
    """

    model: str
    upload: str
    code: str
    detail: str
    rejected_at: datetime
    completed_at: datetime | None = None
