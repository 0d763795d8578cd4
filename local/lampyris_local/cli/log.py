"""The live log of the local cloud: what the functions say, and what each invocation spent."""

from datetime import UTC, datetime
from queue import SimpleQueue
from typing import NoReturn

import msgspec
from rich.console import Console
from rich.text import Text

from lampyris_local.cloud.reports import LogLine


class _Record(msgspec.Struct, frozen=True):
    """What is for people in a function's own line: a log record, an answered request, a judged upload."""

    level: str = ""
    message: str = ""
    route: str = ""
    status: int = 0
    code: str = ""
    model: str = ""
    upload: str = ""
    version: int | str = 0


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
        return Text.assemble((f"{record.route}  {record.status}", style), (f"  {record.code}", "quiet"))
    if record.upload:
        outcome = (f"version {record.version}", "good") if record.version else (record.code, "bad")
        return Text.assemble(f"{record.model}, upload {record.upload}: ", outcome)
    return Text.assemble((f"{record.level}  ".lstrip(), "quiet"), record.message)
