"""`POST /models/{model}/predict`: a picture or plain JSON in, labels and probabilities out."""

from typing import Any

import msgspec

from lampyris.domain.manifest import Manifest
from lampyris.domain.signature import Signature
from lampyris.domain.tensors import Array, Tensor, values_of
from lampyris.errors import InvalidImage, InvalidTensor, MalformedRequest, UnsupportedMediaType
from lampyris.http.event import Request
from lampyris.http.json_body import decode_body
from lampyris.http.open_inference.messages import output_tensors
from lampyris.http.reply import JSON
from lampyris.serving.infer import Prediction

IMAGES = ("image/png", "image/jpeg")


class PredictRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The JSON body: rows for a model with one input, or rows by input name."""

    inputs: list[Any] | dict[str, list[Any]]


class ClassPrediction(msgspec.Struct, frozen=True, kw_only=True):
    """What a classifier says of one row."""

    label: str
    probability: float
    probabilities: dict[str, float]


class PredictResponse(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`predictions` from a classifier, `outputs` from any other model."""

    model: str
    version: int
    predictions: tuple[ClassPrediction, ...] | None = None
    outputs: tuple[Tensor, ...] | None = None


_decode = msgspec.json.Decoder(PredictRequest).decode


def predict_inputs(request: Request, manifest: Manifest) -> dict[str, Array]:
    """Turn a request's body into arrays, as its Content-Type says.

    Raises: UnsupportedMediaType, MalformedRequest, InvalidImage, ImageTooLarge, InvalidTensor.
    """
    media_type = request.media_type
    if media_type in IMAGES:
        return _picture(request.content, manifest)
    if media_type == JSON:
        return _rows(request.body, manifest.signature)
    raise UnsupportedMediaType(media_type=media_type, supported=(JSON, *IMAGES))


def _picture(data: bytes, manifest: Manifest) -> dict[str, Array]:
    spec = manifest.signature.image
    if spec is None:
        takes = ", ".join(f"{spec.name} ({spec.datatype})" for spec in manifest.signature.inputs)
        raise InvalidImage(
            reason=f"Model {manifest.model!r} takes no images; send JSON with its inputs: {takes}."
        )
    from lampyris.domain.images import decode_image  # noqa: PLC0415 - Pillow is for who sends pictures

    return {spec.input: decode_image(data, spec)[None]}


def _rows(body: str | bytes, signature: Signature) -> dict[str, Array]:
    inputs = decode_body(_decode, body).inputs
    specs = {spec.name: spec for spec in signature.inputs}
    if isinstance(inputs, list):
        if len(specs) != 1:
            names = ", ".join(specs) or "{}, as it takes none"
            raise MalformedRequest(reason=f"The model has {len(specs)} inputs; send rows by name: {names}.")
        inputs = {next(iter(specs)): inputs}
    for name in inputs:
        if name not in specs:
            raise InvalidTensor(
                tensor=name, reason=f"the model has no such input; it takes {', '.join(specs)}."
            )
    return {name: values_of(name, specs[name].datatype, rows) for name, rows in inputs.items()}


def predict_response(prediction: Prediction) -> PredictResponse:
    """Say what the model said: labels where it has labels, tensors where it has none."""
    manifest = prediction.manifest
    labels = manifest.signature.labels
    if labels is None:
        return PredictResponse(
            model=manifest.model,
            version=manifest.version,
            outputs=output_tensors(manifest.signature, prediction.outputs),
        )
    probabilities_NC = prediction.outputs[manifest.signature.outputs[0].name].reshape(-1, len(labels))
    return PredictResponse(
        model=manifest.model,
        version=manifest.version,
        predictions=tuple(_class_prediction(labels, row.tolist()) for row in probabilities_NC),
    )


def _class_prediction(labels: tuple[str, ...], probabilities: list[float]) -> ClassPrediction:
    best = max(range(len(labels)), key=probabilities.__getitem__)
    return ClassPrediction(
        label=labels[best],
        probability=probabilities[best],
        probabilities=dict(zip(labels, probabilities, strict=True)),
    )
