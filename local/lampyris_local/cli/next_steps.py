"""What to type after an error that another command explains."""

from lampyris import errors
from lampyris_local.cli.output import hint, program
from lampyris_local.client import Refused

_NEXT: dict[type[errors.LampyrisError], tuple[str, str]] = {
    errors.ModelNotFound: ("To see which there are", "models"),
    errors.VersionNotFound: ("To see which there are", "versions list {model}"),
    errors.VersionDeleted: ("To see what happened", "audit --model {model}"),
    errors.VersionInUse: ("To see where", "aliases list {model}"),
    errors.VersionClosing: ("To delete it", "versions delete {model} {version}"),
    errors.AliasNotFound: ("To see which there are", "aliases list {model}"),
    errors.AliasChanged: ("To see where it is now", "aliases show {model} --alias {alias}"),
    errors.DocumentDamaged: ("To see all that is wrong", "audit --verify"),
    errors.NothingToPromote: ("To see where it points", "aliases show {model} --alias {alias}"),
    errors.NothingToRollBack: ("To see what it was", "aliases history {model} --alias {alias}"),
}

# The same of what the API says, which names no model or version of its own.
_NEXT_AT_THE_API = {
    "model-not-found": ("To see which there are", "models"),
    "input-not-found": ("To send a file or a folder, and be told its key", "data put PATH"),
    "job-not-ended": ("To see which have ended", "jobs list"),
}


def hint_after(error: errors.LampyrisError) -> None:
    """Say what to type next, if there is anything that helps."""
    if isinstance(error, Refused) and error.problem in _NEXT_AT_THE_API:
        what, command = _NEXT_AT_THE_API[error.problem]
        hint(what, f"{program()} {command}")
    elif type(error) in _NEXT:
        what, command = _NEXT[type(error)]
        hint(what, f"{program()} {command.format_map(vars(error))}")
