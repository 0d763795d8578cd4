"""The routes of the predict function, from a request to its answer.

Each protocol is imported when it is first spoken: a cold start pays for the one that its caller speaks.
"""
# ruff: noqa: PLC0415 - see above

from lampyris.bootstrap import Serving
from lampyris.errors import RouteNotFound
from lampyris.http.event import Request
from lampyris.http.reply import Answer


def answer(request: Request, serving: Serving) -> Answer:
    """Route a request.

    Raises: RouteNotFound, MethodNotAllowed, and whatever the route raises.
    """
    match request.segments:
        case ["v2", *path]:
            from lampyris.http.open_inference import routes as open_inference

            return open_inference.answer(request, serving, path)
        case ["models", *path]:
            from lampyris.http.predictions import routes as predictions

            return predictions.answer(request, serving, path)
        case ["v1", "models", *path]:
            from lampyris.http.tensorflow_serving import routes as tensorflow_serving

            return tensorflow_serving.answer(request, serving, path)
        case _:
            raise RouteNotFound(method=request.method, path=request.path)
