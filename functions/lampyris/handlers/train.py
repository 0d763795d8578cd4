"""The train function: takes a job that a message announces, and builds until it has ended or the time is up.

It runs in an image of its own, which has the build and torch. A message is only a wake-up: whoever finds
nothing to do drops it. One that could not be looked at fails, and comes again.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from platform import machine
from time import monotonic
from typing import TYPE_CHECKING, Any

import msgspec
from aws_lambda_powertools import Logger

from lampyris.bootstrap import open_jobs, open_store, read_settings
from lampyris.domain.store import Store
from lampyris.errors import JobNotFound
from lampyris.http.event import LambdaContext
from lampyris.jobs.holding import take
from lampyris.jobs.prices import architecture_of, rate_usd_per_ms
from lampyris.jobs.wake_ups import decode_wake_up

if TYPE_CHECKING:
    from lampyris.jobs.jobs import Jobs


@dataclass(frozen=True, kw_only=True)
class App:
    """What training depends on."""

    bucket: str
    scratch: Path
    jobs: "Jobs"
    store: Store
    logger: Logger
    rate_usd_per_ms: float


def handle(
    event: dict[str, Any], app: App, *, invocation: str, remaining_s: Callable[[], float]
) -> dict[str, Any]:
    """Do the jobs that messages announce, and name the messages that must come again.

    `invocation` is a name that no other has.
    """
    from lampyris_build.jobs.running import run_job  # noqa: PLC0415 - the image alone has it
    from lampyris_build.jobs.worker import Worker  # noqa: PLC0415 - as above

    failures = []
    for message in event["Records"]:
        try:
            wake_up = decode_wake_up(message["body"])
            hold = take(
                app.jobs, wake_up.job, invocation, clock=monotonic, rate_usd_per_ms=app.rate_usd_per_ms
            )
            if hold is None:
                continue
            app.logger.info("A job begins.", extra={"job": hold.job.id, "generation": hold.generation})
            worker = Worker(
                jobs=app.jobs,
                store=app.store,
                bucket=app.bucket,
                scratch=app.scratch,
                remaining_s=remaining_s,
            )
            run_job(hold, worker)
            app.logger.info("A job was left.", extra={"job": hold.job.id, "state": hold.job.state})
        except (msgspec.DecodeError, JobNotFound) as error:
            app.logger.warning("Dropped: there is no such job.", extra={"reason": str(error)})
        except Exception:
            app.logger.exception("A message failed and will come again.")
            failures.append({"itemIdentifier": message["messageId"]})
    return {"batchItemFailures": failures}


@cache
def app_from_env() -> App:
    """Wire the function, once for each execution environment. Raises: MissingSettings."""
    settings = read_settings(os.environ)
    return App(
        bucket=settings.bucket,
        scratch=Path(settings.scratch) / "jobs",
        jobs=open_jobs(settings),
        store=open_store(settings),
        logger=Logger(service="train"),
        rate_usd_per_ms=rate_usd_per_ms(settings.memory_mb, architecture_of(machine())),
    )


def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one message of the queue of trainings."""
    app = app_from_env()
    app.logger.append_keys(request_id=context.aws_request_id)
    return handle(
        event,
        app,
        invocation=context.aws_request_id,
        remaining_s=lambda: context.get_remaining_time_in_millis() / 1000,
    )
