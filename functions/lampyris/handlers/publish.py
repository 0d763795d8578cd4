"""The publish function: uploads that S3 announced through the queue become versions, or are refused.

Wishes come the same way: for a form of an artifact that is faster on the kind of CPU that wishes.

A message that could not be decided about fails, and comes again until the dead-letter queue has it. What was
put into the inbox where no upload can be is refused under no model's name; a wish that is none is logged and
dropped.
"""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from tempfile import gettempdir
from typing import Any
from urllib.parse import unquote_plus

import msgspec
from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from lampyris.bootstrap import open_store, read_settings
from lampyris.domain.layout import TUNING, Upload
from lampyris.domain.manifest import Artifact, Rejection
from lampyris.domain.store import Store
from lampyris.domain.tuned import read_wish, wish_tuned
from lampyris.errors import InvalidName, ObjectNotFound, StoreUnavailable
from lampyris.handlers.s3_events import Created, read_created
from lampyris.http.event import LambdaContext
from lampyris.publishing.admission import Trial, admit, refuse_place
from lampyris.publishing.confinement import Limits, keep_secrets, run_trial, run_tuning
from lampyris.publishing.signing import TrustedKey, read_trusted_keys
from lampyris.publishing.wishes import Tuning, grant
from lampyris.serving.cpu import Cpu, this_cpu


@dataclass(frozen=True, kw_only=True)
class App:
    """What publishing depends on."""

    store: Store
    limit_bytes: int
    trial: Trial
    trusted_keys: tuple[TrustedKey, ...]
    tuning: Tuning
    cpu: Cpu | None
    clock: Callable[[], datetime]
    logger: Logger
    metrics: EphemeralMetrics


def handle(event: dict[str, Any], app: App) -> dict[str, Any]:
    """Do what a batch of messages asks for, and name the messages that must come again."""
    failures = []
    for message in event["Records"]:
        try:
            for created in read_created(message["body"]):
                _answer(created, app)
        except Exception:
            app.logger.exception(
                "A message failed and will come again.", extra={"message_id": message["messageId"]}
            )
            failures.append({"itemIdentifier": message["messageId"]})
    return {"batchItemFailures": failures}


def _answer(created: Created, app: App) -> None:
    encoded = created.encoded_key
    try:
        key = unquote_plus(encoded, errors="strict")
        if key.startswith(TUNING):
            _grant(key, app)
            return
        upload = Upload.from_key(key)
    except UnicodeDecodeError:
        _refuse_place(encoded, InvalidName(kind="an upload", name=encoded, rule="use UTF-8"), app)
    except InvalidName as error:
        _refuse_place(key, error, app)
    else:
        if upload is not None:
            _admit(upload, created.by, app)


def _refuse_place(key: str, error: InvalidName, app: App) -> None:
    started = app.clock()
    rejection = refuse_place(app.store, key, error, now=started)
    _print("Refused", {"upload": rejection.upload, "code": rejection.code}, started, app)


def _admit(upload: Upload, by: str, app: App) -> None:
    started = app.clock()
    outcome = admit(
        upload,
        app.store,
        by=by,
        limit_bytes=app.limit_bytes,
        trial=app.trial,
        clock=app.clock,
        trusted_keys=app.trusted_keys,
    )
    fields: dict[str, Any] = {"model": upload.model, "upload": upload.upload}
    if isinstance(outcome, Rejection):
        _print("Refused", {**fields, "code": outcome.code}, started, app)
        return
    failed = [gate.name for gate in outcome.evidence.gates if not gate.passed]
    fields |= {"version": outcome.version} | ({"failed_gates": failed} if failed else {})
    _print("Published" if outcome.goes_live else "Held", fields, started, app)
    _wish(outcome.artifact, app)


def _wish(artifact: Artifact, app: App) -> None:
    """Have what was just published tuned: by a message of its own, so that nobody waits for it."""
    if not artifact.tunable or app.cpu is None:
        return
    try:
        wish_tuned(app.store, artifact, app.cpu.key)
    except StoreUnavailable as error:  # whoever loads it wishes again
        app.logger.warning("A wish could not be written.", extra={"reason": str(error)})


def _grant(key: str, app: App) -> None:
    try:
        artifact = read_wish(app.store, key)
    except (InvalidName, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        app.logger.warning("Dropped: this is no wish.", extra={"key": key, "reason": str(error)})
        return
    if artifact is None or app.cpu is None:
        return
    started = app.clock()
    try:
        tuned = grant(artifact, app.store, cpu=app.cpu, tuning=app.tuning, clock=app.clock)
    except ObjectNotFound as error:
        app.logger.warning("A wish was dropped: its artifact is gone.", extra={"reason": str(error)})
        return
    if tuned is not None:
        fields = {"artifact": artifact.digest, "cpu": tuned.cpu, "speedup": tuned.speedup}
        _print("Tuned" if tuned.artifact is not None else "NotTuned", fields, started, app)


def _print(outcome: str, fields: dict[str, Any], started: datetime, app: App) -> None:
    """Print one line: log and metrics in one (CloudWatch's embedded metric format)."""
    duration_ms = round((app.clock() - started).total_seconds() * 1000, 3)
    app.metrics.add_metric(name=outcome, unit=MetricUnit.Count, value=1)
    app.metrics.add_metric(name="Duration", unit=MetricUnit.Milliseconds, value=duration_ms)
    for key, value in fields.items():
        app.metrics.add_metadata(key=key, value=value)
    app.metrics.flush_metrics()


@cache
def app_from_env() -> App:
    """Wire the function, once for each execution environment; nothing here is worth doing during INIT.

    Raises: MissingSettings, InvalidKey.
    """
    settings = read_settings(os.environ)
    keep_secrets()
    _clear_disk()
    limits = Limits.of_function(settings.memory_mb)
    return App(
        store=open_store(settings),
        limit_bytes=limits.upload_bytes,
        trial=partial(run_trial, limits=limits),
        trusted_keys=read_trusted_keys(settings.trusted_keys),
        tuning=partial(run_tuning, limits=limits),
        cpu=this_cpu(),
        clock=lambda: datetime.now(UTC),
        logger=Logger(service="publish"),
        metrics=EphemeralMetrics(namespace="Lampyris", service="publish"),
    )


def _clear_disk() -> None:
    """Remove what an invocation left that was killed: its successor in the environment has the same disk."""
    for folder in Path(gettempdir()).glob("lampyris-*"):
        shutil.rmtree(folder, ignore_errors=True)


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one batch of messages from the inbox's queue."""
    app = app_from_env()
    app.logger.append_keys(request_id=context.aws_request_id)
    return handle(event, app)
