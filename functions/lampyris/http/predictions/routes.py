"""`/models/{model}/predict` and `/models/{model}/versions/{version}/predict`."""

from lampyris.bootstrap import Serving
from lampyris.domain.names import LIVE
from lampyris.errors import RouteNotFound
from lampyris.http.event import Request
from lampyris.http.predictions.answers import reply_with
from lampyris.http.predictions.inputs import read_inputs
from lampyris.http.predictions.wanted import read_wanted
from lampyris.http.reply import Answer


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
    manifest = serving.releases.choose(request, model, version)
    wanted = read_wanted(request, manifest.signature)
    prediction = serving.predict(request, manifest, read_inputs(request, manifest), wanted.outputs)
    return Answer(reply=reply_with(prediction, wanted), prediction=prediction)
