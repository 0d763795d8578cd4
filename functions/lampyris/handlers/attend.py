"""The attend function: looks at the jobs that wake-ups name, and begins those that S3 puts ask for.

A message that could not be dealt with comes again, later each time, and holds no other up.
"""

import os
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from time import time
from typing import Any
from urllib.parse import unquote_plus

import msgspec

from lampyris.adapters.event_bus import EventBridge
from lampyris.adapters.telemetry import Telemetry
from lampyris.adapters.webhook import SignedWebhook
from lampyris.bootstrap import (
    open_client,
    open_jobs,
    open_machines,
    open_queues,
    open_store,
    read_settings,
)
from lampyris.domain.store import Store
from lampyris.errors import InvalidRequest, KeyReused, NoJobs, QueueUnavailable
from lampyris.handlers.putting_off import PutOff, back_off_s, deliveries
from lampyris.handlers.s3_events import Created, read_created
from lampyris.http.event import LambdaContext
from lampyris.jobs import transitions
from lampyris.jobs.attending import Attending
from lampyris.jobs.duties import duties, work
from lampyris.jobs.intake import SETTLING_S, asked_by, may_be_followed, refused
from lampyris.jobs.job import Failure, with_log
from lampyris.jobs.jobs import Jobs
from lampyris.jobs.notifications import Notifying
from lampyris.jobs.slots import Limits, Slots
from lampyris.jobs.wake_ups import WakeUp, decode_wake_up

# What the slowest message takes: a webhook that does not answer, and the calls of AWS around it.
_NEEDED_S = 20.0


class _Settling(Exception):
    """A put that others may follow is looked at when it comes again."""


class App(msgspec.Struct, frozen=True, kw_only=True):
    """What attending depends on."""

    jobs: Jobs
    store: Store
    attending: Attending
    put_off: PutOff
    telemetry: Telemetry
    draw: Callable[[], float]


def handle(
    event: dict[str, Any], app: App, request_id: str, *, remaining_s: Callable[[], float]
) -> dict[str, Any]:
    """Do what a batch of messages asks for, and name those that must come again."""
    failures = []
    for number, message in enumerate(event["Records"]):
        try:
            if number == 0 or remaining_s() >= _NEEDED_S:
                _answer(message, app)
                continue
            delay_s = back_off_s(deliveries(message), app.draw())
        except _Settling:
            delay_s = SETTLING_S
        except Exception as error:  # noqa: BLE001 - the others of the batch are not to blame
            app.telemetry.error(error, request_id)
            delay_s = back_off_s(deliveries(message), app.draw())
        failures.append({"itemIdentifier": message["messageId"]})
        with suppress(QueueUnavailable):  # it comes again all the same, only later
            app.put_off("attend", message["receiptHandle"], delay_s=delay_s)
    return {"batchItemFailures": failures}


def _answer(message: Mapping[str, Any], app: App) -> None:
    """Raises: _Settling; and whatever went wrong."""
    body = message["body"]
    try:
        wake_up = decode_wake_up(body)
    except msgspec.DecodeError:
        puts = list(read_created(body))
        if deliveries(message) == 1 and any(map(may_be_followed, puts)):
            raise _Settling from None
        for created in puts:
            _begin(created, app)
    else:
        _attend(wake_up, app)


def _attend(wake_up: WakeUp, app: App) -> None:
    jobs = app.jobs
    try:
        app.attending.attend(wake_up)
    except NoJobs as error:  # nobody here ever will do this job
        failure = Failure(code=error.code, detail=str(error))
        jobs.look(jobs.change(wake_up.job, lambda one: transitions.failed(one, failure, jobs.now())))


def _begin(created: Created, app: App) -> None:
    """Make the job that a put asks for, or one that has failed where none can be made."""
    failure = None
    try:
        asked = asked_by(created, app.store)
    except InvalidRequest as error:
        detail = f"{unquote_plus(created.encoded_key)}: {error}"
        asked, failure = refused(created, error), Failure(code=error.code, detail=detail)
    if asked is not None:
        with suppress(KeyReused):  # it has its job, which was told in other words when it was put
            app.jobs.submit(asked, failure)


@cache
def app_from_env() -> App:
    """Wire the function, once for each execution environment. Raises: MissingSettings."""
    settings = read_settings(os.environ)
    jobs, store, queues = open_jobs(settings), open_store(settings), open_queues(settings)
    notifying = Notifying(
        EventBridge(open_client(settings, "events")),
        SignedWebhook(settings.webhook_secret, now_s=time, is_local=settings.services_endpoint is not None),
        note=lambda job, line: jobs.change(
            job, lambda one: msgspec.structs.replace(one, log=with_log(one, (line,)))
        ),
    )
    limits = Limits(
        in_all=settings.jobs_in_all, by_tenant=settings.jobs_by_tenant, by_model=settings.jobs_by_model
    )
    attending = Attending(
        jobs,
        Slots(jobs, limits),
        work=work(trains=bool(settings.train_queue), has_machines=bool(settings.machine_queue)),
        duties=duties(store, jobs, notifying, machines=open_machines(settings)),
    )
    return App(
        jobs=jobs,
        store=store,
        attending=attending,
        put_off=queues.put_off,
        telemetry=Telemetry("attend", now_s=time),
        draw=random.random,
    )


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one batch of messages of those who attend to jobs."""
    return handle(
        event,
        app_from_env(),
        context.aws_request_id,
        remaining_s=lambda: context.get_remaining_time_in_millis() / 1000,
    )
