"""One invocation of the predict function: an event in, a response out, a line in the log."""

from typing import Any

from lampyris.adapters.telemetry import RequestRecord, Telemetry
from lampyris.bootstrap import Serving
from lampyris.errors import LampyrisError, ResponseTooLarge
from lampyris.http.event import Event, Request, Response, json_response
from lampyris.http.problems import problem_response
from lampyris.http.routes import Answer, answer
from lampyris.http.server_timing import server_timing

# Lambda takes 6 MB of response, in which every quote of the body is escaped; the rest is for headers.
RESPONSE_LIMIT_BYTES = 6 * 2**20 - 2**14
_SERVER_ERROR = 500


class PredictFunction:
    """Serves one execution environment; `init_ms` stands in its first answer."""

    def __init__(self, serving: Serving, telemetry: Telemetry, *, init_ms: float) -> None:
        self._serving = serving
        self._telemetry = telemetry
        self._init_ms: float | None = init_ms

    def handle(self, event: Event, request_id: str) -> Response:
        """Answer an event of payload format 2.0; whatever goes wrong becomes a problem."""
        started_s = self._serving.clock()
        found, error = Answer(document=None), None
        try:
            found = answer(Request.from_event(event), self._serving)
            response = json_response(found.document)
            _check_size(response)
        except Exception as raised:  # noqa: BLE001 - no trace and no path may reach a caller
            error = raised
            response = problem_response(raised, request_id)
        total_ms = (self._serving.clock() - started_s) * 1000
        response["headers"]["server-timing"] = server_timing(
            prediction=found.prediction, init_ms=self._init_ms, total_ms=total_ms
        )
        self._init_ms = None
        if error is not None and response["statusCode"] >= _SERVER_ERROR:
            self._telemetry.error(error, request_id)
        self._telemetry.request(
            RequestRecord(
                request_id=request_id,
                route=event.get("routeKey", ""),
                status=response["statusCode"],
                code=_code(error),
                duration_ms=total_ms,
                prediction=found.prediction,
            )
        )
        return response


def _check_size(response: dict[str, Any]) -> None:
    body = response["body"]
    if len(body) * 4 > RESPONSE_LIMIT_BYTES:  # no character takes more than four bytes
        size_bytes = len(body.encode()) + body.count('"') + body.count("\\")
        if size_bytes > RESPONSE_LIMIT_BYTES:
            raise ResponseTooLarge(size_bytes=size_bytes, limit_bytes=RESPONSE_LIMIT_BYTES)


def _code(error: Exception | None) -> str | None:
    if error is None:
        return None
    return error.code if isinstance(error, LampyrisError) else "internal-error"
