"""Hand over: one folder with everything that `publish` needs, whole or not there."""

import hashlib
import math
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from lampyris.domain.bundle import (
    EVALUATION_FILE,
    MODEL_FILE,
    PROBE_FILE,
    REFERENCE_FILE,
    Bundle,
    BundleFile,
    Probe,
)
from lampyris.domain.layout import BUNDLE_FILE, FILES
from lampyris.domain.signature import Signature
from lampyris_build.errors import OutputOccupied, WriteFailed
from lampyris_build.evaluation.metrics import Metrics
from lampyris_build.recipe import Recipe

RECIPE_FILE: Final = "recipe.toml"


def check_vacant(out: Path) -> None:
    """Make sure that a bundle may be put at `out`: nothing there, an empty folder, or an earlier bundle.

    Raises: OutputOccupied.
    """
    if not out.exists() or (out / BUNDLE_FILE).is_file() or (out.is_dir() and not any(out.iterdir())):
        return
    raise OutputOccupied(path=out)


def write_bundle(
    out: Path,
    *,
    recipe: Recipe,
    model: Path,
    signature: Signature,
    probe: Probe,
    evaluation_set: bytes | None,
    reference: Path | None,
    metrics: Mapping[str, Metrics],
    provenance: dict[str, Any],
    papers: Mapping[str, bytes],
) -> Bundle:
    """Write the folder beside `out`, then put it in place of what stood there.

    `evaluation_set` is a classifier's. `reference` is the model before it was compressed, where publishing
    is to compare the two. `papers` stand in the folder for people to read, and are not uploaded.

    Raises: WriteFailed; nothing half-written is left then.
    """
    contents = {
        MODEL_FILE: model.read_bytes(),
        PROBE_FILE: msgspec.json.encode(probe),
        RECIPE_FILE: recipe.to_toml().encode(),
    }
    if evaluation_set is not None:
        contents[EVALUATION_FILE] = evaluation_set
    if reference is not None:
        contents[REFERENCE_FILE] = reference.read_bytes()
    bundle = Bundle(
        model=recipe.name,
        created_at=datetime.now(UTC),
        files={name: _described(data) for name, data in contents.items()},
        signature=signature,
        gates=recipe.gates,
        licences=recipe.licences,
        metrics={name: _figures(one) for name, one in metrics.items()},
        provenance=provenance,
    )
    files = {f"{FILES}/{name}": data for name, data in contents.items()} | dict(papers)
    files[BUNDLE_FILE] = msgspec.json.format(msgspec.json.encode(bundle))
    partial = out.with_name(f"{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        for name, data in files.items():
            (partial / name).parent.mkdir(parents=True, exist_ok=True)
            (partial / name).write_bytes(data)
        if out.exists():
            shutil.rmtree(out)
        partial.replace(out)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        raise WriteFailed(path=out, reason=error.strerror or str(error)) from error
    return bundle


def _described(data: bytes) -> BundleFile:
    return BundleFile(digest=hashlib.sha256(data).hexdigest(), size_bytes=len(data))


def _figures(metrics: Metrics) -> dict[str, float]:
    """Put all figures side by side, without those that JSON has no number for."""
    figures: dict[str, Any] = msgspec.structs.asdict(metrics)
    scores: dict[str, float] = figures.pop("scores")
    return {name: value for name, value in (scores | figures).items() if math.isfinite(value)}
