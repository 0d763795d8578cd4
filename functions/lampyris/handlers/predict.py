"""The predict function: answers HTTP from sessions that load when they are first needed.

Lambda gives INIT a full share of CPU whatever the function's memory, so INIT stands here, in import order:
the models that the function was told to expect are fetched by a thread while numpy, onnxruntime and
Powertools are imported.
"""
# ruff: noqa: E402 - the order of these lines is the cold start

from time import perf_counter, time

_started_s = perf_counter()

import gc
import os

gc.disable()  # INIT makes little garbage, and looking for it takes a tenth of the imports' time
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy carries arrays; its threads take time to start

from lampyris.bootstrap import open_store, read_settings, wire_loading, wire_serving

_settings = read_settings(os.environ)
_loading = wire_loading(_settings, open_store(_settings), clock=perf_counter)
_loading.preload.start()

import onnxruntime  # noqa: F401 - here, so that no request waits for it

from lampyris.adapters.telemetry import Telemetry
from lampyris.http.event import Event, LambdaContext, Response
from lampyris.http.predict_function import PredictFunction

_telemetry = Telemetry("predict", now_s=time)
_serving = wire_serving(_loading)
_loading.preload.wait()
for _failure in _loading.preload.failures:
    _telemetry.error(_failure, request_id="INIT")
gc.enable()
gc.freeze()  # what INIT made stays as long as the environment: never look through it again
_function = PredictFunction(_serving, _telemetry, init_ms=(perf_counter() - _started_s) * 1000)


def handler(event: Event, context: LambdaContext) -> Response:
    """Answer one request."""
    return _function.handle(event, context)
