"""`/v1/models`: status, metadata, and predictions in TensorFlow Serving's words."""

from lampyris.bootstrap import Serving
from lampyris.errors import RouteNotFound
from lampyris.http.event import Request
from lampyris.http.reply import Answer


def answer(request: Request, serving: Serving, path: list[str]) -> Answer:
    """Answer what stands below `/v1/models`.

    Raises: RouteNotFound, MethodNotAllowed, and whatever a prediction raises.
    """
    raise RouteNotFound(method=request.method, path=request.path)
