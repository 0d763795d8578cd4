"""A job as the table holds it: one document, which changes as a whole or not at all."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

State = Literal["queued", "running", "succeeded", "failed", "cancelled"]
# What can be asked for; the last three are parts of those, which only their parents make.
Kind = Literal["train", "evaluate", "tune", "batch", "fold", "trial", "member"]
ENDED: frozenset[State] = frozenset({"succeeded", "failed", "cancelled"})
# What a document takes at most, below DynamoDB's 400 KB, and what a job may be asked with: there must be room
# for its log, its shards and what comes of it.
MOST_BYTES, MOST_ASKED_BYTES = 390_000, 250_000

# How many lines of its log a job carries with it, and how long one may be.
LOG_LINES = 30
LOG_LINE_LENGTH = 300


class Progress(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far a job is: `step` of `steps`, whatever its kind counts (`unit`).

    `metric` is the latest figure that the stage has, by its name; `ends_at` an estimate.
    """

    stage: str = ""
    step: int = 0
    steps: int = 0
    unit: str = "steps"
    metric: tuple[str, float] | None = None
    ends_at: datetime | None = None


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why a job failed: a stable code, and a sentence for people."""

    code: str
    detail: str


class Shards(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The parts of a job that workers finish without holding it: which are done, and what came of them.

    `done` has a bit for each, in hexadecimal digits, the first shard's lowest. `sent` have been given to the
    queue, in order; a part may be given more than once. `failed_rows` are those that the model refused.
    """

    count: int
    done: str = "0"
    sent: int = 0
    rows: int = 0
    failed_rows: int = 0

    @property
    def finished(self) -> int:
        return int(self.done, 16).bit_count()

    @property
    def is_complete(self) -> bool:
        return self.finished == self.count

    def is_done(self, shard: int) -> bool:
        return bool(int(self.done, 16) >> shard & 1)

    def outstanding(self, most: int) -> tuple[int, ...]:
        """Return the first shards that were given to the queue and are not done."""
        left = ((1 << self.sent) - 1) & ~int(self.done, 16)
        found: list[int] = []
        while left and len(found) < most:
            lowest = left & -left
            found.append(lowest.bit_length() - 1)
            left ^= lowest
        return tuple(found)


class Job(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of a job.

    `spec` says what to do, in the words of its kind. `digest` is of all that was asked: the same idempotency
    key with another digest is another job's.

    `generation` is the fencing token: who takes the job raises it, and whatever is written for the job says
    by which generation. `worker` holds the job; nobody holds it while it is None. `beat` grows with every
    sign of life. No clock decides: a job is lost when its beat stands still while a message was delayed.

    `called` says that it has its slots and that a worker was called: only then it may be taken. `waits` says
    that it needs no worker now: its children or its shards go on; a `gang` of children runs in its slots.
    `turn` counts how often it began to need slots anew: those of a turn that is over are nobody's.
    `fruitless` counts the attempts since it came further. `duties` are what is left to do for a job that has
    ended, each of which may be done twice. `wakes` counts the wake-ups that keep it going, and `waker` is the
    token of the last, so that what is delivered twice makes no second chain of them. `parts_usd` is what its
    children had cost when all of them had last ended.
    """

    id: str
    kind: Kind
    by: str
    digest: str
    spec: dict[str, Any]
    created_at: datetime
    changed_at: datetime
    model: str | None = None
    compute: Literal["lambda", "batch"] = "lambda"
    state: State = "queued"
    generation: int = 0
    worker: str | None = None
    beat: int = 0
    wakes: int = 0
    waker: str = ""
    attempts: int = 0
    fruitless: int = 0
    called: bool = False
    turn: int = 0
    waits: bool = False
    gang: bool = False
    progress: Progress = Progress()
    started_at: datetime | None = None
    ended_at: datetime | None = None
    billed_ms: float = 0.0
    cost_usd: float = 0.0
    log: tuple[str, ...] = ()
    checkpoint: str | None = None
    shards: Shards | None = None
    children: int = 0
    parent: str | None = None
    parts_usd: float = 0.0
    results: dict[str, str] = {}
    summary: dict[str, Any] = {}
    failure: Failure | None = None
    duties: tuple[str, ...] = ()
    duty_tries: int = 0
    webhook: str | None = None
    max_attempts: Annotated[int, msgspec.Meta(ge=1)] = 5

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to do for it."""
        return self.ended and not self.duties

    @property
    def needs_slot(self) -> bool:
        """Whether it counts as under way; children need slots of their own, shards and a gang do not."""
        return not self.ended and (not self.waits or self.shards is not None or self.gang)

    @property
    def listed(self) -> bool:
        """Whether it stands in the list of jobs; parts of a job do not."""
        return self.parent is None

    @property
    def child_ids(self) -> tuple[str, ...]:
        return tuple(child_id(self.id, number) for number in range(self.children))


def child_id(parent: str, number: int) -> str:
    """Name a part of a job: whoever makes it twice makes the same."""
    return f"{parent}-{number}"


def with_log(job: Job, lines: tuple[str, ...]) -> tuple[str, ...]:
    """Add lines to a job's log, and let go of the oldest."""
    return (*job.log, *(line[:LOG_LINE_LENGTH] for line in lines))[-LOG_LINES:]


encode_job = msgspec.json.Encoder().encode
decode_job = msgspec.json.Decoder(Job).decode
