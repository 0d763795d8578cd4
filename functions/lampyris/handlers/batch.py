"""The batch function: plans batch jobs, predicts their shards, and gathers what came of them.

A message names a job, or one shard of it. It is only a wake-up: whoever finds nothing to do drops it. One
that could not be looked at fails, and comes again.
"""

import os
import platform
from collections.abc import Callable
from functools import cache
from time import perf_counter, time
from typing import Any

import msgspec
import onnxruntime  # noqa: F401 - here, so that no shard waits for it

from lampyris.adapters.telemetry import Telemetry
from lampyris.batch.batch_size import Speeds
from lampyris.batch.plan import Plans
from lampyris.batch.predicting import Predicting
from lampyris.batch.shards import Shards
from lampyris.batch.working import Working
from lampyris.bootstrap import open_jobs, open_store, read_settings, wire_loading, wire_serving
from lampyris.http.event import LambdaContext
from lampyris.jobs.holding import take
from lampyris.jobs.jobs import Jobs
from lampyris.jobs.prices import architecture_of, rate_usd_per_ms
from lampyris.jobs.wake_ups import decode_wake_up
from lampyris.serving.memory import limit_memory

# What is left of an invocation's time once a run was stopped: enough to write down how far it is.
_ANSWER_S = 5.0


class App(msgspec.Struct, frozen=True, kw_only=True):
    """What the batch function depends on."""

    jobs: Jobs
    working: Working
    shards: Shards
    telemetry: Telemetry
    clock: Callable[[], float]
    rate_usd_per_ms: float


def handle(event: dict[str, Any], app: App, context: LambdaContext) -> dict[str, Any]:
    """Do what a batch of messages asks for, and name the messages that must come again."""
    deadline_s = app.clock() + context.get_remaining_time_in_millis() / 1000 - _ANSWER_S
    failures = []
    for message in event["Records"]:
        try:
            _answer(message, app, context.aws_request_id, deadline_s)
        except Exception as error:  # noqa: BLE001 - the others of the batch are not to blame
            app.telemetry.error(error, context.aws_request_id)
            failures.append({"itemIdentifier": message["messageId"]})
    return {"batchItemFailures": failures}


def _answer(message: dict[str, Any], app: App, request_id: str, deadline_s: float) -> None:
    try:
        wake_up = decode_wake_up(message["body"])
    except msgspec.DecodeError as error:  # not written by us, and never will be
        app.telemetry.error(error, request_id)
        return
    if wake_up.shard is not None:
        received = int(message.get("attributes", {}).get("ApproximateReceiveCount", "1"))
        app.shards.answer(wake_up, deadline_s=deadline_s, received=received)
        return
    # Delivered again to the same invocation, a message finds the job taken by another name.
    worker = f"{request_id}/{message['messageId']}"
    hold = take(app.jobs, wake_up.job, worker, clock=app.clock, rate_usd_per_ms=app.rate_usd_per_ms)
    if hold is not None:
        app.working.work(hold, deadline_s)


@cache
def app_from_env() -> App:
    """Wire the function, once for each execution environment. Raises: MissingSettings."""
    settings = read_settings(os.environ)
    store, jobs = open_store(settings), open_jobs(settings)
    serving = wire_serving(wire_loading(settings, store, clock=perf_counter))
    limit_memory(settings.memory_mb)
    rate = rate_usd_per_ms(settings.memory_mb, architecture_of(platform.machine()))
    plans = Plans(store)
    predicting = Predicting(store=store, inference=serving.inference, clock=perf_counter)
    return App(
        jobs=jobs,
        working=Working(
            plans=plans,
            resolver=serving.resolver,
            predicting=predicting,
            speeds=Speeds(perf_counter),
        ),
        shards=Shards(
            jobs=jobs, plans=plans, resolver=serving.resolver, predicting=predicting, rate_usd_per_ms=rate
        ),
        telemetry=Telemetry("batch", now_s=time),
        clock=perf_counter,
        rate_usd_per_ms=rate,
    )


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one batch of messages from the queue of batches."""
    return handle(event, app_from_env(), context)
