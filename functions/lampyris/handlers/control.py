"""The control function: answers what is asked of the deployment, and not of a model."""

import os
from time import perf_counter, time

_started_s = perf_counter()

from lampyris.adapters.telemetry import Telemetry  # noqa: E402 - INIT is timed from above
from lampyris.bootstrap import open_store, read_settings, wire_control  # noqa: E402 - as above
from lampyris.http.control.function import ControlFunction  # noqa: E402 - as above
from lampyris.http.event import Event, LambdaContext, Response  # noqa: E402 - as above

_settings = read_settings(os.environ)
_function = ControlFunction(
    wire_control(_settings, open_store(_settings), clock=perf_counter),
    Telemetry("control", now_s=time),
    init_ms=(perf_counter() - _started_s) * 1000,
)


def handler(event: Event, context: LambdaContext) -> Response:
    """Answer one request."""
    return _function.handle(event, context)
