"""`lampyris predict`: files out, predictions back."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from lampyris.domain.names import check_alias_name, check_model_name
from lampyris_local.cli.output import (
    UnwritableFile,
    answers,
    milliseconds,
    new_table,
    percent,
    print_json,
    remarks,
    size,
    write_file,
)
from lampyris_local.client import (
    CONTENT_TYPES,
    JSON,
    Answer,
    Client,
    Payload,
    Refused,
    read_payload,
    read_pictures,
)
from lampyris_local.deployment import Deployment

_VALUES_SHOWN = 6
_OUTPUT_SUFFIXES = (".csv", ".json", ".ndjson", ".jsonl", ".npy")

Files = tuple[Path, ...]


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the command line asks of the predictions, beside the files; `version` may name an alias."""

    version: int | str | None
    top: int | None
    together: bool
    output: Path | None

    @property
    def accept(self) -> str:
        """The media type of the answers. Raises: UnwritableFile."""
        if self.output is None:
            return JSON
        suffix = self.output.suffix.lower()
        if suffix not in _OUTPUT_SUFFIXES:
            raise UnwritableFile(path=self.output, reason=f"is none of {', '.join(_OUTPUT_SUFFIXES)}")
        return CONTENT_TYPES[suffix]


def run(deployment: Deployment, model: str, files: Sequence[Path], wish: Wish, *, as_json: bool) -> None:
    check_model_name(model)
    if isinstance(wish.version, str):
        check_alias_name(wish.version)
    accept = wish.accept
    requests = _requests(tuple(files), together=wish.together or wish.output is not None)
    found = []
    with Client(deployment) as client:
        for paths, payload in requests:
            try:
                answer = client.predict(model, payload, version=wish.version, top=wish.top, accept=accept)
            except Refused as refused:
                raise replace(refused, detail=f"{_named(paths)}: {refused.detail}") from None
            found.append((paths, answer))
    if wish.output is not None:
        ((paths, answer),) = found
        _write(wish.output, paths, answer, as_json=as_json)
        return
    if as_json:
        print_json([_timed(paths, answer) | answer.document for paths, answer in found])
        return
    documents = [(paths, answer, answer.document) for paths, answer in found]
    by_label = "predictions" in documents[0][2]
    answers().print(_classes_table(documents) if by_label else _tensors_table(documents))


def _requests(files: Files, *, together: bool) -> list[tuple[Files, Payload]]:
    if together and len(files) > 1:
        return [(files, read_pictures(files))]
    return [((path,), read_payload(path)) for path in files]


def _named(paths: Files) -> str:
    return str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"


def _timed(paths: Files, answer: Answer) -> dict[str, Any]:
    which = {"file": str(paths[0])} if len(paths) == 1 else {"files": [str(path) for path in paths]}
    return which | {"elapsed_ms": round(answer.elapsed_ms, 3), "parts_ms": answer.parts_ms}


def _write(output: Path, paths: Files, answer: Answer, *, as_json: bool) -> None:
    write_file(output, answer.body)
    if as_json:
        print_json(_timed(paths, answer) | {"output": str(output), "size_bytes": len(answer.body)})
    else:
        took = f"{size(len(answer.body))} after {milliseconds(answer.elapsed_ms)} ms"
        remarks().print(f"Wrote {output}: {took}.")


def _classes_table(documents: Sequence[tuple[Files, Answer, dict[str, Any]]]) -> Table:
    table = new_table(
        "file", "label", "probability", "version", "ms", numbers=("probability", "version", "ms")
    )
    for paths, answer, document in documents:
        predictions = document["predictions"]
        # Pictures that went together come back in their order; one file may hold many rows.
        names = paths if len(paths) == len(predictions) else (_named(paths),) * len(predictions)
        for name, prediction in zip(names, predictions, strict=True):
            for told in prediction.get("top", [prediction]):
                table.add_row(
                    str(name),
                    Text(told["label"], "bold"),
                    percent(told["probability"]),
                    str(document["version"]),
                    milliseconds(answer.elapsed_ms),
                )
    return table


def _tensors_table(documents: Sequence[tuple[Files, Answer, dict[str, Any]]]) -> Table:
    table = new_table("file", "output", "shape", "values", "version", "ms", numbers=("version", "ms"))
    for paths, answer, document in documents:
        for output in document["outputs"]:
            table.add_row(
                _named(paths),
                output["name"],
                str(output["shape"]),
                _values(output["data"]),
                str(document["version"]),
                milliseconds(answer.elapsed_ms),
            )
    return table


def _values(data: Sequence[Any]) -> str:
    shown = ", ".join(
        f"{value:.4g}" if isinstance(value, float) else str(value) for value in data[:_VALUES_SHOWN]
    )
    return f"{shown}, …" if len(data) > _VALUES_SHOWN else shown
