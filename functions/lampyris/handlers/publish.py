"""The publish function: uploads that S3 announced through the queue become versions, or are refused.

A message whose upload could not be decided about fails, and comes again until the dead-letter queue has it.
An upload whose place in the inbox names no model is logged and dropped: there is no name to leave a reason
under, and the command line checks names before it sends.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any
from urllib.parse import unquote_plus

import msgspec
from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from lampyris.bootstrap import open_store, read_settings
from lampyris.domain.layout import Upload
from lampyris.domain.manifest import Manifest
from lampyris.domain.store import Store
from lampyris.errors import InvalidName
from lampyris.http.event import LambdaContext
from lampyris.publishing.admission import Trial, admit
from lampyris.publishing.confinement import Limits, run_trial


class _Object(msgspec.Struct):
    key: str


class _S3(msgspec.Struct):
    object: _Object


class _S3Record(msgspec.Struct, rename="camel"):
    event_name: str
    s3: _S3


class _Notification(msgspec.Struct):
    """What S3 puts into a queue; its test event, sent when a bucket is set up, has no records."""

    records: list[_S3Record] = msgspec.field(name="Records", default_factory=list)


@dataclass(frozen=True, kw_only=True)
class App:
    """What publishing depends on."""

    store: Store
    limit_bytes: int
    trial: Trial
    clock: Callable[[], datetime]
    logger: Logger
    metrics: EphemeralMetrics


def uploads_of(body: str, logger: Logger) -> Iterator[Upload]:
    """Yield the uploads that a message says are complete.

    Raises: msgspec.DecodeError if S3 did not write the message.
    """
    for record in msgspec.json.decode(body, type=_Notification).records:
        if not record.event_name.startswith("ObjectCreated:"):
            continue
        key = unquote_plus(record.s3.object.key)
        try:
            upload = Upload.from_key(key)
        except InvalidName as error:
            logger.warning(
                "An upload was dropped: its name is not one.", extra={"key": key, "reason": str(error)}
            )
            continue
        if upload is not None:
            yield upload


def handle(event: dict[str, Any], app: App) -> dict[str, Any]:
    """Admit what a batch of messages brings, and name the messages that must come again."""
    failures = []
    for message in event["Records"]:
        try:
            for upload in uploads_of(message["body"], app.logger):
                _admit(upload, app)
        except Exception:
            app.logger.exception(
                "A message failed and will come again.", extra={"message_id": message["messageId"]}
            )
            failures.append({"itemIdentifier": message["messageId"]})
    return {"batchItemFailures": failures}


def _admit(upload: Upload, app: App) -> None:
    """Admit one upload, and print its line: log and metrics in one (CloudWatch's embedded metric format)."""
    started = app.clock()
    outcome = admit(upload, app.store, limit_bytes=app.limit_bytes, trial=app.trial, clock=app.clock)
    fields: dict[str, Any] = {"model": upload.model, "upload": upload.upload}
    if isinstance(outcome, Manifest):
        app.metrics.add_metric(name="Published", unit=MetricUnit.Count, value=1)
        fields |= {"version": outcome.version}
    else:
        app.metrics.add_metric(name="Refused", unit=MetricUnit.Count, value=1)
        fields |= {"code": outcome.code}
    duration_ms = round((app.clock() - started).total_seconds() * 1000, 3)
    app.metrics.add_metric(name="Duration", unit=MetricUnit.Milliseconds, value=duration_ms)
    for key, value in fields.items():
        app.metrics.add_metadata(key=key, value=value)
    app.metrics.flush_metrics()


@cache
def app_from_env() -> App:
    """Wire the function, once for each execution environment; nothing here is worth doing during INIT."""
    settings = read_settings(os.environ)
    limits = Limits.of_function(settings.memory_mb)
    return App(
        store=open_store(settings),
        limit_bytes=limits.upload_bytes,
        trial=partial(run_trial, limits=limits),
        clock=lambda: datetime.now(UTC),
        logger=Logger(service="publish"),
        metrics=EphemeralMetrics(namespace="Lampyris", service="publish"),
    )


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one batch of messages from the inbox's queue."""
    app = app_from_env()
    app.logger.append_keys(request_id=context.aws_request_id)
    return handle(event, app)
