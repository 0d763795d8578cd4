"""Errors as RFC 9457 problems. One table says which status each error has, and what a caller may read."""

from http import HTTPStatus
from typing import Any

from lampyris import errors
from lampyris.http.event import Response, json_response

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:lampyris:problem:"
RETRY_AFTER_S = 2

# HTTPStatus.phrase differs between Python versions; these are RFC 9110's.
_TITLES = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Content Too Large",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Unprocessable Content",
}

# Status, and what to say instead of the error's own sentence where that is for the log only.
PROBLEMS: dict[type[errors.LampyrisError], tuple[HTTPStatus, str | None]] = {
    errors.MalformedRequest: (HTTPStatus.BAD_REQUEST, None),
    errors.InvalidName: (HTTPStatus.BAD_REQUEST, None),
    errors.RouteNotFound: (HTTPStatus.NOT_FOUND, None),
    errors.MethodNotAllowed: (HTTPStatus.METHOD_NOT_ALLOWED, None),
    errors.UnsupportedMediaType: (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, None),
    errors.ImageTooLarge: (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, None),
    errors.ResponseTooLarge: (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, None),
    errors.InvalidTensor: (HTTPStatus.UNPROCESSABLE_ENTITY, None),
    errors.InvalidImage: (HTTPStatus.UNPROCESSABLE_ENTITY, None),
    errors.ModelNotFound: (HTTPStatus.NOT_FOUND, None),
    errors.VersionNotFound: (HTTPStatus.NOT_FOUND, None),
    errors.AliasNotFound: (HTTPStatus.NOT_FOUND, None),
    errors.ObjectNotFound: (HTTPStatus.INTERNAL_SERVER_ERROR, "A part of the model is not in the store."),
    errors.StoreUnavailable: (
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The model store cannot be reached. Try again.",
    ),
    errors.ArtifactDamaged: (
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The model's bytes failed their check. Try again.",
    ),
    errors.InferenceFailed: (HTTPStatus.INTERNAL_SERVER_ERROR, "The model failed on these inputs."),
}


def problem_response(error: Exception, request_id: str) -> Response:
    """Turn an error into a response; one that is not in the table says nothing but the request's id."""
    row = PROBLEMS.get(type(error)) if isinstance(error, errors.LampyrisError) else None
    if row is None or not isinstance(error, errors.LampyrisError):
        status, code = HTTPStatus.INTERNAL_SERVER_ERROR, "internal-error"
        detail = "Something failed here, not in the request. Report it with the request's id."
    else:
        status, instead = row
        code, detail = error.code, instead or str(error)
    problem: dict[str, Any] = {
        "type": TYPE_PREFIX + code,
        "title": _TITLES.get(status, status.phrase),
        "status": status.value,
        "detail": detail,
        "code": code,
        "request_id": request_id,
    }
    headers = {"content-type": MEDIA_TYPE}
    if isinstance(error, errors.MethodNotAllowed):
        headers["allow"] = ", ".join(error.allowed)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["retry-after"] = str(RETRY_AFTER_S)
    return json_response(problem, status=status.value, headers=headers)
