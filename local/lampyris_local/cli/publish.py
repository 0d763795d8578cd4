"""`lampyris publish`: a bundle or a model into the inbox, then the verdict."""

from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from lampyris.domain.manifest import Manifest
from lampyris.domain.names import LIVE
from lampyris.domain.store import Store
from lampyris_local.cli.output import answers, percent, print_json, program, remarks, size
from lampyris_local.summary import accuracy, size_bytes
from lampyris_local.uploads import Parcel, pack, send, wait_for_verdict


def run(store: Store, path: Path, *, model: str | None, wait_s: float | None, as_json: bool) -> None:
    parcel = pack(path, model=model, at=datetime.now(UTC))
    console = remarks()
    with Progress(
        SpinnerColumn(style="name"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        DownloadColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        sending = progress.add_task("sending", total=parcel.size_bytes)
        send(store, parcel, on_sent=lambda file: progress.advance(sending, file.stat().st_size))
    upload = parcel.upload
    if wait_s is None:
        _answer_sent(parcel, as_json=as_json)
        return
    started = monotonic()
    with console.status(f"waiting for the verdict on upload {upload.upload}"):
        manifest = wait_for_verdict(store, upload, timeout_s=wait_s)
    _answer_published(manifest, waited_s=monotonic() - started, as_json=as_json)


def _answer_sent(parcel: Parcel, *, as_json: bool) -> None:
    upload = parcel.upload
    if as_json:
        print_json({"model": upload.model, "upload": upload.upload, "key": upload.key})
        return
    answers().print(f"Sent as upload {upload.upload}.")
    remarks().print(f"To see what became of it: {program()} models {upload.model}", style="quiet")


def _answer_published(manifest: Manifest, *, waited_s: float, as_json: bool) -> None:
    if as_json:
        print_json(_document(manifest))
        return
    answers().print(
        Text.assemble(
            (manifest.model, "name"),
            f" version {manifest.version} is ",
            (LIVE, "good"),
            f": {size(size_bytes(manifest))}{_accuracy(manifest)}, admitted in {waited_s:.1f} s",
        )
    )
    remarks().print(f"To call it: {program()} predict {manifest.model} FILE", style="quiet")


def _document(manifest: Manifest) -> dict[str, Any]:
    return {
        "model": manifest.model,
        "version": manifest.version,
        "alias": LIVE,
        "upload": manifest.upload,
        "size_bytes": size_bytes(manifest),
        "metrics": manifest.metrics,
    }


def _accuracy(manifest: Manifest) -> str:
    share = accuracy(manifest)
    return "" if share is None else f", accuracy {percent(share)}"
