"""`/v2`: inference; `metadata` has the rest."""

from lampyris.bootstrap import Serving
from lampyris.domain.names import LIVE
from lampyris.http.event import Request
from lampyris.http.open_inference.requests import read_request
from lampyris.http.open_inference.responses import infer_reply, wanted_outputs
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
        case _:
            from lampyris.http.open_inference.metadata import about  # noqa: PLC0415 - predictions want none of it

            return Answer(reply=json_reply(about(request, serving, path)))


def _infer(request: Request, serving: Serving, model: str, version: str) -> Answer:
    manifest = serving.releases.choose(request, model, version)
    wire, inputs = read_request(request, manifest.signature)
    wanted = wanted_outputs(wire, manifest.signature)
    prediction = serving.predict(request, manifest, inputs, tuple(wanted))
    return Answer(reply=infer_reply(prediction, wire, wanted), prediction=prediction)
