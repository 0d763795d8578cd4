"""Publishing into a folder: the upload is judged here, by the publish function's own code and limits."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from importlib.util import find_spec

from lampyris.domain.layout import Upload
from lampyris.domain.manifest import Manifest, Rejection
from lampyris.domain.store import Store
from lampyris.errors import LampyrisError
from lampyris.publishing.admission import admit
from lampyris.publishing.confinement import Limits, run_trial
from lampyris_local.caller import user_here
from lampyris_local.uploads import Rejected

# What template.yaml gives the publish function.
_MEMORY_MB = 3008
_NEEDED = "onnx"


class NotInstalled(LampyrisError):
    code = "not-installed"

    def __init__(self, *, package: str) -> None:
        super().__init__(
            f"To publish into a folder takes {package}, which is not here: pip install 'lampyris[publish]'."
        )
        self.package = package


def check_installed() -> None:
    """Raises: NotInstalled if what judges an upload is not there, before anything is written."""
    if find_spec(_NEEDED) is None:
        raise NotInstalled(package=_NEEDED)


@contextmanager
def clearing(store: Store, upload: Upload) -> Iterator[None]:
    """Clear an upload's place in the inbox in the end, whether it was judged or could not even be sent.

    Nothing else would, and what stands there takes the space that may have been lacking.
    """
    try:
        yield
    finally:
        for entry in list(store.list(upload.prefix)):
            store.delete(entry.key)


def judge(store: Store, upload: Upload) -> Manifest:
    """Admit an upload that stands in the inbox.

    Raises: Rejected; TrialFailed, StoreUnavailable.
    """
    limits = Limits.of_function(_MEMORY_MB)
    outcome = admit(
        upload,
        store,
        by=user_here(),
        limit_bytes=limits.upload_bytes,
        trial=partial(run_trial, limits=limits),
        clock=lambda: datetime.now(UTC),
    )
    if isinstance(outcome, Rejection):
        raise Rejected(rejection=outcome)
    return outcome
