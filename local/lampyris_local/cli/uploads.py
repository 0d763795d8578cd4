"""How uploads look: where to put one, and what became of it."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from lampyris.control.pages import Page
from lampyris.control.uploads import OpenedUpload, UploadState
from lampyris.domain.manifest import Rejection
from lampyris_local.cli.output import answers, date, hint, new_table, page_hint, program, remarks

_STYLES = {"published": "good", "held": "name", "rejected": "bad"}


def show_opened(opened: OpenedUpload) -> None:
    console = answers()
    console.print(
        Text.assemble(
            "Upload ", (opened.upload, "name"), f" is open until {date(opened.expires_at)}. In this order:"
        )
    )
    for place in opened.places:
        console.print(f"\n{place.name}{' (if it is signed)' if place.optional else ''}")
        console.print(Text(f"  curl -T {place.name} '{place.url}'", "name"), soft_wrap=True)
    hint("To see what becomes of it", f"{program()} uploads show {opened.model} {opened.upload}")


def show_state(state: UploadState) -> None:
    version = "" if state.version is None else f" as version {state.version}"
    code = "" if state.code is None else f" [{state.code}]"
    said = "" if state.detail is None else f": {state.detail}"
    answers().print(
        Text.assemble(
            (state.model, "name"),
            f" upload {state.upload} is ",
            (state.status, _STYLES.get(state.status, "")),
            version,
            said,
            (code, "quiet"),
        )
    )


def show_rejections(page: Page[Rejection]) -> None:
    if not page.items:
        remarks().print("No upload was refused.")
        return
    answers().print(rejections_table(page.items))
    page_hint(page.next)


def rejections_table(rejections: Sequence[Rejection]) -> Table:
    """List uploads that were refused: sentences, as they would not fit into columns."""
    table = new_table("refused")
    for rejection in rejections:
        table.add_row(_told(rejection))
    return table


def show_rejection(rejection: Rejection) -> None:
    answers().print(_told(rejection))


def _told(rejection: Rejection) -> Text:
    return Text.assemble(
        (rejection.model, "name"),
        f" upload {rejection.upload}, {date(rejection.rejected_at)}: {rejection.detail}",
        (f" [{rejection.code}]", "bad"),
    )
