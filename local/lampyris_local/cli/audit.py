"""How the audit looks: changes as a table, findings as sentences."""

from typing import Any

from rich.text import Text

from lampyris.control.pages import Page
from lampyris.registry.audit import Entry
from lampyris.registry.findings import Finding
from lampyris.registry.verification import Verified
from lampyris_local.cli.output import answers, date, new_table, page_hint, program, remarks


def show_page(page: Page[Entry]) -> None:
    if not page.items:
        remarks().print("Nothing was changed yet.")
        return
    table = new_table("no.", "at", "model", "what", "action", "by", "why", numbers=("no.",))
    for entry in page.items:
        change = entry.change
        table.add_row(
            str(entry.number),
            date(change.at),
            Text(entry.model or "-", "name"),
            f"{entry.subject or ('registry' if entry.model is None else 'model')}{_where_to(entry.details)}",
            change.action,
            Text(change.by, "quiet"),
            change.reason,
        )
    answers().print(table)
    page_hint(page.next)


def _where_to(details: dict[str, Any]) -> str:
    """Write where an alias was pointed: → 3 (90 %), 4 (10 %), shadow 5."""
    shares = details.get("routes", {})
    if not shares:
        return ""
    routes = [f"{version} ({share} %)" for version, share in shares.items()]
    told = list(shares) if len(shares) == 1 else routes
    shadow = details.get("shadow")
    return " → " + ", ".join([*told, *([] if shadow is None else [f"shadow {shadow}"])])


def show_verified(verified: Verified) -> None:
    for pending in verified.pending:
        remarks().print(_sentence(pending), style="quiet", soft_wrap=True)
    for finding in verified.findings:
        answers().print(Text.assemble(("✗ ", "bad"), _sentence(finding)), soft_wrap=True)
    if verified.findings:
        remarks().print(
            "Something was altered or removed. A backup may still have it: the bucket keeps what was "
            f"overwritten, and {program()} restore brings back what is missing."
        )
        return
    answers().print(
        Text.assemble(("✓ ", "good"), f"{_entries(verified.entries)}, and all that they tell of, are whole.")
    )


def _entries(number: int) -> str:
    return "1 entry" if number == 1 else f"{number:,} entries"


def _sentence(finding: Finding) -> str:
    where = "" if finding.number is None else f" (entry {finding.number})"
    return f"{finding.key}{where} {finding.problem}."
