"""What became of work on the whole registry: what was removed, copied, brought back."""

from rich.text import Text

from lampyris.registry.collection import Collected
from lampyris.registry.copying import Copied
from lampyris.registry.erasure import Erased
from lampyris_local.cli.output import answers, count, hint, program, remarks, size


def show_collected(collected: Collected) -> None:
    answers().print(
        f"Removed {count(collected.blobs, 'blob')} that nothing names: {size(collected.bytes)} in "
        f"{count(collected.objects, 'object')}."
    )
    if collected.spared:
        remarks().print(
            f"Spared {count(collected.spared, 'blob')}: too young (--grace), or reserved by a publish.",
            style="quiet",
        )


def show_backup(target: str, copied: Copied) -> None:
    answers().print(f"Backed up to {target}: {_copied(copied)}.")
    hint("To bring it back", f"{program()} restore {target}")


def show_restored(source: str, copied: Copied) -> None:
    answers().print(f"Restored from {source}: {_copied(copied)}.")
    hint("To check all of it", f"{program()} audit --verify")


def _copied(copied: Copied) -> str:
    new = f"{count(copied.documents, 'document')} and {count(copied.blobs, 'blob')}, {size(copied.bytes)}"
    return f"{new}; {copied.skipped:,} were there already" if copied.skipped else new


def show_erased(model: str, erased: Erased) -> None:
    answers().print(
        Text.assemble(
            "Erased ",
            (model, "name"),
            f": {count(erased.versions, 'version')}, {size(erased.bytes)} in "
            f"{count(erased.objects, 'object')}. The numbers stay taken.",
        )
    )
    if erased.spared:
        remarks().print(
            f"Spared {count(erased.spared, 'blob')} that a publish has reserved; `lampyris gc` removes them "
            "a day later, if nothing names them then.",
            style="quiet",
        )
