"""`lampyris predict`: files out, predictions back."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from lampyris.domain.names import check_model_name
from lampyris_local.cli.output import answers, milliseconds, new_table, percent, print_json
from lampyris_local.client import Answer, Client, Refused, read_payload
from lampyris_local.deployment import Deployment

_VALUES_SHOWN = 6


def run(
    deployment: Deployment, model: str, files: Sequence[Path], *, version: int | None, as_json: bool
) -> None:
    check_model_name(model)
    payloads = [(path, read_payload(path)) for path in files]
    found = []
    with Client(deployment) as client:
        for path, payload in payloads:
            try:
                found.append((path, client.predict(model, payload, version=version)))
            except Refused as refused:
                raise replace(refused, detail=f"{path}: {refused.detail}") from None
    if as_json:
        print_json([_document(path, answer) for path, answer in found])
        return
    first = found[0][1].document
    answers().print(_classes_table(found) if "predictions" in first else _tensors_table(found))


def _document(path: Path, answer: Answer) -> dict[str, Any]:
    return {
        "file": str(path),
        "elapsed_ms": round(answer.elapsed_ms, 3),
        "parts_ms": answer.parts_ms,
        **answer.document,
    }


def _classes_table(found: Sequence[tuple[Path, Answer]]) -> Table:
    table = new_table(
        "file", "label", "probability", "version", "ms", numbers=("probability", "version", "ms")
    )
    for path, answer in found:
        for prediction in answer.document["predictions"]:
            table.add_row(
                str(path),
                Text(prediction["label"], "bold"),
                percent(prediction["probability"]),
                str(answer.document["version"]),
                milliseconds(answer.elapsed_ms),
            )
    return table


def _tensors_table(found: Sequence[tuple[Path, Answer]]) -> Table:
    table = new_table("file", "output", "shape", "values", "version", "ms", numbers=("version", "ms"))
    for path, answer in found:
        for output in answer.document["outputs"]:
            table.add_row(
                str(path),
                output["name"],
                str(output["shape"]),
                _values(output["data"]),
                str(answer.document["version"]),
                milliseconds(answer.elapsed_ms),
            )
    return table


def _values(data: Sequence[Any]) -> str:
    shown = ", ".join(
        f"{value:.4g}" if isinstance(value, float) else str(value) for value in data[:_VALUES_SHOWN]
    )
    return f"{shown}, …" if len(data) > _VALUES_SHOWN else shown
