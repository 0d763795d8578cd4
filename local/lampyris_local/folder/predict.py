"""Predictions on a folder's models: the predict function's routes, without Lambda and HTTP around them."""

import tempfile
from time import perf_counter

import httpx

from lampyris.bootstrap import read_settings, wire_loading, wire_serving
from lampyris.domain.store import Store
from lampyris.errors import LampyrisError
from lampyris.http.event import Request
from lampyris.http.problems import problem_reply
from lampyris.http.reply import Answer
from lampyris.http.routes import answer
from lampyris.http.server_timing import server_timing

# As much as a function may have: the machine's own memory is the limit here.
_MEMORY_MB = 10240


class PredictHere(httpx.BaseTransport):
    """Answers a client's requests as the predict function would; models are loaded once."""

    def __init__(self, store: Store) -> None:
        self._scratch = tempfile.TemporaryDirectory(prefix="lampyris-predict-")
        settings = read_settings(
            {
                "LAMPYRIS_BUCKET": "folder",
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(_MEMORY_MB),
                "TMPDIR": self._scratch.name,
            }
        )
        self._serving = wire_serving(wire_loading(settings, store, clock=perf_counter))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        started_s = perf_counter()
        asked = Request(
            method=request.method,
            path=request.url.path,
            headers=dict(request.headers),
            query=dict(request.url.params),
            body=request.read(),
        )
        try:
            answered = answer(asked, self._serving)
        except LampyrisError as error:
            answered = Answer(reply=problem_reply(error, "here"))
        total_ms = (perf_counter() - started_s) * 1000
        timing = server_timing(prediction=answered.prediction, init_ms=None, total_ms=total_ms)
        reply = answered.reply
        return httpx.Response(
            reply.status,
            headers={"content-type": reply.media_type, "server-timing": timing, **reply.headers},
            content=reply.body,
        )

    def close(self) -> None:
        self._scratch.cleanup()
