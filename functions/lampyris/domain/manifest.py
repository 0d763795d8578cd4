"""What a version promises, and what an alias points at: the two kinds of document under `models/`."""

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


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """A version: immutable, whole or absent. `source` is the SHA-256 of the model file that was uploaded.

    `metrics` is by precision ("fp32", "int8"), as the build measured them; `provenance` as the build told it.
    """

    format: Literal[1] = 1  # a document of a later format is not read as if it were of this one
    model: str
    version: int
    created_at: datetime
    upload: str
    source: str
    signature: Signature
    artifact: Artifact
    metrics: dict[str, dict[str, float]] = {}
    provenance: dict[str, Any] = {}


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One version behind an alias, with its share of the traffic."""

    weight: int
    manifest: Manifest


class Alias(msgspec.Struct, frozen=True, kw_only=True):
    """A movable pointer. It embeds its manifests, so that a cold start reads one document before the blobs.

    `newest_published` is the highest version that publishing ever pointed this alias at: an upload delivered
    again never moves it back or forth. `previous` is the SHA-256 of the document before this one.
    """

    format: Literal[1] = 1
    model: str
    alias: str
    revision: int
    routes: tuple[Route, ...]
    newest_published: int
    changed_at: datetime
    changed_by: str
    reason: str
    previous: str | None


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """Why an upload was refused: a stable code, and a sentence that says what would be right."""

    model: str
    upload: str
    code: str
    detail: str
    rejected_at: datetime
