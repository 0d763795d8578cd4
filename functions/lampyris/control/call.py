"""What every verb is given beside its arguments: the registry that it works on, and who asks."""

from collections.abc import Callable
from datetime import datetime

import msgspec

from lampyris.domain.store import Store
from lampyris.errors import MalformedRequest
from lampyris.jobs.dead_letters import DeadLetters
from lampyris.jobs.jobs import Jobs
from lampyris.registry.changes import Author
from lampyris.registry.operations import MayGoOn, Progress, go_on, tell_nobody

# What a caller chooses never meets the keys that publishing makes of its uploads.
_KEYS = "call:"


class Registry(msgspec.Struct, frozen=True, kw_only=True):
    """A registry as verbs see it.

    `may_go_on` tells a long verb whether it has time left: one that has not says `done: false`, and goes on
    when it is asked again. `progress` is told (done, total) where a person waits. `backups` is where `backup`
    writes and `restore` reads; None if there is no such place. `jobs` and `dead_letters` are None where
    nothing runs; `bucket` is the name by which jobs may call the store.
    """

    store: Store
    now: Callable[[], datetime]
    may_go_on: MayGoOn = go_on
    progress: Progress = tell_nobody
    backups: Store | None = None
    jobs: Jobs | None = None
    dead_letters: DeadLetters | None = None
    bucket: str = ""


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks for a change, and why; the same `key` again is the same change, and has the same answer.

    `expected` is the revision of the alias that the caller knows: 0 if it must not be there, None if it may
    be any.
    """

    by: str
    key: str
    reason: str = ""
    expected: int | None = None

    @property
    def author(self) -> Author:
        """The caller in the registry's words. Raises: MalformedRequest if there is no key."""
        if not self.key:
            raise MalformedRequest(reason="The idempotency key is empty; give one, or none at all.")
        return Author(key=_KEYS + self.key, by=self.by, reason=self.reason)
