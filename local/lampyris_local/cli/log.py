"""The live log of the local cloud: what the functions say, and what each invocation spent."""

from datetime import UTC, datetime
from queue import SimpleQueue
from typing import Any, NoReturn

import msgspec
from rich.console import Console
from rich.text import Text

from lampyris_local.cloud.reports import LogLine


class _Record(msgspec.Struct, frozen=True):
    """What is for people in a function's own line: a log record, an answered request, a judged upload.

    `copy` is of a request, for a shadow. The metrics are there if they were counted.
    """

    level: str = ""
    message: str = ""
    route: str = ""
    status: int = 0
    code: str | None = None
    model: str = ""
    upload: str = ""
    copy: str = ""
    version: int | str = 0
    held: Any = msgspec.field(name="Held", default=None)
    differences: Any = msgspec.field(name="ShadowDifferences", default=None)


def follow(lines: SimpleQueue[LogLine], console: Console) -> NoReturn:
    """Print lines as they come, until the command is stopped."""
    while True:
        text = log_text(lines.get())
        if text is not None:
            console.print(text, soft_wrap=True)


def log_text(line: LogLine) -> Text | None:
    """Write a line for people; None for what another line says anyway."""
    match line.kind:
        case "REPORT":
            body = _report(line.text)
        case "LOG":
            body = _own_words(line.text)
        case "QUEUE":
            body = Text(line.text, "bad")
        case "FAULT":
            body = Text(f"FAULT   {line.text}", "bad")
        case _:
            return None
    at = datetime.fromtimestamp(line.time_s, UTC).astimezone()
    return Text.assemble((f"{at:%H:%M:%S}  ", "quiet"), (f"{line.function:<16} ", "name"), body)


def _report(text: str) -> Text:
    """Write CloudWatch's REPORT with its parts in columns."""
    parts = dict(part.split(": ", 1) for part in text.split("\t"))
    cold = f"  Init Duration: {parts['Init Duration']:>10}" if "Init Duration" in parts else ""
    failure = "".join(f"  {name}: {parts[name]}" for name in ("Status", "Error Type") if name in parts)
    return Text.assemble(
        f"REPORT  Duration: {parts['Duration']:>11}  Max Memory Used: {parts['Max Memory Used']:>7}",
        (cold, "yellow"),
        (failure, "bad"),
    )


def _own_words(text: str) -> Text:
    try:
        record = msgspec.json.decode(text, type=_Record)
    except msgspec.DecodeError:
        return Text(text, "quiet")
    if record.route:
        style = "good" if record.status < 400 else "bad"  # noqa: PLR2004 - HTTP: errors begin here
        return Text.assemble((f"{record.route}  {record.status}", style), (f"  {record.code or ''}", "quiet"))
    if record.upload:
        return Text.assemble(f"{record.model}, upload {record.upload}: ", _verdict(record))
    if record.copy:
        return Text.assemble(f"{record.model}, shadow version {record.version}: ", _shadows_answer(record))
    return Text.assemble((f"{record.level}  ".lstrip(), "quiet"), record.message)


def _verdict(record: _Record) -> tuple[str, str]:
    if not record.version:
        return record.code or "refused", "bad"
    return (
        (f"version {record.version}, held", "name") if record.held else (f"version {record.version}", "good")
    )


def _shadows_answer(record: _Record) -> tuple[str, str]:
    if record.code is not None:
        return record.code, "bad"
    return ("another answer", "name") if record.differences else ("the same answer", "good")
