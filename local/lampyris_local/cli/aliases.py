"""Shares as they are typed, and aliases as they are shown: where they point, what became of a move."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from lampyris.control.aliases import AliasState, Share
from lampyris.control.pages import Page
from lampyris.domain.names import LIVE
from lampyris.errors import LampyrisError
from lampyris.registry.shadows import ShadowSummary
from lampyris_local.cli.output import (
    answers,
    date,
    figure,
    hint,
    new_table,
    page_hint,
    percent,
    program,
    remarks,
)

_SHARE = re.compile(r"([1-9][0-9]{0,8})=([0-9]{1,3})%?")


# What somebody did who may want to take it back.
_UNDONE = ("set", "split", "promote", "publish")


@dataclass(eq=False, kw_only=True)
class InvalidShare(LampyrisError):
    code = "invalid-share"
    share: str

    def __str__(self) -> str:
        return f"{self.share!r} is no share of the requests; write VERSION=PERCENT, as in 3=90."


def read_share(text: str) -> Share:
    """Read VERSION=PERCENT. Raises: InvalidShare."""
    found = _SHARE.fullmatch(text)
    if found is None:
        raise InvalidShare(share=text)
    return Share(version=int(found[1]), weight=int(found[2]))


def show_list(page: Page[AliasState]) -> None:
    if page.items:
        answers().print(aliases_table(page.items))
    else:
        remarks().print(f"No alias points anywhere; to make one: {program()} aliases set MODEL VERSION")
    page_hint(page.next)


def aliases_table(states: Sequence[AliasState]) -> Table:
    """List where aliases point."""
    table = new_table("alias", "versions", "revision", "changed", "by", "why", numbers=("revision",))
    for state in states:
        table.add_row(
            Text(state.alias, "name"),
            targets(state),
            str(state.revision),
            date(state.changed_at),
            Text(state.changed_by, "quiet"),
            state.reason or state.action,
        )
    return table


def show_one(state: AliasState) -> None:
    table = new_table("alias", state.alias)
    for name, value in (
        ("model", state.model),
        ("versions", targets(state)),
        ("revision", str(state.revision)),
        ("changed", f"{date(state.changed_at)} ({state.action})"),
        ("by", state.changed_by),
        ("why", state.reason or "-"),
    ):
        table.add_row(name, value)
    answers().print(table)
    _hint_next(state)


def show_moved(state: AliasState) -> None:
    where = (f"{state.model}@{state.alias}", "name")
    answers().print(Text.assemble(where, f" goes to version {targets(state)} (revision {state.revision})."))
    _hint_next(state)


def _hint_next(state: AliasState) -> None:
    """Say what may come next. (A rollback ends a shadow too, but goes further back than that.)"""
    where = f"{state.model}{'' if state.alias == LIVE else f' --alias {state.alias}'}"
    if len(state.routes) > 1:
        hint("To give the canary all requests", f"{program()} aliases promote {where}")
    if state.action == "shadow" and state.shadow is not None:
        hint("To end it", f"{program()} aliases shadow {where} --off")
    if state.action in _UNDONE and state.before is not None:
        hint("To go back", f"{program()} aliases rollback {where}")


def show_history(page: Page[AliasState], *, is_newest: bool) -> None:
    """Show revisions; the `is_newest` page begins with the present one, and with what a rollback restores."""
    table = new_table("revision", "", "versions", "action", "at", "by", "why", numbers=("revision",))
    marks: dict[int | None, Text] = {}
    if is_newest:
        now = page.items[0]
        marks = {now.before: Text("rollback", "name"), now.revision: Text("now", "good")}
    for state in page.items:
        table.add_row(
            str(state.revision),
            marks.get(state.revision, ""),
            targets(state),
            state.action,
            date(state.changed_at),
            Text(state.changed_by, "quiet"),
            state.reason,
        )
    answers().print(table)
    page_hint(page.next)


def targets(state: AliasState) -> str:
    """Write where requests go: 3; or 3 (90 %), 4 (10 %); and copies: shadow 5 (20 %)."""
    routes = [str(route.version) for route in state.routes[:1]]
    if len(state.routes) > 1:
        routes = [_share(route) for route in state.routes]
    return ", ".join([*routes, *([] if state.shadow is None else [f"shadow {_share(state.shadow)}"])])


def _share(share: Share) -> str:
    return f"{share.version} ({share.weight} %)"


def show_differences(summary: ShadowSummary) -> None:
    if summary.version is None:
        remarks().print(
            f"Alias {summary.alias!r} of model {summary.model!r} never had a shadow that was asked."
        )
        return
    table = new_table(f"shadow: version {summary.version}", "", numbers=("",))
    failed = sum(summary.failed.values())
    codes = ", ".join(f"{code}: {count}" for code, count in summary.failed.items())
    for name, value in (
        ("copies", str(summary.requests)),
        ("answered otherwise", str(summary.differing)),
        ("not answered", f"{failed} ({codes})" if failed else "0"),
        ("same class", percent(summary.class_agreement)),
        ("biggest difference", figure("difference", summary.biggest_difference)),
        ("p50, shadow", figure("p50_ms", summary.shadow_p50_ms)),
        ("p50, answering", figure("p50_ms", summary.answered_p50_ms)),
        ("p99, shadow", figure("p99_ms", summary.shadow_p99_ms)),
        ("p99, answering", figure("p99_ms", summary.answered_p99_ms)),
    ):
        table.add_row(name, value)
    answers().print(table)
    page_hint(summary.next)
