"""What became of work on the whole registry: what was removed, copied, brought back."""

from rich.text import Text

from lampyris.registry.collection import Collected
from lampyris.registry.erasure import Erased
from lampyris_local.cli.output import answers, count, remarks, size


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
