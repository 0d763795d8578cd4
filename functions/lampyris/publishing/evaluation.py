"""Measure how often a model is right on its test set: what the bundle says of it is not believed.

The class that a model finds is the largest value on the last axis of its first output.
Shape suffixes: N samples, K classes.
"""

from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime

from lampyris.domain.bundle import EVALUATION_FILE, MODEL_FILE, REFERENCE_FILE
from lampyris.domain.signature import Signature
from lampyris.domain.tensors import Array
from lampyris.errors import CorruptBundle, UnsupportedModel, UploadRefused
from lampyris.publishing.confinement import LIVE_FOLDER
from lampyris.publishing.evaluation_set import EvaluationSet, read_evaluation_set
from lampyris.publishing.inspection import inspect
from lampyris.publishing.runtime import refusing
from lampyris.serving.fetch import GRAPH_FILE
from lampyris.serving.runtime import open_session
from lampyris.serving.watchdog import Watchdog

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


@dataclass(frozen=True, kw_only=True)
class _Score:
    accuracy: float
    classes: int


def evaluate(
    folder: Path,
    session: "InferenceSession",
    signature: Signature,
    *,
    limit_bytes: int,
    deadline_s: float,
) -> dict[str, float]:
    """Measure a model, the model before it was compressed, and the live version, on the test set in `folder`.

    Return what there is of accuracy, samples, accuracy_fp32 and accuracy_live, by the names of `Evidence`.
    A live version that cannot be compared, as it takes or gives something else, has none. `deadline_s` is on
    the clock of `perf_counter`.
    Raises: CorruptBundle, UnsupportedModel, MemoryError.
    """
    path = folder / EVALUATION_FILE
    if not path.exists():
        return {}
    test = read_evaluation_set(path, signature, limit_bytes=limit_bytes)
    evaluation = _Evaluation(test, signature.outputs[0].name, deadline_s)
    score = evaluation.score(session)
    if test.labels.min() < 0 or test.labels.max() >= score.classes:
        raise CorruptBundle(
            reason=f"{EVALUATION_FILE}: the labels go from {test.labels.min()} to {test.labels.max()}; "
            f"for {score.classes} classes they go from 0 to {score.classes - 1}."
        )
    measured = {"accuracy": score.accuracy, "samples": float(len(test.labels))}
    reference = folder / REFERENCE_FILE
    if reference.exists():
        measured["accuracy_fp32"] = _reference_accuracy(reference, evaluation, score.classes)
    live = folder / LIVE_FOLDER / GRAPH_FILE
    if live.exists():
        accuracy = _live_accuracy(live, evaluation, score.classes)
        measured |= {} if accuracy is None else {"accuracy_live": accuracy}
    return measured


def _reference_accuracy(reference: Path, evaluation: "_Evaluation", classes: int) -> float:
    """Raises: CorruptBundle, MemoryError."""
    try:
        inspect(reference)
        with refusing("load the model"):
            session = open_session(reference, threads=1)
        score = evaluation.score(session)
    except UploadRefused as refusal:
        raise CorruptBundle(reason=f"{REFERENCE_FILE}: {refusal}") from None
    if score.classes != classes:
        raise CorruptBundle(
            reason=f"{REFERENCE_FILE}: it tells {score.classes} classes apart, {MODEL_FILE} {classes}."
        )
    return score.accuracy


def _live_accuracy(live: Path, evaluation: "_Evaluation", classes: int) -> float | None:
    try:
        with refusing("load the model"):
            session = open_session(live, threads=1)
        score = evaluation.score(session)
    except (UploadRefused, MemoryError):  # which says nothing about the model on trial
        return None
    return score.accuracy if score.classes == classes else None


class _Evaluation:
    """A test set that models are asked, one after the other, until the time for all is over."""

    def __init__(self, test: EvaluationSet, output: str, deadline_s: float) -> None:
        self._test = test
        self._output = output
        self._deadline_s = deadline_s
        self._watchdog = Watchdog(clock=perf_counter)

    def score(self, session: "InferenceSession") -> _Score:
        """Raises: CorruptBundle, UnsupportedModel, MemoryError."""
        test = self._test
        right, classes = 0, 0
        for start in range(0, len(test.labels), test.batch):
            rows = slice(start, start + test.batch)
            values_NK = self._run(session, {name: values[rows] for name, values in test.inputs.items()})
            labels_N = test.labels[rows]
            self._check_output(values_NK, len(labels_N))
            right += int(np.count_nonzero(_classes_of(values_NK) == labels_N))
            classes = values_NK.shape[1]
        return _Score(accuracy=right / len(test.labels), classes=classes)

    def _check_output(self, values: Array, rows: int) -> None:
        """Raises: CorruptBundle unless there is a number for each row and class."""
        match values.shape:
            case (n, classes) if n == rows and classes > 1 and values.dtype.kind in "fiu":
                return
        raise CorruptBundle(
            reason=f"{EVALUATION_FILE} needs a classifier, whose first output is a number for each row and "
            f"class; for {rows} rows {self._output!r} is {values.dtype} of shape {list(values.shape)}."
        )

    def _run(self, session: "InferenceSession", inputs: dict[str, Array]) -> Array:
        options = onnxruntime.RunOptions()
        if perf_counter() >= self._deadline_s:
            raise self._out_of_time()
        self._watchdog.watch(options, self._deadline_s)
        try:
            with refusing(f"run the model on {EVALUATION_FILE}"):
                (values,) = session.run([self._output], inputs, options)
        except UnsupportedModel:
            if options.terminate:
                raise self._out_of_time() from None
            raise
        finally:
            self._watchdog.forget(options)
        return np.asarray(values)

    def _out_of_time(self) -> CorruptBundle:
        return CorruptBundle(
            reason=f"{EVALUATION_FILE} has {len(self._test.labels):,} rows, which take longer than a trial "
            "may; keep fewer in it."
        )


def _classes_of(values_NK: Array) -> Array:
    """Return the class that each row finds; -1, which is none, where a value is not a number.

    Shapes: (N, K) -> (N,).
    """
    found_N = values_NK.argmax(axis=1)
    return np.where(np.isnan(values_NK).any(axis=1), -1, found_N)
