"""Which keys every store takes: those that mean the same in a bucket and as a path below a folder."""

import re

from lampyris.errors import InvalidName

_SEGMENT = r"(?!\.{1,2}(?:/|$))[^/\x00-\x1f\x7f\ud800-\udfff]+"
_KEY = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*")
_LIMIT_BYTES = 1024  # S3's, in UTF-8
_LONGEST_CHARACTER_BYTES = 4


def is_key(key: str) -> bool:
    """Say whether a key is one that every store takes."""
    if not _KEY.fullmatch(key):
        return False
    return len(key) * _LONGEST_CHARACTER_BYTES <= _LIMIT_BYTES or len(key.encode()) <= _LIMIT_BYTES


def check_key(key: str) -> None:
    """Accept a key. Raises: InvalidName."""
    if not is_key(key):
        raise InvalidName(
            kind="an object",
            name=key,
            rule=f"a key has at most {_LIMIT_BYTES:,} bytes, and parts with a slash between each two, none "
            "of which is empty, '.' or '..', or holds a control character",
        )


def check_prefix(prefix: str) -> None:
    """Accept what listed keys begin with: nothing, or a key and a slash. Raises: InvalidName."""
    if prefix:
        check_key(prefix.removesuffix("/"))
