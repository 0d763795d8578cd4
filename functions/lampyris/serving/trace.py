"""What one request came to, as far as it got: for its line in the log, and for its trace."""

from lampyris.domain.manifest import Manifest


class Trace:
    """Filled in while a request is answered. `resolved_s` are two readings of the clock: before and after."""

    __slots__ = ("manifest", "resolved_s")

    def __init__(self) -> None:
        self.manifest: Manifest | None = None
        self.resolved_s = (0.0, 0.0)
