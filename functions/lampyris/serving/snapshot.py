"""SnapStart: Lambda keeps what INIT made as a snapshot, and starts many environments from it, days later.

Sessions are worth keeping. Connections are dead by then, credentials have run out, and aliases have moved.
Nothing draws random numbers from a state that the snapshot would copy: `bootstrap` asks the system for each.

Source: https://docs.aws.amazon.com/lambda/latest/dg/snapstart-runtime-hooks-python.html
"""

from typing import Protocol

from lampyris.serving.preload import Preload
from lampyris.serving.resolver import Resolver


class Connection(Protocol):
    """A client that holds connections and credentials."""

    def reconnect(self) -> None:
        """Forget them; the next call makes new ones."""
        ...


def register_hooks(store: Connection, resolver: Resolver, preload: Preload) -> None:
    """Have Lambda's runtime call what must happen around a snapshot.

    A model that fails to load after one is no failure of the environment: the first request for it meets it.
    """
    import snapshot_restore_py  # noqa: PLC0415 - a part of Lambda's runtime, and of no other place

    def after_restore() -> None:
        resolver.expire()
        preload.start()
        preload.wait()

    snapshot_restore_py.register_before_snapshot(store.reconnect)
    snapshot_restore_py.register_after_restore(after_restore)
