"""`/models/{model}/predict` and `/models/{model}/versions/{version}/predict`."""

from lampyris.bootstrap import Serving
from lampyris.domain.names import LIVE
from lampyris.errors import RouteNotFound
from lampyris.http.event import Request
from lampyris.http.predictions.rows import predict_inputs, predict_response
from lampyris.http.reply import Answer, json_reply


def answer(request: Request, serving: Serving, path: list[str]) -> Answer:
    """Answer what stands below `/models`.

    Raises: RouteNotFound, MethodNotAllowed, and whatever a prediction raises.
    """
    match path:
        case [model, "predict"]:
            return _predict(request, serving, model, LIVE)
        case [model, "versions", version, "predict"]:
            return _predict(request, serving, model, version)
        case _:
            raise RouteNotFound(method=request.method, path=request.path)


def _predict(request: Request, serving: Serving, model: str, version: str) -> Answer:
    request.expect("POST")
    manifest = serving.resolver.resolve(model, version)
    inputs = predict_inputs(request, manifest)
    prediction = serving.inference.run(manifest, inputs, deadline_s=request.deadline_s)
    return Answer(reply=json_reply(predict_response(prediction)), prediction=prediction)
