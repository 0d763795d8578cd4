"""The routes of the control function."""

from lampyris.bootstrap import Control
from lampyris.errors import RouteNotFound
from lampyris.http.event import Request
from lampyris.http.reply import Reply


def answer(request: Request, control: Control) -> Reply:
    """Route a request.

    Raises: RouteNotFound, MethodNotAllowed, and whatever the route raises.
    """
    match request.segments:
        case ["uploads"]:
            from lampyris.http.control.uploads import open_upload  # noqa: PLC0415 - as the one below

            request.expect("POST")
            return open_upload(control)
        case ["openapi.json"]:
            # Every protocol's messages are behind it, and numpy.
            from lampyris.http.control.openapi import document  # noqa: PLC0415 - see above

            request.expect("GET")
            return Reply(body=document())
        case _:
            raise RouteNotFound(method=request.method, path=request.path)
