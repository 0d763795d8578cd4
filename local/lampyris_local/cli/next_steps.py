"""What to type after an error that another command explains."""

from lampyris import errors
from lampyris_local.cli.output import hint, program

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


def hint_after(error: errors.LampyrisError) -> None:
    """Say what to type next, if there is anything that helps."""
    if type(error) in _NEXT:
        what, command = _NEXT[type(error)]
        hint(what, f"{program()} {command.format_map(vars(error))}")
