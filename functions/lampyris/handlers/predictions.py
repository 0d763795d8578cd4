"""The predictions function: messages that each ask for one prediction, and that nobody waits for.

Those for one version are run together, and answered one by one. An answer is created where none stands, so
that a message that is delivered again has no second effect. What is wrong with a message is its answer; what
may work later comes again, after a short while at first. In a queue that keeps the order, nothing is answered
before what came first.

A message that comes again may have ended the function: it is run alone then, and what ends the function once
more is not run a third time.
"""

import os
import random
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from time import perf_counter, time
from typing import Any

import msgspec
import onnxruntime  # noqa: F401 - here, so that no message waits for it

from lampyris.adapters.telemetry import Telemetry
from lampyris.batch.messages import Asked, read_message, refusal_key
from lampyris.batch.together import Found, predict_together
from lampyris.bootstrap import Serving, open_queues, open_store, read_settings, wire_loading, wire_serving
from lampyris.domain.manifest import Manifest
from lampyris.errors import (
    InferenceFailed,
    InvalidRequest,
    NotFound,
    ObjectExists,
    ObjectNotFound,
    WorkerLost,
)
from lampyris.handlers.putting_off import PutOff, back_off_s, deliveries
from lampyris.http.event import LambdaContext, Request
from lampyris.http.predictions.answers import reply_with
from lampyris.http.predictions.wanted import read_wanted
from lampyris.http.problems import problem_reply
from lampyris.jobs.wake_ups import QueueName
from lampyris.serving.memory import limit_memory

_ANSWER_S = 5.0
_WRITERS = 16
# The first delivery at which a message is run alone.
_ALONE_FROM = 2
# The intervals of which the times until the next deliveries are drawn: 5 s, 25 s, 2 minutes, 5 minutes. The
# template allows five deliveries, which are to outlast more than a hiccup.
_GROWTH = 5
# What it takes to put a message off.
_NEEDED_S = 2.0


class App(msgspec.Struct, frozen=True, kw_only=True):
    """What the predictions function depends on."""

    serving: Serving
    telemetry: Telemetry
    put_off: PutOff
    draw: Callable[[], float]


class _Message(msgspec.Struct, frozen=True, kw_only=True):
    """A message; `group` names those among which order matters, None if it does not."""

    id: str
    receipt: str
    body: str
    received: int
    group: str | None


def handle(event: dict[str, Any], app: App, context: LambdaContext) -> dict[str, Any]:
    """Answer a batch of messages, and name those that must come again."""
    deadline_s = app.serving.clock() + context.get_remaining_time_in_millis() / 1000 - _ANSWER_S
    answering = _Answering(app, context.aws_request_id, deadline_s)
    messages = [_message(record) for record in event["Records"]]
    suspects = {one.group for one in messages if one.received >= _ALONE_FROM and one.group is not None}
    alone = [one for one in messages if one.received >= _ALONE_FROM or one.group in suspects]
    together = [one for one in messages if one not in alone]
    failed = answering.answer(together)
    for message in alone:
        if message.group is None or message.group not in {one.group for one in failed}:
            failed += answering.answer_alone(message)
        else:
            failed.append(message)
    _put_off(failed, app, context)
    return {"batchItemFailures": [{"itemIdentifier": message.id} for message in failed]}


def _put_off(failed: list[_Message], app: App, context: LambdaContext) -> None:
    """Let messages come again sooner than their queue would, those of a group together and the first first.

    A queue that keeps the order gives out nothing of a group of which a message is still put off.
    """
    delays_s: dict[str, int] = {}
    for message in failed:
        delay_s = back_off_s(message.received, app.draw(), growth=_GROWTH)
        if message.group is not None:
            delay_s = delays_s.setdefault(message.group, delay_s)
        if context.get_remaining_time_in_millis() / 1000 < _NEEDED_S:
            return
        try:
            app.put_off(
                "predictions" if message.group is None else "ordered", message.receipt, delay_s=delay_s
            )
        except Exception as error:  # noqa: BLE001 - they come again all the same, only later
            app.telemetry.error(error, context.aws_request_id)
            return


class _Answering:
    """Answers messages for one invocation."""

    def __init__(self, app: App, request_id: str, deadline_s: float) -> None:
        self._app = app
        self._store = app.serving.store
        self._request_id = request_id
        self._deadline_s = deadline_s

    def answer(self, messages: list[_Message]) -> list[_Message]:
        """Answer messages, and return those that must come again."""
        answers = self._answers(messages)
        ordered: dict[object, list[int]] = {}
        for place, message in enumerate(messages):
            ordered.setdefault(place if message.group is None else message.group, []).append(place)
        with ThreadPoolExecutor(_WRITERS) as writers:
            failed = writers.map(lambda places: self._write(places, answers), ordered.values())
            return [messages[place] for places in failed for place in places]

    def answer_alone(self, message: _Message) -> list[_Message]:
        """Answer a message that came before, and was not answered then."""
        try:
            asked = read_message(message.body)
        except InvalidRequest:
            return self.answer([message])
        place = f"predictions/{asked.model}/{asked.id}"
        try:
            if self._has_ended_the_function(place, message.received):
                return [message] if self._write([0], [(asked.key, WorkerLost())]) else []
            self._create(f"{place}/begun-{message.received}")
            failed = self.answer([message])
            self._create(f"{place}/over-{message.received}")
        except Exception as error:  # noqa: BLE001 - the store is away: it comes again
            self._app.telemetry.error(error, self._request_id)
            return [message]
        return failed

    def _has_ended_the_function(self, place: str, received: int) -> bool:
        """Tell whether a run of a message alone began and was never over, by writing what is missing."""
        return any(
            not self._create(f"{place}/begun-{before}") and self._create(f"{place}/over-{before}")
            for before in range(_ALONE_FROM, received)
        )

    def _create(self, key: str, data: bytes = b"", headers: Mapping[str, str] | None = None) -> bool:
        """Create an object; False if one stands there. Raises: StoreUnavailable."""
        try:
            self._store.create(key, data, headers)
        except ObjectExists:
            return False
        return True

    def _answers(self, messages: list[_Message]) -> list[tuple[str, Found]]:
        """Return where each message's answer goes, and what it is."""
        keys: list[str] = []
        found: dict[int, Found] = {}
        runs: dict[tuple[str, int], tuple[Manifest, list[tuple[int, Asked]]]] = {}
        for place, message in enumerate(messages):
            try:
                asked = read_message(message.body)
                keys.append(asked.key)
                manifest = self._manifest(asked)
            except Exception as error:  # noqa: BLE001 - the others are not to blame
                found[place] = error
                if len(keys) == place:
                    keys.append(refusal_key(message.body, message.id))
                continue
            _, run = runs.setdefault((manifest.model, manifest.version), (manifest, []))
            run.append((place, asked))
        for manifest, run in runs.values():
            bodies = [asked.body for _, asked in run]
            found |= zip((place for place, _ in run), self._predicted(manifest, bodies), strict=True)
        return [(key, found[place]) for place, key in enumerate(keys)]

    def _manifest(self, asked: Asked) -> Manifest:
        """Return the version that answers; of an alias with a canary, the same for the same message."""
        request = Request(
            method="POST",
            path="",
            headers={"lampyris-sticky-key": asked.id},
            deadline_s=self._deadline_s,
        )
        return self._app.serving.releases.choose(request, asked.model, asked.version)

    def _predicted(self, manifest: Manifest, bodies: list[bytes]) -> Iterator[Found]:
        try:
            yield from predict_together(
                self._app.serving.inference, manifest, bodies, deadline_s=self._deadline_s
            )
        except Exception as error:  # noqa: BLE001 - the other versions are not to blame
            yield from [error] * len(bodies)

    def _write(self, places: list[int], answers: list[tuple[str, Found]]) -> list[int]:
        """Write the answers at some places, in order; return the places from the first that fails on."""
        for done, place in enumerate(places):
            key, found = answers[place]
            try:
                self._store_answer(key, found)
            except Exception as error:  # noqa: BLE001 - it comes again
                self._app.telemetry.error(error, self._request_id)
                return places[done:]
        return []

    def _store_answer(self, key: str, found: Found) -> None:
        """Raises: what was found, if it may be otherwise later; StoreUnavailable."""
        if isinstance(found, Exception):
            is_final = isinstance(found, (InvalidRequest, NotFound, InferenceFailed, WorkerLost))
            if not is_final or isinstance(found, ObjectNotFound):
                raise found
            reply = problem_reply(found, self._request_id)
        else:
            wanted = read_wanted(Request(method="POST", path=""), found.manifest.signature)
            if wanted.labels is not None:
                name = wanted.outputs[0]
                found = msgspec.structs.replace(found, outputs={name: found.outputs[name]})
            reply = reply_with(found, wanted)
        body = reply.body.encode() if isinstance(reply.body, str) else reply.body
        self._create(key, body, {"content-type": reply.media_type})


def _message(record: dict[str, Any]) -> _Message:
    attributes = record.get("attributes", {})
    keeps_order = record.get("eventSourceARN", "").endswith(".fifo")
    return _Message(
        id=record["messageId"],
        receipt=record["receiptHandle"],
        body=record["body"],
        received=deliveries(record),
        group=attributes.get("MessageGroupId", "") if keeps_order else None,
    )


@cache
def app_from_env() -> App:
    """Wire the function, once for each execution environment. Raises: MissingSettings."""
    settings = read_settings(os.environ)
    serving = wire_serving(wire_loading(settings, open_store(settings), clock=perf_counter))
    limit_memory(settings.memory_mb)
    open_once = cache(partial(open_queues, settings))  # boto3 takes a while: most never need it

    def put_off(queue: QueueName, receipt: str, *, delay_s: int) -> None:
        open_once().put_off(queue, receipt, delay_s=delay_s)

    return App(
        serving=serving,
        telemetry=Telemetry("predictions", now_s=time),
        put_off=put_off,
        draw=random.random,
    )


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one batch of messages from a queue of predictions."""
    return handle(event, app_from_env(), context)
