"""The routes of the predict function, from a request to its answer."""

from typing import Any

import msgspec

import lampyris
from lampyris.bootstrap import Serving
from lampyris.domain.names import LIVE
from lampyris.domain.registry import list_versions
from lampyris.errors import MethodNotAllowed, RouteNotFound
from lampyris.http.event import Request
from lampyris.http.open_inference import (
    infer_request,
    infer_response,
    model_metadata,
    server_metadata,
)
from lampyris.http.predictions import predict_inputs, predict_response
from lampyris.serving.infer import Prediction, infer


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A document for the caller; who predicted it, where it is a prediction."""

    document: Any
    prediction: Prediction | None = None


def answer(request: Request, serving: Serving) -> Answer:
    """Route a request.

    Raises: RouteNotFound, MethodNotAllowed, and whatever the route raises.
    """
    match request.segments:
        case ["models", model, "predict"]:
            _allow(request, "POST")
            return _predict(request, serving, model, LIVE)
        case ["models", model, "versions", version, "predict"]:
            _allow(request, "POST")
            return _predict(request, serving, model, version)
        case ["v2", *path]:
            return _open_inference(request, serving, path)
        case _:
            raise RouteNotFound(method=request.method, path=request.path)


def _predict(request: Request, serving: Serving, model: str, version: str) -> Answer:
    manifest = serving.resolver.resolve(model, version)
    inputs = predict_inputs(request, manifest)
    prediction = infer(manifest, inputs, serving.sessions, clock=serving.clock)
    return Answer(document=predict_response(prediction), prediction=prediction)


def _open_inference(request: Request, serving: Serving, path: list[str]) -> Answer:
    match path:
        case ["models", model, "infer"]:
            _allow(request, "POST")
            return _infer(request, serving, model, LIVE)
        case ["models", model, "versions", version, "infer"]:
            _allow(request, "POST")
            return _infer(request, serving, model, version)
    _allow(request, "GET")
    match path:
        case []:
            return Answer(document=server_metadata(lampyris.__version__))
        case ["health", "live"]:
            return Answer(document={"live": True})
        case ["health", "ready"]:
            return Answer(document={"ready": True})
        case ["models", model]:
            return _metadata(serving, model, LIVE)
        case ["models", model, "versions", version]:
            return _metadata(serving, model, version)
        case ["models", model, "ready"]:
            return _ready(serving, model, LIVE)
        case ["models", model, "versions", version, "ready"]:
            return _ready(serving, model, version)
        case _:
            raise RouteNotFound(method=request.method, path=request.path)


def _infer(request: Request, serving: Serving, model: str, version: str) -> Answer:
    wire = infer_request(request.body)
    manifest = serving.resolver.resolve(model, version)
    outputs = wire.wanted(manifest.signature)
    prediction = infer(manifest, wire.arrays(), serving.sessions, clock=serving.clock, outputs=outputs)
    return Answer(document=infer_response(prediction, wire.id), prediction=prediction)


def _metadata(serving: Serving, model: str, version: str) -> Answer:
    manifest = serving.resolver.resolve(model, version)
    return Answer(document=model_metadata(manifest, list_versions(serving.store, model)))


def _ready(serving: Serving, model: str, version: str) -> Answer:
    """Say that a model can answer, which is true once its session is made."""
    serving.sessions.get(serving.resolver.resolve(model, version).artifact)
    return Answer(document={"name": model, "ready": True})


def _allow(request: Request, method: str) -> None:
    if request.method != method:
        raise MethodNotAllowed(method=request.method, allowed=(method,))
