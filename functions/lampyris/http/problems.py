"""Errors as RFC 9457 problems. One table says which status each error has, and what a caller may read."""

import msgspec

from lampyris import errors
from lampyris.http.reply import Reply, json_reply

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:lampyris:problem:"
RETRY_AFTER_S = 2
INTERNAL_ERROR = "internal-error"
_INTERNAL, _UNAVAILABLE = 500, 503
# A sentence may name what the caller sent, which may be megabytes: more than Lambda takes as an answer.
_DETAIL_LENGTH = 2000

# RFC 9110's own. (http.HTTPStatus is 3 ms of a cold start, and words them by Python's version.)
TITLES = {
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    409: "Conflict",
    410: "Gone",
    412: "Precondition Failed",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    422: "Unprocessable Content",
    500: "Internal Server Error",
    503: "Service Unavailable",
    504: "Gateway Timeout",
    507: "Insufficient Storage",
}

# Status, and what to say instead of the error's own sentence where that is for the log only.
PROBLEMS: dict[type[errors.LampyrisError], tuple[int, str | None]] = {
    errors.MalformedRequest: (400, None),
    errors.InvalidName: (400, None),
    errors.InvalidSplit: (422, None),
    errors.TaskNotSupported: (400, None),
    errors.RouteNotFound: (404, None),
    errors.MethodNotAllowed: (405, None),
    errors.UnsupportedMediaType: (415, None),
    errors.UnsupportedEncoding: (415, None),
    errors.BodyTooLarge: (413, None),
    errors.ImageTooLarge: (413, None),
    errors.ImagesTooLarge: (413, None),
    errors.TooManyRows: (413, None),
    errors.NotAcceptable: (406, None),
    errors.ResponseTooLarge: (413, None),
    errors.JobTooLarge: (413, None),
    errors.InvalidTensor: (422, None),
    errors.InvalidImage: (422, None),
    errors.InvalidInput: (422, None),
    errors.ModelNotFound: (404, None),
    errors.VersionNotFound: (404, None),
    errors.VersionDeleted: (410, None),
    errors.AliasNotFound: (404, None),
    errors.AliasChanged: (412, None),
    errors.VersionInUse: (409, None),
    errors.VersionClosing: (409, None),
    errors.NothingToPromote: (409, None),
    errors.NothingToRollBack: (409, None),
    errors.KeyReused: (422, None),
    errors.NoBackup: (409, None),
    errors.NoRoomForBackup: (409, None),
    errors.CopyDamaged: (409, None),
    errors.RestoreConflict: (409, None),
    errors.UploadNotFound: (404, None),
    errors.RejectionNotFound: (404, None),
    errors.BillOfMaterialsNotFound: (404, None),
    errors.JobNotFound: (404, None),
    errors.InputNotFound: (404, None),
    errors.ItemNotFound: (500, "A document of the table is missing."),
    errors.IllegalTransition: (409, None),
    errors.JobLost: (409, None),
    errors.JobNotEnded: (409, None),
    errors.NoJobs: (409, None),
    errors.InputChanged: (409, None),
    errors.TableUnavailable: (503, "The table of jobs cannot be reached. Try again."),
    errors.QueueUnavailable: (503, "The queues cannot be reached. Try again."),
    errors.NotificationFailed: (503, "Nobody took the news that a job has ended."),
    errors.ObjectNotFound: (500, "A part of the model is not in the store."),
    errors.StoreUnavailable: (
        503,
        "The model store cannot be reached. Try again.",
    ),
    errors.ArtifactDamaged: (
        503,
        "The model's bytes failed their check. Try again.",
    ),
    errors.DocumentDamaged: (
        503,
        "A document of the registry failed its check. Try again.",
    ),
    errors.OutOfMemory: (503, None),
    errors.StorageFull: (507, None),
    errors.DeadlineExceeded: (504, None),
    errors.ModelLoading: (503, None),
    errors.WorkerLost: (422, None),
    errors.InferenceFailed: (422, "The model failed on these inputs, though they fit its signature."),
}


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong (RFC 9457). `code` is stable, `detail` is for people.

    `error` says what `detail` says, where clients of KServe, Triton and TensorFlow Serving look.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    error: str


def problem_code(error: Exception) -> str:
    """Return the code of an error; all that are not in the table have one."""
    return (
        error.code if isinstance(error, errors.LampyrisError) and type(error) in PROBLEMS else INTERNAL_ERROR
    )


def problem_reply(error: Exception, request_id: str) -> Reply:
    """Turn an error into a reply; one that is not in the table says nothing but the request's id."""
    row = PROBLEMS.get(type(error)) if isinstance(error, errors.LampyrisError) else None
    if row is None or not isinstance(error, errors.LampyrisError):
        status = _INTERNAL
        detail = "Something failed here, not in the request. Report it with the request's id."
    else:
        status, instead = row
        detail = instead or str(error)[:_DETAIL_LENGTH]
    code = problem_code(error)
    problem = Problem(
        type=TYPE_PREFIX + code,
        title=TITLES[status],
        status=status,
        detail=detail,
        code=code,
        request_id=request_id,
        error=detail,
    )
    headers = {}
    if isinstance(error, errors.MethodNotAllowed):
        headers["allow"] = ", ".join(error.allowed)
    if status == _UNAVAILABLE:
        headers["retry-after"] = str(RETRY_AFTER_S)
    return json_reply(problem, status=status, media_type=MEDIA_TYPE, headers=headers)
