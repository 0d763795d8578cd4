"""How versions look: in a list, alone, and side by side."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from rich.table import Table
from rich.text import Text

from lampyris.control.comparison import Comparison, Value
from lampyris.control.pages import Page
from lampyris.control.papers import CardTexts
from lampyris.control.versions import DeletedVersion, LivingVersion
from lampyris.domain.manifest import Manifest
from lampyris.domain.signature import TensorSpec
from lampyris_local.cli.gates import gates_table
from lampyris_local.cli.output import (
    answers,
    count,
    date,
    figure,
    hint,
    new_table,
    page_hint,
    percent,
    program,
    remarks,
    size,
    write_file,
)
from lampyris_local.summary import size_bytes


def show_list(page: Page[LivingVersion | DeletedVersion]) -> None:
    answers().print(versions_table(page.items))
    page_hint(page.next)


def versions_table(
    versions: Sequence[LivingVersion | DeletedVersion], aliases: Mapping[int, Sequence[str]] | None = None
) -> Table:
    """List versions; `aliases` are those that point at each, if they are known."""
    named = () if aliases is None else ("aliases",)
    numbers = ("version", "size", "accuracy", "p99")
    columns = ("version", *named, "size", "accuracy", "p99", "created", "state")
    table = new_table(*columns, numbers=numbers)
    for version in versions:
        pointing = () if aliases is None else (Text(", ".join(aliases.get(version.version, ())), "good"),)
        if isinstance(version, DeletedVersion):
            cells = ("-", "-", "-", date(version.deleted_at), Text("deleted", "quiet"))
        else:
            cells = (*figures(version), _state(version))
        table.add_row(str(version.version), *pointing, *cells)
    return table


def _state(version: LivingVersion) -> Text:
    if version.closing:
        return Text("half deleted", "bad")
    failed = sum(not gate.passed for gate in version.gates)
    return Text(f"fails {count(failed, 'gate')}", "bad") if failed else Text("whole")


def figures(version: LivingVersion) -> tuple[str, str, str, str]:
    """Write size, accuracy, p99 latency and date: as measured when it was published, or as its build told."""
    told = version.metrics.get("int8") or version.metrics.get("fp32") or {}
    return (
        size(version.size_bytes),
        percent(version.measured.get("accuracy", told.get("accuracy"))),
        figure("latency_p99_ms", version.measured.get("latency_p99_ms")),
        date(version.created_at),
    )


def show_one(manifest: Manifest) -> None:
    evidence = manifest.evidence
    table = new_table(f"{manifest.model} version {manifest.version}", "")
    for name, value in (
        ("created", date(manifest.created_at)),
        ("by", manifest.published.by),
        ("why", manifest.published.reason or "-"),
        ("upload", manifest.upload),
        ("source", manifest.source),
        ("signed by", evidence.signed_by or "nobody"),
        ("licences", ", ".join(manifest.licences) or "-"),
        ("artifact", f"{size(size_bytes(manifest))}, for onnxruntime {manifest.artifact.onnxruntime}"),
        *_signature(manifest),
    ):
        table.add_row(name, value)
    answers().print(table)
    if evidence.measured:
        answers().print()
        answers().print(_measured_table(evidence.measured))
    if evidence.gates:
        answers().print()
        answers().print(gates_table(evidence.gates))
    hint("All of it", f"{program()} versions card {manifest.model} {manifest.version}")


def _signature(manifest: Manifest) -> Iterator[tuple[str, str]]:
    def write(specs: tuple[TensorSpec, ...]) -> str:
        return ", ".join(f"{spec.name} {spec.datatype} {list(spec.shape)}" for spec in specs)

    yield "takes", write(manifest.signature.inputs)
    yield "gives", write(manifest.signature.outputs)
    if manifest.signature.labels is not None:
        yield "labels", ", ".join(manifest.signature.labels)


def _measured_table(measured: dict[str, float]) -> Table:
    table = new_table("measured", "value", numbers=("value",))
    for name, value in measured.items():
        table.add_row(name, figure(name, value))
    return table


def show_comparison(comparison: Comparison, *, everything: bool) -> None:
    columns = [f"version {version}" for version in comparison.versions]
    table = new_table("", "", *columns)
    rows = [row for row in comparison.rows if row.differs or everything]
    group = ""
    for row in rows:
        style = "" if row.differs else "quiet"
        table.add_row(
            Text("" if row.group == group else row.group, "name"),
            row.name,
            *(_value(row.name, value) for value in row.values),
            style=style,
        )
        group = row.group
    if rows:
        answers().print(table)
    alike = len(comparison.rows) - len(rows)
    if alike:
        remarks().print(f"{alike} facts are the same in all; --all shows them.", style="quiet")


def _value(name: str, value: Value) -> str:
    if not isinstance(value, str):
        return figure(name, value)
    return date(datetime.fromisoformat(value)) if name.endswith("_at") else value


def show_deleted(version: DeletedVersion) -> None:
    answers().print(
        Text.assemble(
            (version.model, "name"),
            f" version {version.version} is deleted; no other version gets its number.",
        )
    )
    hint("To remove its bytes as well", f"{program()} gc")


def show_card(card: CardTexts) -> None:
    sys.stdout.write(card.markdown)


def write_card(card: CardTexts, file: Path) -> None:
    """Write a model card as a web page. Raises: UnwritableFile."""
    write_file(file, card.html.encode())
    remarks().print(f"Wrote {file}.")
