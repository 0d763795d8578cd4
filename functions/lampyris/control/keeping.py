"""Verbs about the registry as a whole: what is cleared away, kept elsewhere, brought back, or lost for good.

Each may take long: over HTTP it stops in time and says `done: false`, and goes on when it is asked again.
"""

from typing import Annotated

import msgspec

from lampyris.control.fields import ModelName

_DAY_S = 86_400


class Collect(msgspec.Struct, frozen=True, kw_only=True):
    grace_s: Annotated[
        float,
        msgspec.Meta(ge=0, le=10**9, description="Spare what was written within so many seconds."),
    ] = _DAY_S


class BackUp(msgspec.Struct, frozen=True, kw_only=True):
    model: Annotated[str | None, msgspec.Meta(description="Only this model; null for all.")] = None


class Restore(msgspec.Struct, frozen=True, kw_only=True):
    model: Annotated[str | None, msgspec.Meta(description="Only this model; null for all.")] = None


class Erase(msgspec.Struct, frozen=True, kw_only=True):
    model: ModelName
    confirm: Annotated[str, msgspec.Meta(description="The model's name once more.")]
