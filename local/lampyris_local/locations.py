"""Where a backup may be: a folder, or another bucket."""

import re
from dataclasses import dataclass
from pathlib import Path

from lampyris.domain.store import Store
from lampyris.errors import LampyrisError
from lampyris_local.deployment import Deployment
from lampyris_local.folder_endpoint import SCHEME, folder_at

_BUCKET = "s3://"
_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


@dataclass(eq=False, kw_only=True)
class NotALocation(LampyrisError):
    code = "not-a-location"
    location: str

    def __str__(self) -> str:
        return f"{self.location!r} is no place for a backup; give a folder, or a whole bucket: s3://NAME."


def open_location(location: str, deployment: Deployment) -> Store:
    """Open a folder, or a bucket where the deployment's own is.

    Raises: NotALocation, NotAFolder; AwsUnavailable.
    """
    if location.startswith(_BUCKET):
        name = location.removeprefix(_BUCKET).rstrip("/")
        if not _BUCKET_NAME.fullmatch(name):
            raise NotALocation(location=location)
        return deployment.open_bucket(name)
    if not location or ("://" in location and not location.startswith(SCHEME)):
        raise NotALocation(location=location)
    # It needs file locks, which not every system has that can talk to buckets.
    from lampyris.adapters.folder_store import FolderStore  # noqa: PLC0415 - see above

    endpoint = location if location.startswith(SCHEME) else Path(location).absolute().as_uri()
    return FolderStore(folder_at(endpoint))
