"""What CloudWatch prints about an invocation: START, the function's own lines, END and REPORT."""

import math
from dataclasses import dataclass
from typing import Literal

LineKind = Literal["START", "LOG", "END", "REPORT", "FAULT", "QUEUE"]


@dataclass(frozen=True, kw_only=True)
class LogLine:
    """One line of an execution environment's log. A line written during INIT belongs to no request.

    FAULT tells what was injected, QUEUE what waits in vain; of a message, `function` is the queue.
    """

    time_s: float
    function: str
    stream: str
    request_id: str | None
    kind: LineKind
    text: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """What an invocation spent.

    `init_duration_ms` is there for a cold start only, `status` and `error_type` for a lost environment.
    """

    request_id: str
    duration_ms: float
    init_duration_ms: float | None
    memory_mb: int
    max_memory_mb: int
    status: Literal["timeout", "error"] | None
    error_type: str | None = None

    @property
    def billed_ms(self) -> int:
        """INIT is billed like the rest."""
        return math.ceil(self.duration_ms + (self.init_duration_ms or 0.0))

    def line(self) -> str:
        fields = [
            f"REPORT RequestId: {self.request_id}",
            f"Duration: {self.duration_ms:.2f} ms",
            f"Billed Duration: {self.billed_ms} ms",
            f"Memory Size: {self.memory_mb} MB",
            f"Max Memory Used: {self.max_memory_mb} MB",
        ]
        if self.init_duration_ms is not None:
            fields.append(f"Init Duration: {self.init_duration_ms:.2f} ms")
        if self.status is not None:
            fields.append(f"Status: {self.status}")
        if self.status == "error":
            fields.append(f"Error Type: {self.error_type}")
        return "\t".join(fields)
