"""What the model was made of, by what, and how long that took."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from lampyris_build.report import told
from lampyris_build.report.markup import NOTHING, Html, beside, element, paragraph, section, table, text
from lampyris_build.report.report import Report


def data(report: Report) -> Html:
    rows = [(name, f"{count:,}") for name, count in report.counts.items()]
    notes = [element("li", text(note)) for note in report.notes]
    return section(
        "Data",
        beside(
            table(("Set", "Samples"), rows, numbers=range(1, 2), caption="How many samples there are"),
            element("ul", *notes) if notes else NOTHING,
        ),
    )


def provenance(report: Report) -> Html:
    content = [
        paragraph(
            f"Built {report.created_at:%Y-%m-%d %H:%M %Z}. On the test set, the exported model differs from "
            f"the framework that made it by {report.parity:.2g} at most."
        )
    ]
    tables = []
    if report.provenance:
        rows = list(_flat("", report.provenance))
        tables.append(table(("Part", ""), rows, caption="What it was made of"))
    if report.elapsed_s:
        stages = [(name, told.seconds(elapsed_s)) for name, elapsed_s in report.elapsed_s.items()]
        tables.append(table(("Stage", "Time"), stages, numbers=range(1, 2), caption="How long it took"))
    content.append(beside(*tables))
    if report.recipe:
        recipe = element("pre", text(report.recipe))
        content.append(element("details", element("summary", text("The recipe, with every default")), recipe))
    return section("Provenance", *content)


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield nested members as rows: a.b.c."""
    if isinstance(value, Mapping):
        for key, member in value.items():
            yield from _flat(f"{name}.{key}" if name else str(key), member)
        return
    yield name, value if isinstance(value, str) else msgspec.json.encode(value).decode()
