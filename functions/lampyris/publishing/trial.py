"""The process in which a model is tried; `confinement` starts it.

It reads the model, and a bundle's document and probe, from the folder, and leaves the artifact and a verdict.
"""

import os
import sys
from pathlib import Path
from time import perf_counter

import msgspec
import onnxruntime

from lampyris.domain.bundle import MODEL_FILE, PROBE_FILE
from lampyris.domain.layout import BUNDLE_FILE
from lampyris.domain.signature import Signature
from lampyris.errors import UnsupportedModel, UploadRefused
from lampyris.publishing.confinement import (
    VERDICT_FILE,
    Accepted,
    Limits,
    Refused,
    limits_of_arguments,
)
from lampyris.publishing.evaluation import evaluate
from lampyris.publishing.first_run import write_row
from lampyris.publishing.inbox import read_bundle
from lampyris.publishing.inspection import inspect
from lampyris.publishing.latency import measure_latency, single_row
from lampyris.publishing.layout import choose_layout, is_tunable
from lampyris.publishing.limits import OUT_OF_MEMORY, keep_to
from lampyris.publishing.optimise import optimise
from lampyris.publishing.probing import Observed, read_probe, run_on_zeros, run_probe
from lampyris.publishing.runtime import refusing
from lampyris.publishing.signatures import check_labels, check_promise, signature_of, with_observed_shapes
from lampyris.serving.fetch import GRAPH_FILE, WEIGHTS_FILE
from lampyris.serving.runtime import open_session

# To choose a layout takes some five times as long as the checks did at most, and must not end the trial.
_PATIENCE_S = 10
# When to stop asking the test set: before the alarm ends the trial, which says less.
_EVALUATED_AFTER_S = 65


def try_model(folder: Path, *, limit_bytes: int) -> Accepted:
    """Take a model through every check, in order, and leave its artifact in `folder`.

    Raises: UploadRefused, MemoryError.
    """
    started_s = perf_counter()
    model = folder / MODEL_FILE
    inspect(model)
    optimise(model, limit_bytes=limit_bytes)
    model.unlink()  # the disk has room for two copies
    with refusing("load the optimised model"):
        session = open_session(folder / GRAPH_FILE, threads=1)  # as the predict function will
    signature = signature_of(session)
    document = folder / BUNDLE_FILE
    observed: Observed | None
    if document.exists():
        promised = read_bundle(document.read_bytes()).signature
        check_promise(promised, signature)
        observed = run_probe(session, read_probe((folder / PROBE_FILE).read_bytes()), promised)
        check_labels(promised, observed.shapes)
        signature = promised
    else:
        observed = run_on_zeros(session, signature)
        signature = signature if observed is None else with_observed_shapes(signature, observed.shapes)
    tunable = False
    if observed is not None and perf_counter() - started_s < _PATIENCE_S:
        choose_layout(folder, session, observed.inputs)
        tunable = is_tunable(folder)
    del session  # what is measured is the artifact as it is now
    measured = {"size_bytes": float(_size_bytes(folder))}
    if observed is not None:
        measured |= _measure(
            folder, signature, observed, limit_bytes=limit_bytes, deadline_s=started_s + _EVALUATED_AFTER_S
        )
    return Accepted(
        signature=signature, onnxruntime=onnxruntime.__version__, tunable=tunable, measured=measured
    )


def _size_bytes(folder: Path) -> int:
    files = (folder / GRAPH_FILE, folder / WEIGHTS_FILE)
    return sum(file.stat().st_size for file in files if file.exists())


def _measure(
    folder: Path, signature: Signature, observed: Observed, *, limit_bytes: int, deadline_s: float
) -> dict[str, float]:
    """Time the artifact in `folder`, leave the inputs that a cold start is to be timed with, and evaluate it.

    Raises: UploadRefused, MemoryError.
    """
    with refusing("load the artifact"):
        session = open_session(folder / GRAPH_FILE, threads=1)
    row = single_row(signature, observed.inputs)
    try:
        latency = measure_latency(session, row)
    except UnsupportedModel:  # an open dimension need not be one of rows
        row = observed.inputs
        latency = measure_latency(session, row)
    write_row(folder, row, [value.name for value in session.get_inputs()])
    return latency | evaluate(folder, session, signature, limit_bytes=limit_bytes, deadline_s=deadline_s)


def main(folder: Path, limits: Limits) -> None:
    """Write the verdict, or end as `confinement` understands: by the alarm, or with OUT_OF_MEMORY."""
    keep_to(memory_bytes=limits.memory_bytes, time_s=limits.time_s)
    verdict: Accepted | Refused
    try:
        verdict = try_model(folder, limit_bytes=limits.upload_bytes)
    except UploadRefused as refusal:
        verdict = Refused.of(refusal)
    except MemoryError:
        os._exit(OUT_OF_MEMORY)
    (folder / VERDICT_FILE).write_bytes(msgspec.json.encode(verdict))


if __name__ == "__main__":
    main(*limits_of_arguments(sys.argv[1:]))
