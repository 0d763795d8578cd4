"""`/v1/models`: status, metadata, and predictions in TensorFlow Serving's words.

A version is a number; a label is one of our aliases; where neither is named, `live` answers.
"""

import msgspec

from lampyris.bootstrap import Serving
from lampyris.domain.names import LIVE, check_alias_name, check_model_name
from lampyris.errors import InvalidName, ModelNotFound, RouteNotFound
from lampyris.http.event import Request
from lampyris.http.json_body import decode_body
from lampyris.http.reply import Answer, json_reply
from lampyris.http.tensorflow_serving.examples import (
    check_classifies,
    check_regresses,
    classify_response,
    example_inputs,
    regress_response,
)
from lampyris.http.tensorflow_serving.messages import ExamplesRequest, PredictRequest, check_signature_name
from lampyris.http.tensorflow_serving.predict import column_response, predict_inputs, row_response
from lampyris.http.tensorflow_serving.status import model_metadata, model_status

_decode_predict = msgspec.json.Decoder(PredictRequest).decode
_decode_examples = msgspec.json.Decoder(ExamplesRequest).decode


def answer(request: Request, serving: Serving, path: list[str]) -> Answer:
    """Answer what stands below `/v1/models`.

    Raises: RouteNotFound, MethodNotAllowed, and whatever a prediction raises.
    """
    *place, last = path or [""]
    # A colon may come percent-encoded: some clients and proxies do that, and it means the same.
    name, colon, method = last.replace("%3A", ":").replace("%3a", ":").rpartition(":")
    if colon:
        return _run(request, serving, [*place, name], method)
    request.expect("GET")
    match path:
        case [model]:
            return _status_of_all(serving, model)
        case [*target, "metadata"] if len(target) in {1, 3}:
            manifest = serving.resolve(*_named(request, target), request.trace)
            return Answer(reply=json_reply(model_metadata(manifest)))
        case _:
            manifest = serving.resolve(*_named(request, path), request.trace)
            return Answer(reply=json_reply(model_status([manifest.version])))


def _status_of_all(serving: Serving, model: str) -> Answer:
    versions = serving.living.versions(check_model_name(model))
    if not versions:
        raise ModelNotFound(model=model)
    return Answer(reply=json_reply(model_status(versions)))


def _named(request: Request, target: list[str]) -> tuple[str, str]:
    """Return the model, and the version or the alias, that a path names: a version, a label, or neither."""
    match target:
        case [model]:
            return model, LIVE
        case [model, "versions", version]:
            if not (version.isascii() and version.isdecimal()):
                raise InvalidName(
                    kind="a version", name=version, rule="use its number; an alias stands behind /labels/"
                )
            return model, version
        case [model, "labels", label]:
            return model, check_alias_name(label)
        case _:
            raise RouteNotFound(method=request.method, path=request.path)


def _run(request: Request, serving: Serving, target: list[str], method: str) -> Answer:
    match method:
        case "predict":
            request.expect("POST")
            return _predict(request, serving, target)
        case "classify" | "regress":
            request.expect("POST")
            return _examples(request, serving, target, method)
        case _:
            raise RouteNotFound(method=request.method, path=request.path)


def _predict(request: Request, serving: Serving, target: list[str]) -> Answer:
    wire = decode_body(_decode_predict, request.body)
    check_signature_name(wire.signature_name, "predict")
    manifest = serving.releases.choose(request, *_named(request, target))
    prediction = serving.predict(request, manifest, predict_inputs(wire, manifest.signature))
    response = column_response if wire.instances is msgspec.UNSET else row_response
    return Answer(reply=json_reply(response(prediction.outputs)), prediction=prediction)


def _examples(request: Request, serving: Serving, target: list[str], method: str) -> Answer:
    wire = decode_body(_decode_examples, request.body)
    check_signature_name(wire.signature_name, method)
    manifest = serving.releases.choose(request, *_named(request, target))
    check, response = (
        (check_classifies, classify_response) if method == "classify" else (check_regresses, regress_response)
    )
    check(manifest)
    inputs = example_inputs(wire, manifest.signature)
    output = manifest.signature.outputs[0].name
    prediction = serving.predict(request, manifest, inputs, (output,))
    document = response(manifest, prediction.outputs[output], len(wire.examples))
    return Answer(reply=json_reply(document), prediction=prediction)
