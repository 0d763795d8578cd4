"""The predict function: answers HTTP from sessions that load when they are first needed.

Lambda gives INIT a full share of CPU whatever the function's memory, so INIT stands here, in import order:
the models that the function was told to expect are fetched by threads while numpy and onnxruntime are
imported.
"""
# ruff: noqa: E402 - the order of these lines is the cold start

from time import perf_counter, time

_started_s = perf_counter()

import gc
import os

gc.disable()  # INIT makes little garbage, and looking for it takes a tenth of the imports' time
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy carries arrays; its threads take time to start

from lampyris.lean_imports import MSGSPEC, NUMPY, hiding, without

with hiding(MSGSPEC):
    from lampyris.bootstrap import open_store, open_tracer, read_settings, wire_loading, wire_serving

_settings = read_settings(os.environ)
_store = open_store(_settings)
_loading = wire_loading(_settings, _store, clock=perf_counter)
_loading.preload.start()

with without(*NUMPY):
    import onnxruntime  # noqa: F401 - here, so that no request waits for it

from lampyris.adapters.telemetry import Telemetry
from lampyris.http.event import Event, LambdaContext, Response
from lampyris.http.predict_function import PredictFunction
from lampyris.serving.memory import limit_memory

_telemetry = Telemetry("predict", now_s=time)
_serving = wire_serving(_loading)
if _settings.is_snapshot:
    from lampyris.serving.preload import SNAPSHOT_WAIT_S
    from lampyris.serving.snapshot import register_hooks

    register_hooks(_store, _loading.resolver, _loading.preload)
    _loading.preload.wait(SNAPSHOT_WAIT_S)
if _settings.preload:  # while sessions are made, which needs no interpreter lock
    import lampyris.http.open_inference.routes
    import lampyris.http.predictions.routes  # noqa: F401 - each request imports what it speaks
_loading.preload.wait()
for _failure in _loading.preload.failures:
    _telemetry.error(_failure, request_id="INIT")
limit_memory(_settings.memory_mb)
gc.enable()
gc.freeze()  # what INIT made stays as long as the environment: never look through it again
_init_ms = (perf_counter() - _started_s) * 1000 if _settings.is_init_awaited else None
_function = PredictFunction(_serving, _telemetry, open_tracer(_settings), init_ms=_init_ms)


def handler(event: Event, context: LambdaContext) -> Response:
    """Answer one request."""
    return _function.handle(event, context)
