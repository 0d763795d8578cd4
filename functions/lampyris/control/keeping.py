"""Verbs about the registry as a whole: what is cleared away, kept elsewhere, brought back, or lost for good.

Each may take long: over HTTP it stops in time and says `done: false`, and goes on when it is asked again.
"""

from datetime import timedelta
from typing import Annotated

import msgspec

from lampyris.control.call import Caller, Registry
from lampyris.control.fields import ModelName
from lampyris.errors import MalformedRequest
from lampyris.registry.collection import GRACE, Collected, collect
from lampyris.registry.erasure import Erased, erase


class Collect(msgspec.Struct, frozen=True, kw_only=True):
    grace_s: Annotated[
        float,
        msgspec.Meta(ge=0, le=10**9, description="Spare what was written within so many seconds."),
    ] = GRACE.total_seconds()


class BackUp(msgspec.Struct, frozen=True, kw_only=True):
    model: Annotated[str | None, msgspec.Meta(description="Only this model; null for all.")] = None


class Restore(msgspec.Struct, frozen=True, kw_only=True):
    model: Annotated[str | None, msgspec.Meta(description="Only this model; null for all.")] = None


class Erase(msgspec.Struct, frozen=True, kw_only=True):
    model: ModelName
    confirm: Annotated[str, msgspec.Meta(description="The model's name once more.")]


def collect_all(registry: Registry, arguments: Collect, caller: Caller) -> Collected:
    """Raises: what `collect` raises."""
    return collect(
        registry.store,
        grace=timedelta(seconds=arguments.grace_s),
        author=caller.author,
        now=registry.now(),
        may_go_on=registry.may_go_on,
        progress=registry.progress,
    )


def erase_one(registry: Registry, arguments: Erase, caller: Caller) -> Erased:
    """Raises: MalformedRequest unless the caller says the name twice; what `erase` raises."""
    if arguments.confirm != arguments.model:
        raise MalformedRequest(
            reason=f"Nothing of a model can be brought back: confirm is {arguments.confirm[:80]!r}; it must "
            "be the name of the model."
        )
    return erase(
        registry.store,
        arguments.model,
        author=caller.author,
        now=registry.now(),
        may_go_on=registry.may_go_on,
        progress=registry.progress,
    )
