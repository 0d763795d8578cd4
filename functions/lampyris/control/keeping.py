"""Verbs about the registry as a whole: what is cleared away, kept elsewhere, brought back, or lost for good.

Each may take long: over HTTP it stops in time and says `done: false`, and goes on when it is asked again.
"""

from datetime import timedelta
from typing import Annotated

import msgspec

from lampyris.control.call import Caller, Registry
from lampyris.control.fields import ModelName
from lampyris.domain.store import Store
from lampyris.errors import MalformedRequest, NoBackup
from lampyris.registry.backup import back_up
from lampyris.registry.collection import GRACE, Collected, collect
from lampyris.registry.copying import Copied
from lampyris.registry.erasure import Erased, erase
from lampyris.registry.restoration import restore


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


def back_all_up(registry: Registry, arguments: BackUp, caller: Caller) -> Copied:
    """Raises: NoBackup if there is no place for it; what `back_up` raises."""
    return back_up(
        registry.store,
        _backups(registry),
        model=arguments.model,
        author=caller.author,
        now=registry.now(),
        progress=registry.progress,
        may_go_on=registry.may_go_on,
    )


def restore_all(registry: Registry, arguments: Restore, caller: Caller) -> Copied:
    """Raises: NoBackup if there is no place that may hold one; what `restore` raises."""
    return restore(
        _backups(registry),
        registry.store,
        model=arguments.model,
        author=caller.author,
        now=registry.now(),
        progress=registry.progress,
        may_go_on=registry.may_go_on,
    )


def _backups(registry: Registry) -> Store:
    if registry.backups is None:
        raise NoBackup(
            reason="There is no place for backups here. Deploy with the parameter BackupBucket, or use the "
            "command line, which takes any bucket or folder."
        )
    return registry.backups
