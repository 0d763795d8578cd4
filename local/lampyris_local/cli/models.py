"""`lampyris models`: what the registry holds."""

import msgspec
from rich.table import Table
from rich.text import Text

from lampyris.control.aliases import AliasState
from lampyris.control.models import ModelSummary, OneModel
from lampyris.control.pages import Page, PageArguments
from lampyris.control.rejected import ListRejected
from lampyris.control.versions import DeletedVersion, LivingVersion, VersionsOf
from lampyris.domain.manifest import Rejection
from lampyris.errors import ModelNotFound
from lampyris_local.cli.aliases import aliases_table
from lampyris_local.cli.output import answers, new_table, page_hint, print_json, program, remarks
from lampyris_local.cli.session import Session
from lampyris_local.cli.uploads import rejections_table
from lampyris_local.cli.versions import figures, versions_table


class _Model(msgspec.Struct, frozen=True, kw_only=True):
    """All about a model, the newest first."""

    model: str
    versions: tuple[LivingVersion | DeletedVersion, ...]
    aliases: tuple[AliasState, ...]
    rejected: tuple[Rejection, ...]


def list_all(session: Session, *, limit: int, after: str | None) -> None:
    """Show every model, with the version that is live."""
    session.answer("models list", PageArguments(limit=limit, after=after), _show_list)


def _show_list(page: Page[ModelSummary]) -> None:
    if not page.items:
        remarks().print(f"There is no model yet; to make one: {program()} publish BUNDLE")
        return
    numbers = ("live", "size", "accuracy", "p99")
    table = new_table("model", "live", "size", "accuracy", "p99", "created", numbers=numbers)
    for summary in page.items:
        live = summary.live
        cells = ["-"] * len(numbers) + ["-"] if live is None else [str(live.version), *figures(live)]
        table.add_row(Text(summary.model, "name"), *cells)
    answers().print(table)
    page_hint(page.next)


def show_one(session: Session, model: str, *, limit: int) -> None:
    """Show a model's versions, aliases and refused uploads.

    Raises: ModelNotFound if it has none of them; InvalidName.
    """
    rejected: Page[Rejection] = session.ask("rejected list", ListRejected(model=model, limit=limit))
    newest_first = tuple(sorted(rejected.items, key=lambda one: one.rejected_at, reverse=True))
    found = _Model(model=model, versions=(), aliases=(), rejected=newest_first)
    try:
        versions = session.ask("versions list", VersionsOf(model=model, limit=limit))
        aliases = session.ask("models show", OneModel(model=model)).aliases
        found = msgspec.structs.replace(found, versions=versions.items, aliases=aliases)
    except ModelNotFound:
        if not rejected.items:
            raise
    if session.as_json:
        print_json(found)
        return
    tables = _tables(found)
    for number, table in enumerate(tables):
        if number:
            answers().print()
        answers().print(table)


def _tables(found: _Model) -> list[Table]:
    pointing: dict[int, list[str]] = {}
    for state in found.aliases:
        for route in state.routes:
            pointing.setdefault(route.version, []).append(state.alias)
    return [
        table
        for table, rows in (
            (versions_table(found.versions, pointing), found.versions),
            (aliases_table(found.aliases), found.aliases),
            (rejections_table(found.rejected), found.rejected),
        )
        if rows
    ]
