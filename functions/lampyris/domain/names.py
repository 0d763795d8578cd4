"""The grammar of names: models, aliases, uploads."""

import re

from lampyris.errors import InvalidName

# The alias that a request means when it names none, and that publishing moves.
LIVE = "live"

RULE = "use 1 to 63 lower-case letters, digits, '-' or '_', starting and ending with a letter or digit"
PATTERN = r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?"
_NAME = re.compile(PATTERN)


def check_model_name(name: str) -> str:
    """Return `name` if a model may have it.

    Raises: InvalidName.
    """
    if not _NAME.fullmatch(name):
        raise InvalidName(kind="a model", name=name, rule=RULE)
    return name


def check_alias_name(name: str) -> str:
    """Return `name` if an alias may have it; a number is always a version, never an alias.

    Raises: InvalidName.
    """
    if not _NAME.fullmatch(name) or name.isdigit():
        raise InvalidName(kind="an alias", name=name, rule=f"{RULE}, and not a number")
    return name


def check_upload_id(upload: str) -> str:
    """Return `upload` if it may name an upload in the inbox.

    Raises: InvalidName.
    """
    if not _NAME.fullmatch(upload):
        raise InvalidName(kind="an upload", name=upload, rule=RULE)
    return upload
