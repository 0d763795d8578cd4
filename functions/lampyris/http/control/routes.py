"""The routes of the control function."""

from lampyris.bootstrap import Control
from lampyris.http.event import Request
from lampyris.http.reply import Reply


def answer(request: Request, control: Control, by: str) -> Reply:
    """Route a request of `by`.

    Raises: RouteNotFound, MethodNotAllowed, and whatever the route raises.
    """
    match request.segments:
        case ["uploads"]:
            from lampyris.http.control.uploads import open_upload  # noqa: PLC0415 - as the ones below

            request.expect("POST")
            return open_upload(control)
        case ["openapi.json"]:
            # Every protocol's messages are behind it, and numpy.
            from lampyris.http.control.openapi import document  # noqa: PLC0415 - see above

            request.expect("GET")
            return Reply(body=document())
        case _:
            from lampyris.http.control import registry  # noqa: PLC0415 - as the ones above

            return registry.answer(request, control, by)
