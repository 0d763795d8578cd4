"""Serve a model as the cloud will, in a process of its own: how long whole requests take, and what it holds.

The model is optimised and put into a registry as publishing does; the process answers by the predict
function's own code. What it says comes from `serving_process`.
"""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import msgspec
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from lampyris.adapters.folder_store import FolderStore
from lampyris.domain.manifest import Artifact, Change, Manifest
from lampyris.domain.signature import Signature
from lampyris.domain.tensors import tensor_of
from lampyris.publishing.optimise import optimise
from lampyris.registry.aliases import publish_to_alias
from lampyris.registry.blobs import put_blobs
from lampyris.registry.changes import Author
from lampyris.registry.versions import commit_version
from lampyris.serving.fetch import GRAPH_FILE, WEIGHTS_FILE
from lampyris_build.data.dataset import Inputs
from lampyris_build.evaluation.session import open_session, rows_taken

MODEL: Final = "measured"
_LIMIT_BYTES: Final = 2**33
_BY: Final = "lampyris tune"


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """`durations_ms` of requests for one row, one after the other; `held_bytes` is the process' peak."""

    durations_ms: tuple[float, ...]
    held_bytes: int


def measure_served(model: Path, signature: Signature, inputs: Inputs) -> Served:
    """Ask the predict function for the first row, in JSON, again and again."""
    rows = rows_taken(open_session(model)) or 1
    asked = [tensor_of(spec, _first(inputs[spec.name], rows)) for spec in signature.inputs]
    with TemporaryDirectory() as name:
        work = Path(name)
        _register(model, signature, work)
        (work / "request.json").write_bytes(msgspec.json.encode({"inputs": asked}))
        command = [sys.executable, "-m", "lampyris_build.tuning.serving_process", str(work)]
        path = {"PYTHONPATH": os.pathsep.join(sys.path)}
        subprocess.run(command, env=os.environ | path, stdout=subprocess.DEVNULL, check=True)  # noqa: S603 - ourselves
        return msgspec.json.decode((work / "served.json").read_bytes(), type=Served)


def _first(values: NDArray[Any], rows: int) -> NDArray[Any]:
    """Return the first row, as often as the model takes one; JSON has no word for a missing number."""
    row = np.repeat(values[:1], rows, axis=0)
    return np.nan_to_num(row) if row.dtype.kind == "f" else row


def _register(model: Path, signature: Signature, work: Path) -> None:
    """Make a registry in `work`, with the model as its one version."""
    (work / "model.onnx").write_bytes(model.read_bytes())
    optimise(work / "model.onnx", limit_bytes=_LIMIT_BYTES)
    files = [work / name for name in (GRAPH_FILE, WEIGHTS_FILE)]
    store = FolderStore(work / "registry")
    graph, *weights = put_blobs(store, MODEL, [file for file in files if file.exists()])
    now = datetime.now(UTC)
    draft = Manifest(
        model=MODEL,
        version=0,
        created_at=now,
        upload=MODEL,
        source="0" * 64,
        signature=signature,
        artifact=Artifact(
            graph=graph, weights=next(iter(weights), None), onnxruntime=onnxruntime.__version__
        ),
        published=Change(id=f"publish:{MODEL}", action="publish", by=_BY, reason="", at=now, audited=0),
    )
    manifest = commit_version(store, draft, None)
    assert isinstance(manifest, Manifest)
    publish_to_alias(
        store, manifest, alias="live", author=Author(key=f"live:{MODEL}", by=_BY, reason=""), now=now
    )
