"""A registry in a plain folder, named as an endpoint: `file:///srv/models`."""

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from lampyris.errors import LampyrisError

SCHEME = "file:"
_ABSOLUTE = "file:///"


@dataclass(eq=False, kw_only=True)
class NotAFolder(LampyrisError):
    """A `file:` address at which neither a registry nor a backup can be."""

    code = "not-a-folder"
    endpoint: str
    reason: str

    def __str__(self) -> str:
        return f"{self.endpoint} is no folder to use: {self.reason}."


def folder_at(endpoint: str) -> Path:
    """Return the folder that a `file:` address names, whether it is there or can be made by the first write.

    Raises: NotAFolder.
    """

    def refuse(reason: str) -> NotAFolder:
        return NotAFolder(endpoint=endpoint, reason=reason)

    if not endpoint.startswith(_ABSOLUTE):
        example = Path("registry").absolute().as_uri()
        raise refuse(f"give the folder's whole path, as in {example}")
    path = Path(unquote(endpoint.removeprefix("file://")))
    if "\0" in str(path):
        raise refuse("no path holds a NUL")
    try:
        if path.is_dir():
            if not os.access(path, os.R_OK | os.X_OK):
                raise refuse("you may not read that folder")
        elif path.exists():
            raise refuse("it is a file; name a folder")
        elif not path.parent.is_dir():
            raise refuse(f"{path.parent} does not exist. Make that folder first")
        elif not os.access(path.parent, os.W_OK | os.X_OK):
            raise refuse(f"it is not there, and you may not make it in {path.parent}")
    except OSError as error:  # a folder above that may not be searched, a name that is too long
        raise refuse(f"{error.strerror}") from None
    return path
