"""One invocation of the predict function: an event in, a response out, a line in the log."""

from operator import sub

from lampyris.adapters.telemetry import RequestRecord, Telemetry
from lampyris.adapters.xray import Span, Tracer
from lampyris.bootstrap import Serving
from lampyris.domain.manifest import Manifest
from lampyris.errors import InferenceFailed, OutOfMemory
from lampyris.http.event import Event, LambdaContext, Request, Response
from lampyris.http.problems import problem_code, problem_reply
from lampyris.http.reply import Answer, Reply
from lampyris.http.response import response_of
from lampyris.http.routes import answer
from lampyris.http.server_timing import server_timing
from lampyris.http.spans import spans_of
from lampyris.serving.trace import Trace

# What is left of an invocation's time once a run was stopped: enough to say so.
_ANSWER_S = 0.5
_SERVER_ERROR = 500
_NOTHING = Answer(reply=Reply(body=""))


class PredictFunction:
    """Serves one execution environment; `init_ms` stands in its first answer."""

    def __init__(
        self, serving: Serving, telemetry: Telemetry, tracer: Tracer | None, *, init_ms: float | None
    ) -> None:
        self._serving = serving
        self._telemetry = telemetry
        self._tracer = tracer
        self._init_ms = init_ms
        self._counted = self._counts()

    def handle(self, event: Event, context: LambdaContext) -> Response:
        """Answer an event of payload format 2.0; whatever goes wrong becomes a problem."""
        clock = self._serving.clock
        started_s = clock()
        deadline_s = started_s + context.get_remaining_time_in_millis() / 1000 - _ANSWER_S
        found, error, is_models, trace = _NOTHING, None, False, Trace()
        try:
            request = Request.from_event(event, deadline_s, trace)
            if "content-encoding" in request.headers or "upload" in request.query:
                from lampyris.http.body import body_limit_bytes, body_of  # noqa: PLC0415 - few need it

                limit_bytes = body_limit_bytes(self._serving.memory_mb, request.media_type)
                request = body_of(request, self._serving.store, limit_bytes, clock)
            found = answer(request, self._serving)
            response = response_of(found.reply, request, self._serving.store)
        except Exception as raised:  # noqa: BLE001 - no trace and no path may reach a caller
            error, is_models = raised, isinstance(raised, OutOfMemory)
            if isinstance(raised, MemoryError):
                error = OutOfMemory()
            response = response_of(problem_reply(error, context.aws_request_id))
        ended_s = clock()
        total_ms = (ended_s - started_s) * 1000
        if trace.manifest is not None:
            response["headers"] |= {
                "lampyris-model": trace.manifest.model,
                "lampyris-version": str(trace.manifest.version),
            }
        response["headers"]["server-timing"] = server_timing(
            prediction=found.prediction, init_ms=self._init_ms, total_ms=total_ms
        )
        if error is not None and (
            response["statusCode"] >= _SERVER_ERROR or isinstance(error, InferenceFailed)
        ):
            self._telemetry.error(error, context.aws_request_id)
        if error is not None and is_models:  # and no caller's body, for which no model must go
            error.__traceback__ = error.__context__ = None
            self._serving.inference.free_memory()  # for the next request, which may want less
        if trace.canary is not None:
            self._tell_of_fallback(trace.canary, trace.canary_error, context.aws_request_id)
        counts = self._counts()
        stale_refreshes, damaged_artifacts, dropped_copies = map(sub, counts, self._counted)
        self._counted = counts
        self._telemetry.request(
            RequestRecord(
                request_id=context.aws_request_id,
                route=event.get("routeKey", ""),
                status=response["statusCode"],
                duration_ms=total_ms,
                init_ms=self._init_ms,
                manifest=trace.manifest,
                prediction=found.prediction,
                stale_refreshes=stale_refreshes,
                damaged_artifacts=damaged_artifacts,
                dropped_copies=dropped_copies,
                code=None if error is None else problem_code(error),
            )
        )
        self._init_ms = None
        if self._tracer is not None:
            whole = Span(name="predict", started_s=started_s, ended_s=ended_s)
            self._tracer.send(whole, spans_of(trace, found.prediction), _annotations(trace.manifest))
        if trace.alias is not None and trace.inputs is not None and found.prediction is not None:
            self._serving.shadowing.offer(trace.alias, trace.inputs, found.prediction)
        return response

    def _counts(self) -> tuple[int, int, int]:
        """Return what was counted since the environment began, whether a request waited for it or not."""
        return (
            self._serving.resolver.stale_refreshes,
            self._serving.sessions.damaged_artifacts,
            self._serving.shadowing.dropped,
        )

    def _tell_of_fallback(self, canary: Manifest, error: Exception | None, request_id: str) -> None:
        if error is not None:
            self._telemetry.error(error, request_id)
        self._telemetry.count(
            {"CanaryFallbacks": 1},
            model=canary.model,
            version=canary.version,
            fields={"request_id": request_id, "code": None if error is None else problem_code(error)},
        )


def _annotations(manifest: Manifest | None) -> dict[str, str]:
    return {} if manifest is None else {"model": manifest.model, "version": str(manifest.version)}
