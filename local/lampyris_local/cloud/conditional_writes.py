"""What DynamoDB's and S3's conditional writes do and moto's do not: compare and write in one step.

moto 5.2 looks at the condition, and then writes, with nothing between other threads and the two: of four
threads that each counted up from what they had read, some overwrote others and were told that all was well.
"""

from collections.abc import Callable
from functools import wraps
from threading import RLock
from typing import Any

from moto.dynamodb.responses import DynamoHandler
from moto.s3.responses import S3Response

_lock = RLock()


def correct_conditional_writes() -> None:
    """Have moto do one call of DynamoDB, and one writing of an object, after the other from now on."""
    for kind, name in ((DynamoHandler, "call_action"), (S3Response, "put_object")):
        one_by_one = _one_by_one(getattr(kind, name))
        if one_by_one is not None:
            setattr(kind, name, one_by_one)


def _one_by_one(method: Callable[..., Any]) -> Callable[..., Any] | None:
    """Return a method that holds up others while it runs; None if it is one already."""
    if getattr(method, "_is_one_by_one", False):
        return None

    @wraps(method)
    def guarded(*given: Any, **named: Any) -> Any:
        with _lock:
            return method(*given, **named)

    vars(guarded)["_is_one_by_one"] = True
    return guarded
