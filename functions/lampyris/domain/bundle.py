"""What a build hands over: `bundle.json`, and the files that it names under `files/`."""

from datetime import datetime
from typing import Any

import msgspec

from lampyris.domain.signature import Signature
from lampyris.domain.tensors import Tensor

MODEL_FILE = "model.onnx"
PROBE_FILE = "probe.json"


class BundleFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file under `files/`: its SHA-256 (hex) and its size."""

    digest: str
    size_bytes: int


class Bundle(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The document `bundle.json`. It is uploaded last: its presence says that the bundle is whole.

    `files` holds at least MODEL_FILE and PROBE_FILE. `metrics` is by precision, for instance
    `{"fp32": {"accuracy": 0.991, "size_bytes": 440000}, "int8": {…}}`.
    """

    format: int = 1
    model: str
    created_at: datetime
    files: dict[str, BundleFile]
    signature: Signature
    metrics: dict[str, dict[str, float]] = {}
    provenance: dict[str, Any] = {}


class Probe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A small set of inputs with the outputs that the build saw: the file `probe.json`.

    An answer agrees when |answer - output| <= atol + rtol * |output| for every element.
    """

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    rtol: float
    atol: float
