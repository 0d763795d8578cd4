"""The composition root: the only module that reads the environment."""

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache, partial
from time import time
from typing import TYPE_CHECKING, Any

import msgspec

from lampyris.adapters.object_store import ObjectStore, s3_store
from lampyris.adapters.xray import Tracer
from lampyris.domain.manifest import Manifest
from lampyris.domain.names import LIVE, check_alias_name, check_model_name
from lampyris.domain.store import Store
from lampyris.errors import LampyrisError
from lampyris.serving.preload import Preload
from lampyris.serving.releases import Releases
from lampyris.serving.resolver import Resolver
from lampyris.serving.sessions import Sessions
from lampyris.serving.trace import Trace

if TYPE_CHECKING:  # numpy is most of INIT: loading starts before it is imported, and goes on beside it
    from lampyris.adapters.sqs_queues import SqsQueues
    from lampyris.domain.tensors import Array
    from lampyris.http.event import Request
    from lampyris.jobs.dead_letters import DeadLetters
    from lampyris.jobs.jobs import Jobs
    from lampyris.jobs.machines import Machines
    from lampyris.jobs.wake_ups import QueueName, Queues
    from lampyris.serving.infer import Inference, Prediction
    from lampyris.serving.living import Living
    from lampyris.serving.shadowing import Shadowing


class MissingSettings(LampyrisError):
    """The function was deployed without what it needs."""

    code = "missing-settings"

    def __init__(self, *, names: tuple[str, ...]) -> None:
        super().__init__(f"Set these environment variables of the function: {', '.join(names)}.")
        self.names = names


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a function's environment says.

    `preload` lists (model, alias) to load during INIT; `memory_mb` is the function's own memory and
    `predict_memory_mb` that of the predict function; `scratch` is a folder that one execution environment has
    to itself. `is_snapshot` says that INIT ends in a snapshot (SnapStart), `is_init_awaited` that a request
    waits for it; `credentials_url` and its token, where credentials come by HTTP; `trace_daemon`, where
    traces go ("host:port"); `trusted_keys`, who may sign uploads, for `publishing.signing` to read.

    What jobs need is "" where a function has nothing to do with them: `jobs_table` is a name, the queues are
    URLs, `machine_queue` and `machine_definition` those of AWS Batch, which may be missing everywhere.
    `predictions_queue` and `ordered_queue` are the URLs of those whose messages ask for one prediction each.
    `jobs_in_all` and so on are how many may be under way at once; `webhook_secret` signs news of them.
    """

    bucket: str
    backup_bucket: str | None
    endpoint: str | None
    memory_mb: int
    predict_memory_mb: int
    preload: tuple[tuple[str, str], ...]
    alias_ttl_s: float
    scratch: str
    is_snapshot: bool
    is_init_awaited: bool
    credentials_url: str | None
    credentials_token: str
    trace_daemon: str | None
    trusted_keys: str
    region: str | None = None
    services_endpoint: str | None = None
    jobs_table: str = ""
    attend_queue: str = ""
    train_queue: str = ""
    batch_queue: str = ""
    dead_queue: str = ""
    predictions_queue: str = ""
    ordered_queue: str = ""
    machine_queue: str = ""
    machine_definition: str = ""
    jobs_in_all: int = 50
    jobs_by_tenant: int = 10
    jobs_by_model: int = 5
    webhook_secret: str = ""


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read the settings of an execution environment.

    Raises: MissingSettings naming everything that is missing; InvalidName if LAMPYRIS_PRELOAD names no model.
    """
    missing = tuple(name for name in ("LAMPYRIS_BUCKET",) if not environ.get(name))
    if missing:
        raise MissingSettings(names=missing)
    memory_mb = int(environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1769"))
    return Settings(
        bucket=environ["LAMPYRIS_BUCKET"],
        backup_bucket=environ.get("LAMPYRIS_BACKUP_BUCKET") or None,
        endpoint=environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL"),
        memory_mb=memory_mb,
        predict_memory_mb=int(environ.get("LAMPYRIS_PREDICT_MEMORY_MB", memory_mb)),
        preload=tuple(
            _model_and_alias(item.strip())
            for item in environ.get("LAMPYRIS_PRELOAD", "").split(",")
            if item.strip()
        ),
        alias_ttl_s=float(environ.get("LAMPYRIS_ALIAS_TTL_S", "5")),
        scratch=environ.get("TMPDIR", "/tmp") + "/lampyris",  # noqa: S108 - all that Lambda may write
        is_snapshot=environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start",
        is_init_awaited=environ.get("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand") == "on-demand",
        credentials_url=environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI"),
        credentials_token=environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", ""),
        trace_daemon=environ.get("AWS_XRAY_DAEMON_ADDRESS"),
        trusted_keys=environ.get("LAMPYRIS_TRUSTED_KEYS", ""),
        region=environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION"),
        services_endpoint=environ.get("AWS_ENDPOINT_URL"),
        jobs_table=environ.get("LAMPYRIS_JOBS_TABLE", ""),
        attend_queue=environ.get("LAMPYRIS_ATTEND_QUEUE", ""),
        train_queue=environ.get("LAMPYRIS_TRAIN_QUEUE", ""),
        batch_queue=environ.get("LAMPYRIS_BATCH_QUEUE", ""),
        dead_queue=environ.get("LAMPYRIS_DEAD_QUEUE", ""),
        predictions_queue=environ.get("LAMPYRIS_PREDICTIONS_QUEUE", ""),
        ordered_queue=environ.get("LAMPYRIS_ORDERED_PREDICTIONS_QUEUE", ""),
        machine_queue=environ.get("LAMPYRIS_BATCH_JOB_QUEUE", ""),
        machine_definition=environ.get("LAMPYRIS_BATCH_JOB_DEFINITION", ""),
        jobs_in_all=int(environ.get("LAMPYRIS_JOBS_IN_ALL", "50")),
        jobs_by_tenant=int(environ.get("LAMPYRIS_JOBS_BY_TENANT", "10")),
        jobs_by_model=int(environ.get("LAMPYRIS_JOBS_BY_MODEL", "5")),
        webhook_secret=environ.get("LAMPYRIS_WEBHOOK_SECRET", ""),
    )


def _model_and_alias(item: str) -> tuple[str, str]:
    model, _, alias = item.partition("@")
    return check_model_name(model), check_alias_name(alias or LIVE)


def open_store(settings: Settings) -> ObjectStore:
    """Open the registry's bucket."""
    if settings.credentials_url is None:
        return s3_store(settings.bucket, endpoint=settings.endpoint)
    from lampyris.adapters.container_credentials import ContainerCredentials  # noqa: PLC0415 - 15 ms

    credentials = ContainerCredentials(settings.credentials_url, settings.credentials_token)
    return s3_store(settings.bucket, endpoint=settings.endpoint, credentials=credentials)


def open_jobs(settings: Settings) -> "Jobs":
    """Open the table of jobs and their queues: a third of a second, so that only who needs them does.

    Raises: MissingSettings naming everything that is missing.
    """
    from lampyris.adapters.dynamodb_table import DynamoTable  # noqa: PLC0415 - predictions do without jobs
    from lampyris.jobs.jobs import Jobs  # noqa: PLC0415 - as above

    _check_present(
        LAMPYRIS_JOBS_TABLE=settings.jobs_table,
        LAMPYRIS_ATTEND_QUEUE=settings.attend_queue,
    )
    table = DynamoTable(open_client(settings, "dynamodb"), settings.jobs_table)
    queues: Queues = open_queues(settings)
    if settings.machine_queue:
        from lampyris.adapters.aws_batch import BatchMachines  # noqa: PLC0415 - most deployments have none

        queues = BatchMachines(
            queues,
            open_client(settings, "batch"),
            job_queue=settings.machine_queue,
            definition=settings.machine_definition,
            nodes=lambda job: int(jobs.get(job).spec.get("workers", 1)),
        )
    jobs = Jobs(table, queues, now=lambda: datetime.now(UTC))
    return jobs


def open_queues(settings: Settings) -> "SqsQueues":
    """Open the queues of jobs, and of predictions that come one by one."""
    from lampyris.adapters.sqs_queues import SqsQueues  # noqa: PLC0415 - as in open_jobs

    urls: dict[QueueName, str] = {
        "attend": settings.attend_queue,
        "train": settings.train_queue,
        "batch": settings.batch_queue,
        "dead": settings.dead_queue,
        "predictions": settings.predictions_queue,
        "ordered": settings.ordered_queue,
    }
    return SqsQueues(open_client(settings, "sqs"), urls)


def open_machines(settings: Settings) -> "Machines | None":
    """Open the way to the machines that run for jobs; None where there are none."""
    if not settings.machine_queue:
        return None
    from lampyris.adapters.aws_batch import RunningMachines  # noqa: PLC0415 - as in open_jobs

    return RunningMachines(open_client(settings, "batch"), job_queue=settings.machine_queue)


def open_client(settings: Settings, service: str) -> Any:
    """Open boto3's client of a service."""
    from lampyris.adapters.boto3_clients import aws_client  # noqa: PLC0415 - as in open_jobs

    # boto3 reads the endpoint itself, each service's own where there is one.
    return aws_client(service, region=settings.region)


def open_dead_letters(settings: Settings) -> "DeadLetters":
    """Open the queue where failed jobs wait. Raises: MissingSettings."""
    from lampyris.adapters.sqs_dead_letters import SqsDeadLetters  # noqa: PLC0415 - as in open_jobs

    _check_present(LAMPYRIS_DEAD_QUEUE=settings.dead_queue)
    return SqsDeadLetters(open_client(settings, "sqs"), settings.dead_queue)


def _check_present(**settings: str) -> None:
    missing = tuple(name for name, value in settings.items() if not value)
    if missing:
        raise MissingSettings(names=missing)


class Loading(msgspec.Struct, frozen=True, kw_only=True):
    """What it takes to find models and load them, wired together; `preload` has not started yet."""

    store: Store
    resolver: Resolver
    releases: Releases
    sessions: Sessions
    preload: Preload
    clock: Callable[[], float]
    memory_mb: int


class Serving(msgspec.Struct, frozen=True, kw_only=True):
    """What predictions need, wired together."""

    store: Store
    resolver: Resolver
    releases: Releases
    sessions: Sessions
    inference: "Inference"
    shadowing: "Shadowing"
    living: "Living"
    clock: Callable[[], float]
    memory_mb: int

    def resolve(self, model: str, version: str, trace: Trace) -> Manifest:
        """Return the manifest that a question about a model means, and note it; `releases` has predictions.

        Raises: what `Resolver.resolve` raises.
        """
        asked_s = self.clock()
        trace.manifest = self.resolver.resolve(model, version)
        trace.resolved_s = (asked_s, self.clock())
        return trace.manifest

    def predict(
        self,
        request: "Request",
        manifest: Manifest,
        inputs: "Mapping[str, Array]",
        outputs: tuple[str, ...] = (),
    ) -> "Prediction":
        """Run the version that was chosen for a request. Raises: what `Inference.run` raises."""
        trace = request.trace
        prediction = self.inference.run(manifest, inputs, deadline_s=request.deadline_s, outputs=outputs)
        if trace.alias is not None and trace.alias.shadow is not None:
            trace.inputs = inputs
        return msgspec.structs.replace(prediction, cold=True) if trace.is_cold else prediction


def open_tracer(settings: Settings) -> Tracer | None:
    """Open the way to the daemon that takes traces, where there is one."""
    if settings.trace_daemon is None:
        return None
    # Lambda's runtime writes this variable anew for each invocation.
    return Tracer(
        settings.trace_daemon, trace_header=lambda: os.environ.get("_X_AMZN_TRACE_ID", ""), now_s=time
    )


def _random() -> float:
    """Return a number in [0, 1) from the system, so that restored snapshots do not all draw the same."""
    return int.from_bytes(os.urandom(4)) / 2**32


def wire_loading(settings: Settings, store: Store, *, clock: Callable[[], float]) -> Loading:
    """Wire what loads models."""
    resolver = Resolver(store, alias_ttl_s=settings.alias_ttl_s, clock=clock)
    sessions = Sessions(store, folder=settings.scratch, memory_mb=settings.memory_mb, clock=clock)
    return Loading(
        store=store,
        resolver=resolver,
        releases=Releases(resolver, sessions, clock=clock, random=_random),
        sessions=sessions,
        preload=Preload(settings.preload, resolver, sessions, clock=clock),
        clock=clock,
        memory_mb=settings.memory_mb,
    )


def wire_serving(loading: Loading) -> Serving:
    """Wire what runs them."""
    from lampyris.serving.infer import Inference  # noqa: PLC0415 - see TYPE_CHECKING above
    from lampyris.serving.living import Living  # noqa: PLC0415 - what loads models does without
    from lampyris.serving.shadowing import Shadowing  # noqa: PLC0415 - as above

    return Serving(
        store=loading.store,
        resolver=loading.resolver,
        releases=loading.releases,
        sessions=loading.sessions,
        inference=Inference(loading.sessions, clock=loading.clock),
        shadowing=Shadowing(
            loading.store,
            memory_mb=loading.memory_mb,
            random=_random,
            random_bytes=os.urandom,
            now=lambda: datetime.now(UTC),
        ),
        living=Living(loading.store),
        clock=loading.clock,
        memory_mb=loading.memory_mb,
    )


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """What the control function needs, wired together; `body_limit_bytes` is what a prediction takes.

    `backups` is where backups go and come from, None if there is no such place; `clock` counts seconds. What
    opens the table and the queues does so once, None where there are none; `bucket` is the store's name.
    """

    store: Store
    backups: Store | None
    body_limit_bytes: int
    clock: Callable[[], float]
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    open_jobs: "Callable[[], Jobs] | None" = None
    open_dead_letters: "Callable[[], DeadLetters] | None" = None
    bucket: str = ""


def wire_control(settings: Settings, store: Store, *, clock: Callable[[], float]) -> Control:
    """Wire the control function."""
    from lampyris.http.body import body_limit_bytes  # noqa: PLC0415 - the predict function does without zlib

    return Control(
        store=store,
        backups=None
        if settings.backup_bucket is None
        else s3_store(settings.backup_bucket, endpoint=settings.endpoint),
        body_limit_bytes=body_limit_bytes(settings.predict_memory_mb),
        clock=clock,
        now=lambda: datetime.now(UTC),
        new_id=lambda: os.urandom(16).hex(),
        open_jobs=cache(partial(open_jobs, settings)) if settings.jobs_table else None,
        open_dead_letters=cache(partial(open_dead_letters, settings)) if settings.dead_queue else None,
        bucket=settings.bucket,
    )
