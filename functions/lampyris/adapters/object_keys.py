"""Which keys every store takes: those that mean the same in a bucket and as a path below a folder."""

from lampyris.errors import InvalidName

_LIMIT_BYTES = 1024  # S3's, in UTF-8
_NO_PARTS = frozenset(("", ".", ".."))
# What a folder keeps for itself; in a bucket, what came along when one was copied there.
OWN = ".lampyris"


def is_key(key: str) -> bool:
    """Say whether a key is one that every store takes.

    A regular expression would say it as well, and take 2 ms of a cold start to compile.
    """
    parts = key.split("/")
    if parts[0] == OWN or not _NO_PARTS.isdisjoint(parts):
        return False
    if not key.isprintable() and any(letter < " " or letter == "\x7f" for letter in key):
        return False
    try:
        return len(key.encode()) <= _LIMIT_BYTES
    except UnicodeEncodeError:  # half of a surrogate pair
        return False


def check_key(key: str) -> None:
    """Accept a key. Raises: InvalidName."""
    if not is_key(key):
        raise InvalidName(
            kind="an object",
            name=key,
            rule=f"a key has at most {_LIMIT_BYTES:,} bytes, and parts with a slash between each two, none "
            f"of which is empty, '.' or '..', or holds a control character; the first is not {OWN!r}",
        )


def check_prefix(prefix: str) -> None:
    """Accept what listed keys begin with: nothing, or a key and a slash. Raises: InvalidName."""
    if prefix:
        check_key(prefix.removesuffix("/"))
