"""The answer to an Invoke, and the reasons for which Lambda gives none."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lampyris_local.cloud.reports import Report

# 6 MiB; the answer may be 100 bytes longer, as on AWS.
REQUEST_LIMIT_BYTES = 6 * 1024 * 1024
RESPONSE_LIMIT_BYTES = REQUEST_LIMIT_BYTES + 100


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """What a synchronous Invoke returned. `function_error` is "Unhandled" where the function failed."""

    body: bytes
    function_error: str | None
    report: Report
    log: Sequence[str]

    @property
    def payload(self) -> Any:
        return json.loads(self.body)

    @property
    def request_id(self) -> str:
        return self.report.request_id

    @property
    def duration_ms(self) -> float:
        return self.report.duration_ms

    @property
    def init_duration_ms(self) -> float | None:
        return self.report.init_duration_ms

    @property
    def billed_ms(self) -> int:
        return self.report.billed_ms

    @property
    def max_memory_mb(self) -> int:
        return self.report.max_memory_mb


class InvokeError(Exception):
    """Lambda did not run the function at all."""


class UnknownFunctionError(InvokeError):
    """ResourceNotFoundException, 404."""

    def __init__(self, function: str, known: Sequence[str]) -> None:
        self.function = function
        super().__init__(f"There is no function {function}; the template has {', '.join(known) or 'none'}.")


class ThrottledError(InvokeError):
    """TooManyRequestsException, 429: every environment that the function may have is busy."""

    def __init__(self, function: str, limit: int) -> None:
        self.function = function
        self.limit = limit
        super().__init__(
            f"{function} was throttled: {limit} requests at once are under way, and that is its limit."
        )


class RequestTooLargeError(InvokeError):
    """RequestEntityTooLargeException, 413."""

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        super().__init__(
            f"{size_bytes} byte payload is too large for the RequestResponse invocation type "
            f"(limit {REQUEST_LIMIT_BYTES} bytes)"
        )
