"""What a build hands over: `bundle.json`, and the files that it names under `files/`."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from lampyris.domain.signature import Signature
from lampyris.domain.tensors import Tensor

MODEL_FILE = "model.onnx"
PROBE_FILE = "probe.json"
# A test set: what the model takes, under the names of its inputs, and the class of each row as `labels`.
EVALUATION_FILE = "evaluation.npz"
# The model before it was compressed, to measure what that cost.
REFERENCE_FILE = "reference.onnx"


class BundleFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file under `files/`: its SHA-256 (hex) and its size."""

    digest: str
    size_bytes: int


Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
# Less than 0 asks to be better by so much.
Drop = Annotated[float, msgspec.Meta(ge=-1, le=1)]
Milliseconds = Annotated[float, msgspec.Meta(gt=0, le=1e6)]
Bytes = Annotated[int, msgspec.Meta(ge=1, le=2**50)]
Licence = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9.+-]{0,63}$")]


class Gates(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a version must keep to be live, measured when it is published; None is no limit.

    Accuracies and drops are shares (0.01 is one point) of the test set in the bundle. A version that fails
    is registered without going live ("hold"), or refused.
    """

    min_accuracy: Share | None = None
    max_drop_fp32: Drop | None = None
    max_drop_live: Drop | None = None
    max_size_bytes: Bytes | None = None
    max_latency_p99_ms: Milliseconds | None = None
    max_cold_start_ms: Milliseconds | None = None
    on_failure: Literal["hold", "refuse"] = "hold"


class Bundle(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The document `bundle.json`. It is uploaded last: its presence says that the bundle is whole.

    `files` holds at least MODEL_FILE and PROBE_FILE. `licences` are SPDX identifiers. `metrics` is by
    precision, for instance `{"fp32": {"accuracy": 0.991, "size_bytes": 440000}, "int8": {…}}`.
    """

    format: int = 1
    model: str
    created_at: datetime
    files: dict[str, BundleFile]
    signature: Signature
    gates: Gates = Gates()
    licences: tuple[Licence, ...] = ()
    metrics: dict[str, dict[str, float]] = {}
    provenance: dict[str, Any] = {}


class Instructions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the uploader wants of the upload: the document `instructions.json`, which may be left out.

    "hold" registers the version and leaves `live` where it is; `reason` is what the audit says of it.
    """

    release: Literal["live", "hold"] = "live"
    reason: Annotated[str, msgspec.Meta(max_length=1000)] = ""


class Probe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A small set of inputs with the outputs that the build saw: the file `probe.json`.

    An answer agrees when |answer - output| <= atol + rtol * |output| for every element.
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    rtol: float
    atol: float
