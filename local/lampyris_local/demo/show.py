"""The demo's end: what was found, in tables, and pictures beside what the model saw in them."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lampyris_local.cli.build import metrics_table
from lampyris_local.cli.output import milliseconds, new_table, percent
from lampyris_local.demo.facts import Facts, Seen
from lampyris_local.demo.measure import ColdStart
from lampyris_local.demo.pictures import CELLS_WIDE, draw

_GAP = 3
_MOST_PICTURES = 6
_PARTS = {
    "init": "INIT: start Python, import onnxruntime",
    "fetch": "fetch the model from S3, verify it",
    "session": "make the session",
    "run": "run",
    "rest": "the rest: HTTP, the alias, the picture",
}


def show(facts: Facts, console: Console) -> None:
    console.print()
    console.print(metrics_table(facts.built))
    console.print()
    console.print(_cold_table(facts.cold))
    console.print()
    console.print(_warm_table(facts))
    console.print()
    console.print(_pictures(facts, console))
    console.print()


def _cold_table(cold: ColdStart) -> Table:
    table = new_table("cold start", "ms", numbers=("ms",))
    for part, meaning in _PARTS.items():
        table.add_row(meaning, milliseconds(cold.parts_ms[part]))
    table.add_row(Text("first answer", "bold"), Text(milliseconds(cold.elapsed_ms), "bold"))
    return table


def _warm_table(facts: Facts) -> Table:
    table = new_table("warm", "p50 ms", "p99 ms", numbers=("p50 ms", "p99 ms"))
    for what, latency in (("over HTTP", facts.warm), ("inside the function", facts.handler)):
        table.add_row(what, milliseconds(latency.p50_ms), milliseconds(latency.p99_ms))
    return table


def _pictures(facts: Facts, console: Console) -> Table:
    """Draw as many as fit beside each other; the last is a mistake, if there was one: it is worth a look."""
    fitting = max(1, min(_MOST_PICTURES, (console.width + _GAP) // (CELLS_WIDE + _GAP)))
    mistakes = [each for each in facts.seen if not each.correct][:1]
    chosen = [each for each in facts.seen if each.correct][: fitting - len(mistakes)] + mistakes
    table = Table.grid(padding=(0, _GAP, 0, 0))
    table.add_row(*(draw(each.sample.pixels, colours=console.is_terminal) for each in chosen))
    table.add_row(*(_caption(each) for each in chosen))
    return table


def _caption(each: Seen) -> Text:
    verdict = ("✓", "good") if each.correct else (f"✗ it is {each.sample.label}", "bad")
    return Text.assemble((each.label, "bold"), f"  {percent(each.probability)}  ", verdict)
