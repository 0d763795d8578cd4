"""The shadow function: gives copies of answered requests to the version that only watches, and compares.

A copy that could not be decided about fails, and comes again until the dead-letter queue has it. What the
shadow does wrong is no failure but what is wanted to be known.
"""

import os
from collections.abc import Callable
from functools import cache
from time import perf_counter, time
from typing import Any
from urllib.parse import unquote_plus

import msgspec
import onnxruntime  # noqa: F401 - here, so that no copy waits for it

from lampyris.adapters.telemetry import Telemetry
from lampyris.bootstrap import Serving, open_store, read_settings, wire_loading, wire_serving
from lampyris.domain.copies import Copy, arrays_of, decode_copy
from lampyris.domain.differences import difference, same_class
from lampyris.domain.manifest import Manifest
from lampyris.domain.tensors import Array
from lampyris.errors import InvalidTensor, MalformedRequest, ModelLoading, NotFound, StoreUnavailable
from lampyris.handlers.s3_events import read_created
from lampyris.http.event import LambdaContext
from lampyris.http.problems import problem_code
from lampyris.registry.shadows import Comparison, write_comparison
from lampyris.serving.memory import limit_memory

# What a request behind the API has.
_RUN_S = 28.5


class App(msgspec.Struct, frozen=True, kw_only=True):
    """What the shadow function depends on."""

    serving: Serving
    telemetry: Telemetry
    clock: Callable[[], float]


def handle(event: dict[str, Any], app: App, request_id: str) -> dict[str, Any]:
    """Compare what a batch of messages announces, and name the messages that must come again."""
    failures = []
    for message in event["Records"]:
        try:
            for created in read_created(message["body"]):
                _answer(unquote_plus(created.encoded_key), app, request_id)
        except Exception as error:  # noqa: BLE001 - the others of the batch are not to blame
            app.telemetry.error(error, request_id)
            failures.append({"itemIdentifier": message["messageId"]})
    return {"batchItemFailures": failures}


def _answer(key: str, app: App, request_id: str) -> None:
    store = app.serving.store
    try:
        copy = decode_copy(store.get(key).data)
        inputs, answers = arrays_of(copy.inputs), arrays_of(copy.outputs)
        shadow = app.serving.resolver.resolve(copy.model, str(copy.shadow))
    except NotFound:
        return  # the copy has expired, or the version was deleted: there is nothing left to find out
    except (MalformedRequest, InvalidTensor) as error:  # not written by us
        app.telemetry.error(error, request_id)
        return
    comparison = _compare(copy, inputs, answers, shadow, app)
    if not write_comparison(store, comparison):
        return  # it was delivered again
    metrics: dict[str, float] = {"ShadowRuns": 1}
    if comparison.agrees is False:
        metrics["ShadowDifferences"] = 1
    if comparison.code is not None:
        metrics["ShadowFailures"] = 1
    fields: dict[str, object] = {
        "request_id": request_id,
        "copy": copy.id,
        "alias": copy.alias,
        "answered": str(copy.answered),
        "run_ms": comparison.shadow_ms,
        "code": comparison.code,
    }
    app.telemetry.count(metrics, model=copy.model, version=copy.shadow, fields=fields)


def _compare(
    copy: Copy, inputs: dict[str, Array], answers: dict[str, Array], shadow: Manifest, app: App
) -> Comparison:
    """Ask the shadow what was asked, and hold its answer against the one that was given.

    Where it gives none, the code is that of the problem which a caller would have met.
    Raises: StoreUnavailable, ModelLoading, which say nothing of the shadow.
    """
    comparison = Comparison(
        id=copy.id,
        model=copy.model,
        alias=copy.alias,
        revision=copy.revision,
        answered=copy.answered,
        shadow=copy.shadow,
        at=copy.at,
        answered_ms=copy.run_ms,
    )
    known = {spec.name for spec in shadow.signature.outputs}
    try:
        prediction = app.serving.inference.run(
            shadow,
            inputs,
            deadline_s=app.clock() + _RUN_S,
            outputs=tuple(name for name in answers if name in known),
        )
    except (StoreUnavailable, ModelLoading):
        raise
    except Exception as error:  # noqa: BLE001 - onnxruntime raises classes of its own, with no common root
        return msgspec.structs.replace(comparison, code=problem_code(error))
    found = difference(answers, prediction.outputs)
    answered = _answered(copy, app)
    return msgspec.structs.replace(
        comparison,
        shadow_ms=prediction.run_ms,
        agrees=found.agrees,
        biggest_difference=found.biggest,
        same_class=None
        if answered is None
        else same_class(answered.signature, answers, shadow.signature, prediction.outputs),
    )


def _answered(copy: Copy, app: App) -> Manifest | None:
    """Return the version that answered the caller; None if it was deleted meanwhile."""
    try:
        return app.serving.resolver.resolve(copy.model, str(copy.answered))
    except NotFound:
        return None


@cache
def app_from_env() -> App:
    """Wire the function, once for each execution environment."""
    settings = read_settings(os.environ)
    serving = wire_serving(wire_loading(settings, open_store(settings), clock=perf_counter))
    limit_memory(settings.memory_mb)
    return App(serving=serving, telemetry=Telemetry("shadow", now_s=time), clock=perf_counter)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one batch of messages from the shadow's queue."""
    return handle(event, app_from_env(), context.aws_request_id)
