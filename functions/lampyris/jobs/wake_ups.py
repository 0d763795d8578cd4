"""Messages: they carry no state, so it never matters how often, when, or in which order they come."""

from typing import Literal, Protocol

import msgspec

# SQS delays no message for longer.
LONGEST_DELAY_S = 900
# How long a job may show no sign of life, and how often its worker shows one: three may be lost.
LEASE_S = 45
BEAT_S = 10.0
# Where a message goes: to who attends to jobs, to who trains, in functions or on machines, to who predicts,
# to where failed jobs wait. The last two are no jobs' queues: each of their messages is one prediction.
QueueName = Literal["attend", "train", "machines", "batch", "dead", "predictions", "ordered"]


class WakeUp(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Look at this job: for a worker, there is something to do; for who attends, time has passed.

    `wake` is the number in the chain that keeps a job going, None outside of it; `token` tells messages of
    the same number apart. `seen` is the job's beat when the message was sent: who gets it a lease later, and
    finds the same beat, knows that nothing happened meanwhile; `still` counts how often that was so before.
    `shard` is a part of a batch.
    """

    job: str
    wake: int | None = None
    token: str = ""
    seen: int | None = None
    still: int = 0
    shard: int | None = None


class Queues(Protocol):
    """Queues that deliver every message at least once, in any order.

    Raises: QueueUnavailable; then the message was sent, or was not.
    """

    def send(
        self, queue: QueueName, message: WakeUp, *, delay_s: int = 0, why: dict[str, str] | None = None
    ) -> None:
        """Send a message, to come after a delay. `why` stands beside it, for people."""
        ...


encode_wake_up = msgspec.json.Encoder().encode
decode_wake_up = msgspec.json.Decoder(WakeUp).decode
