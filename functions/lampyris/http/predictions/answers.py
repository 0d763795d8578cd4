"""What a model said: labels with probabilities where it has labels, its outputs where it has none.

NaN and infinity are null in JSON and NDJSON, which know no such numbers; nan, inf and -inf in CSV; and
themselves in .npy. A probability that is NaN ranks below all that are numbers.
"""
# ruff: noqa: PLC0415 - what few ask for is imported when it is

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from lampyris.domain.tensors import Array, Tensor, tensor_of
from lampyris.errors import NotAcceptable
from lampyris.http.predictions.media_types import JSON, NDJSON, NPY
from lampyris.http.predictions.wanted import Wanted
from lampyris.http.reply import Reply, json_reply
from lampyris.serving.infer import Prediction


class LabelProbability(msgspec.Struct, frozen=True, kw_only=True):
    """A label with its probability, which is null if the model gave no number."""

    label: str
    probability: float | None


class ClassPrediction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a classifier says of a row: the best label; all `probabilities`, or the `top` K, best first."""

    label: str
    probability: float | None
    probabilities: dict[str, float | None] | None = None
    top: tuple[LabelProbability, ...] | None = None


class PredictResponse(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`predictions` from a classifier, `outputs` from any other model."""

    model: str
    version: int
    predictions: tuple[ClassPrediction, ...] | None = None
    outputs: tuple[Tensor, ...] | None = None


def reply_with(prediction: Prediction, wanted: Wanted) -> Reply:
    """Write an answer as the media type that is wanted.

    Raises: NotAcceptable if lines are wanted of outputs that do not have the same number of rows.
    """
    if wanted.media_type == JSON:
        return json_reply(_response(prediction, wanted))
    if wanted.media_type == NPY:
        from lampyris.http.predictions.npy import write_npy

        return Reply(body=write_npy(prediction.outputs[wanted.outputs[0]]), media_type=NPY)
    if wanted.media_type == NDJSON:
        rows: list[Any]
        if wanted.labels is None:
            rows = _named_rows(prediction.outputs)
        else:
            rows = _class_predictions(prediction, wanted.labels, wanted.top)
        return Reply(body=msgspec.json.Encoder().encode_lines(rows).decode(), media_type=NDJSON)
    from lampyris.http.predictions.csv_table import CSV_WITH_HEADER, class_table, output_table

    if wanted.labels is None:
        table = output_table(rows_of(prediction.outputs))
    else:
        table = class_table(*ranked(prediction, wanted.labels, wanted.top), wanted.labels, wanted.top)
    return Reply(body=table, media_type=CSV_WITH_HEADER)


def ranked(prediction: Prediction, labels: tuple[str, ...], top: int | None) -> tuple[Array, Array]:
    """Return each row's probabilities, and the places of its best labels, best first.

    Shapes: (N, C) and (N, top), or (N, 1) without `top`.
    """
    name = prediction.manifest.signature.outputs[0].name
    probabilities_NC = prediction.outputs[name].reshape(-1, len(labels))
    # Sorting puts NaN last, and labels of equal probability in their order.
    best_NK = np.argsort(-probabilities_NC.astype(np.float64), axis=1, kind="stable")[:, : top or 1]
    return probabilities_NC, best_NK


def rows_of(outputs: Mapping[str, Array]) -> dict[str, Array]:
    """Return outputs as rows, (N, ...), the same number of each; a single value is one row.

    Raises: NotAcceptable.
    """
    rows = {name: values if values.ndim else values.reshape(1) for name, values in outputs.items()}
    if len({len(values) for values in rows.values()}) > 1:
        counts = ", ".join(f"{name}: {len(values):,}" for name, values in rows.items())
        raise NotAcceptable(
            reason=f"The outputs have different numbers of rows ({counts}), which make no lines; "
            "choose one with ?output=, or Accept application/json."
        )
    return rows


def _response(prediction: Prediction, wanted: Wanted) -> PredictResponse:
    manifest = prediction.manifest
    if wanted.labels is not None:
        return PredictResponse(
            model=manifest.model,
            version=manifest.version,
            predictions=tuple(_class_predictions(prediction, wanted.labels, wanted.top)),
        )
    specs = {spec.name: spec for spec in manifest.signature.outputs}
    return PredictResponse(
        model=manifest.model,
        version=manifest.version,
        outputs=tuple(tensor_of(specs[name], values) for name, values in prediction.outputs.items()),
    )


def _class_predictions(
    prediction: Prediction, labels: tuple[str, ...], top: int | None
) -> list[ClassPrediction]:
    probabilities_NC, best_NK = ranked(prediction, labels, top)
    return [
        _class_prediction(labels, probabilities, best, everything=top is None)
        for probabilities, best in zip(probabilities_NC.tolist(), best_NK.tolist(), strict=True)
    ]


def _class_prediction(
    labels: tuple[str, ...], probabilities: list[float], best: list[int], *, everything: bool
) -> ClassPrediction:
    first = best[0]
    if everything:
        return ClassPrediction(
            label=labels[first],
            probability=probabilities[first],
            probabilities=dict(zip(labels, probabilities, strict=True)),
        )
    return ClassPrediction(
        label=labels[first],
        probability=probabilities[first],
        top=tuple(LabelProbability(label=labels[place], probability=probabilities[place]) for place in best),
    )


def _named_rows(outputs: Mapping[str, Array]) -> list[dict[str, object]]:
    rows = rows_of(outputs)
    values = zip(*(each.tolist() for each in rows.values()), strict=True)
    return [dict(zip(rows, row, strict=True)) for row in values]
