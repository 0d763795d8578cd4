"""`/v2`: health, metadata and inference."""

import lampyris
from lampyris.bootstrap import Serving
from lampyris.domain.names import LIVE
from lampyris.domain.registry import list_versions
from lampyris.errors import RouteNotFound
from lampyris.http.event import Request
from lampyris.http.open_inference.messages import (
    infer_request,
    infer_response,
    model_metadata,
    server_metadata,
)
from lampyris.http.reply import Answer, json_reply


def answer(request: Request, serving: Serving, path: list[str]) -> Answer:
    """Answer what stands below `/v2`.

    Raises: RouteNotFound, MethodNotAllowed, and whatever the route raises.
    """
    match path:
        case ["models", model, "infer"]:
            request.expect("POST")
            return _infer(request, serving, model, LIVE)
        case ["models", model, "versions", version, "infer"]:
            request.expect("POST")
            return _infer(request, serving, model, version)
    request.expect("GET")
    match path:
        case []:
            return Answer(reply=json_reply(server_metadata(lampyris.__version__)))
        case ["health", "live"]:
            return Answer(reply=json_reply({"live": True}))
        case ["health", "ready"]:
            return Answer(reply=json_reply({"ready": True}))
        case ["models", model]:
            return _metadata(serving, model, LIVE)
        case ["models", model, "versions", version]:
            return _metadata(serving, model, version)
        case ["models", model, "ready"]:
            return _ready(request, serving, model, LIVE)
        case ["models", model, "versions", version, "ready"]:
            return _ready(request, serving, model, version)
        case _:
            raise RouteNotFound(method=request.method, path=request.path)


def _infer(request: Request, serving: Serving, model: str, version: str) -> Answer:
    wire = infer_request(request.body)
    manifest = serving.resolver.resolve(model, version)
    outputs = wire.wanted(manifest.signature)
    prediction = serving.inference.run(
        manifest, wire.arrays(), deadline_s=request.deadline_s, outputs=outputs
    )
    return Answer(reply=json_reply(infer_response(prediction, wire.id)), prediction=prediction)


def _metadata(serving: Serving, model: str, version: str) -> Answer:
    manifest = serving.resolver.resolve(model, version)
    return Answer(reply=json_reply(model_metadata(manifest, list_versions(serving.store, model))))


def _ready(request: Request, serving: Serving, model: str, version: str) -> Answer:
    """Say that a model can answer, which is true once its session is made."""
    manifest = serving.resolver.resolve(model, version)
    serving.inference.load(manifest, deadline_s=request.deadline_s)
    return Answer(reply=json_reply({"name": model, "ready": True}))
