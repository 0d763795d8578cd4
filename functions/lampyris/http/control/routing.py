"""From a path to the verb that answers there."""

from collections.abc import Sequence

from lampyris.control.verbs import VERBS, Verb
from lampyris.errors import MethodNotAllowed, RouteNotFound
from lampyris.http.event import Request

# These are the predict function's, which takes them by POST alone: by another method they come here.
_PREDICTIONS = ("/models/{model}/predict", "/models/{model}/versions/{version}/predict")


def find_verb(request: Request) -> tuple[Verb, dict[str, str]]:
    """Return the verb that a request asks for, and what its path names.

    Raises: RouteNotFound, MethodNotAllowed.
    """
    allowed = []
    for verb in VERBS:
        named = _match(verb.path, request.segments)
        if named is None:
            continue
        if verb.method == request.method:
            return verb, named
        allowed.append(verb.method)
    if allowed:
        raise MethodNotAllowed(method=request.method, allowed=tuple(allowed))
    if any(_match(path, request.segments) is not None for path in _PREDICTIONS):
        request.expect("POST")
    raise RouteNotFound(method=request.method, path=request.path)


def _match(path: str, segments: Sequence[str]) -> dict[str, str] | None:
    pattern = path.strip("/").split("/")
    if len(pattern) != len(segments):
        return None
    named = {}
    for expected, found in zip(pattern, segments, strict=True):
        if expected.startswith("{"):
            named[expected[1:-1]] = found
        elif expected != found:
            return None
    return named
