"""What one request came to, as far as it got: for its line in the log, and for its trace."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lampyris.domain.manifest import Alias, Manifest

if TYPE_CHECKING:  # numpy is behind it
    from lampyris.domain.tensors import Array


class Trace:
    """Filled in while a request is answered. `resolved_s` are two readings of the clock: before and after.

    `manifest` is the version that answers; `alias` that by which it was chosen. Where the stable version
    answers instead of a canary that cannot be loaded, that is `canary`, and `canary_error` why, if it was
    tried for this request. `is_cold` says that a session was made while the version was chosen. `inputs` are
    kept where a shadow gets a copy.
    """

    __slots__ = ("alias", "canary", "canary_error", "inputs", "is_cold", "manifest", "resolved_s")

    def __init__(self) -> None:
        self.manifest: Manifest | None = None
        self.resolved_s = (0.0, 0.0)
        self.alias: Alias | None = None
        self.canary: Manifest | None = None
        self.canary_error: Exception | None = None
        self.is_cold = False
        self.inputs: Mapping[str, Array] | None = None
