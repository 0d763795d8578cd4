"""Files that are replaced whole."""

import os
from contextlib import suppress
from pathlib import Path

from lampyris_build.errors import WriteFailed


def write_atomically(path: Path, data: bytes) -> None:
    """Put `data` at `path` in one step: a kill at any moment leaves what stood there before, or this.

    Raises: WriteFailed; what stood there before is intact then.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise WriteFailed(path=path, reason=error.strerror or str(error)) from error
