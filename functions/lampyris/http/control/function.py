"""One invocation of the control function: an event in, a response out, a line in the log."""

from lampyris.adapters.telemetry import RequestRecord, Telemetry
from lampyris.bootstrap import Control
from lampyris.http.control.callers import identity
from lampyris.http.control.routes import answer
from lampyris.http.event import Event, LambdaContext, Request, Response
from lampyris.http.problems import problem_code, problem_reply
from lampyris.http.response import response_of

_SERVER_ERROR = 500
# What is left of an invocation's time once a long verb was told to stop: enough for the step that it is at.
_ANSWER_S = 6.0


class ControlFunction:
    """Serves one execution environment; `init_ms` stands in its first line."""

    def __init__(self, control: Control, telemetry: Telemetry, *, init_ms: float) -> None:
        self._control = control
        self._telemetry = telemetry
        self._init_ms: float | None = init_ms

    def handle(self, event: Event, context: LambdaContext) -> Response:
        """Answer an event of payload format 2.0; whatever goes wrong becomes a problem."""
        started_s = self._control.clock()
        error: Exception | None = None
        try:
            deadline_s = started_s + context.get_remaining_time_in_millis() / 1000 - _ANSWER_S
            request = Request.from_event(event, deadline_s)
            response = response_of(answer(request, self._control, identity(event)), request)
        except Exception as raised:  # noqa: BLE001 - no trace and no path may reach a caller
            error = raised
            response = response_of(problem_reply(error, context.aws_request_id))
            if response["statusCode"] >= _SERVER_ERROR:
                self._telemetry.error(error, context.aws_request_id)
        self._telemetry.request(
            RequestRecord(
                request_id=context.aws_request_id,
                route=event.get("routeKey", ""),
                status=response["statusCode"],
                duration_ms=(self._control.clock() - started_s) * 1000,
                init_ms=self._init_ms,
                manifest=None,
                prediction=None,
                stale_refreshes=0,
                damaged_artifacts=0,
                code=None if error is None else problem_code(error),
            )
        )
        self._init_ms = None
        return response
