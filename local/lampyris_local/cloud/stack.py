"""What a template asks for, as records: functions, what wakes them, and the stores they use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a stack runs: what CloudFormation's pseudo-parameters and the two URLs stand for."""

    api_url: str
    endpoint_url: str
    stack_name: str = "local"
    region: str = "us-east-1"
    account_id: str = "123456789012"
    api_id: str = "local"

    def arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self.region}:{self.account_id}:{resource}"

    @property
    def api_url_on_aws(self) -> str:
        return f"https://{self.api_id}.execute-api.{self.region}.amazonaws.com"


@dataclass(frozen=True, kw_only=True)
class Function:
    """A function; the packages in `code` and in the folders `beside` it are on its path.

    `runtime` is None for a container image, which `image` names if the template does.
    """

    logical_id: str
    name: str
    arn: str
    handler: str
    runtime: str | None
    code: Path
    beside: Sequence[Path] = ()
    image: str | None = None
    memory_mb: int
    timeout_s: int
    environment: Mapping[str, str]
    reserved_concurrency: int | None


@dataclass(frozen=True, kw_only=True)
class Route:
    """A route of the HTTP API. `method` is ANY or one method; `path` is None for the route $default."""

    function: str
    method: str
    path: str | None
    timeout_s: float = 30.0

    @property
    def key(self) -> str:
        return "$default" if self.path is None else f"{self.method} {self.path}"


@dataclass(frozen=True, kw_only=True)
class Queue:
    """An SQS queue; `attributes` are those of the CreateQueue call."""

    logical_id: str
    name: str
    arn: str
    url: str
    visibility_timeout_s: int
    attributes: Mapping[str, str]

    @property
    def fifo(self) -> bool:
        return "FifoQueue" in self.attributes


@dataclass(frozen=True, kw_only=True)
class QueueSource:
    """An event source mapping: a queue that wakes a function."""

    function: str
    queue: Queue
    batch_size: int
    batching_window_s: int
    max_concurrency: int
    reports_item_failures: bool


@dataclass(frozen=True, kw_only=True)
class Notification:
    """S3 tells a queue about events on keys with this prefix and suffix."""

    event: str
    queue_arn: str
    prefix: str
    suffix: str


@dataclass(frozen=True, kw_only=True)
class Bucket:
    name: str
    versioned: bool
    notifications: Sequence[Notification]


@dataclass(frozen=True, kw_only=True)
class Table:
    """A DynamoDB table; `definition` is the CreateTable call without the name."""

    name: str
    definition: Mapping[str, Any]
    time_to_live_attribute: str | None


@dataclass(frozen=True, kw_only=True)
class JobQueue:
    """A job queue of AWS Batch."""

    name: str
    arn: str


@dataclass(frozen=True, kw_only=True)
class JobDefinition:
    """A job definition of AWS Batch. `nodes` is how many it has by default, None if it is not of that kind.

    The packages in the folders `code` are on its path.
    """

    logical_id: str
    name: str
    nodes: int | None
    command: Sequence[str]
    environment: Mapping[str, str]
    code: Sequence[Path]
    timeout_s: int | None


@dataclass(frozen=True, kw_only=True)
class Stack:
    """The whole of a template, resolved. `functions` goes by logical id."""

    functions: Mapping[str, Function]
    routes: Sequence[Route]
    sources: Sequence[QueueSource]
    queues: Sequence[Queue]
    buckets: Sequence[Bucket]
    tables: Sequence[Table]
    event_buses: Sequence[str]
    job_queues: Sequence[JobQueue]
    job_definitions: Sequence[JobDefinition]
    outputs: Mapping[str, str]
