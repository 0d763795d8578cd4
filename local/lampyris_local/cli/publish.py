"""`lampyris publish`: a bundle or a model into the inbox, then the verdict."""

from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

import typer
from rich.text import Text

from lampyris.domain.bundle import Instructions
from lampyris.domain.layout import Upload
from lampyris.domain.manifest import Manifest
from lampyris.domain.names import LIVE
from lampyris.domain.store import Store
from lampyris.errors import AliasNotFound
from lampyris.registry.documents import read_alias
from lampyris_local.cli.gates import gates_table
from lampyris_local.cli.output import (
    answers,
    hint,
    percent,
    print_json,
    program,
    remarks,
    size,
)
from lampyris_local.cli.sending import sending
from lampyris_local.cli.stopping import stops_on_sigterm
from lampyris_local.deployment import Deployment
from lampyris_local.parcels import Parcel, pack
from lampyris_local.summary import accuracy, size_bytes
from lampyris_local.uploads import Rejected, outcome_of, send, wait_for_verdict

# Beside 0, 1 (an error, a refusal) and 2 (wrong usage).
HELD_BY_GATES = 3


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the command line asks of publishing, beside the file. `wait_s` is None not to wait."""

    model: str | None
    hold: bool
    reason: str
    sign_key: Path | None
    wait_s: float | None
    key: str | None

    @property
    def instructions(self) -> Instructions | None:
        """What is sent beside the upload; nothing where it is published as usual."""
        if not self.hold and not self.reason:
            return None
        return Instructions(release="hold" if self.hold else "live", reason=self.reason)


def run(deployment: Deployment, path: Path, wish: Wish, *, as_json: bool) -> None:
    """Publish, and say what became of it.

    Raises: what `pack` raises, Rejected, NoVerdict; typer.Exit with HELD_BY_GATES.
    """
    is_folder = deployment.api_url is None
    if is_folder:
        from lampyris_local.folder.publish import check_installed, clearing  # noqa: PLC0415 - for folders alone

        check_installed()
    parcel = pack(
        path,
        model=wish.model,
        at=datetime.now(UTC),
        instructions=wish.instructions,
        sign_key=wish.sign_key,
        key=wish.key,
    )
    console = remarks()
    with stops_on_sigterm(), clearing(deployment.store, parcel.upload) if is_folder else nullcontext():
        with sending("sending", size_bytes=parcel.size_bytes) as on_sent:
            send(deployment.store, parcel, on_sent=on_sent)
        if wish.wait_s is None and not is_folder:
            _answer_sent(parcel, as_json=as_json)
            return
        started = monotonic()
        try:
            with console.status(f"waiting for the verdict on upload {parcel.upload.upload}"):
                manifest = _verdict(deployment, parcel.upload, wait_s=wish.wait_s)
        except Rejected as rejected:
            if as_json:
                print_json({"outcome": "refused", **_refusal(rejected)})
            raise
    _answer(deployment.store, manifest, waited_s=monotonic() - started, as_json=as_json)


def _verdict(deployment: Deployment, upload: Upload, *, wait_s: float | None) -> Manifest:
    if deployment.api_url is None:
        from lampyris_local.folder.publish import judge  # noqa: PLC0415 - for folders alone

        return judge(deployment.store, upload)
    return wait_for_verdict(deployment.store, upload, timeout_s=wait_s or 0.0)


def _answer_sent(parcel: Parcel, *, as_json: bool) -> None:
    upload = parcel.upload
    if as_json:
        print_json({"model": upload.model, "upload": upload.upload, "key": upload.key})
        return
    answers().print(f"Sent as upload {upload.upload}.")
    _hint("To see what became of it", f"models {upload.model}")


def _answer(store: Store, manifest: Manifest, *, waited_s: float, as_json: bool) -> None:
    outcome = outcome_of(manifest)
    if as_json:
        print_json(_document(manifest))
    else:
        _tell(store, manifest, waited_s=waited_s)
    if outcome == "held-by-gates":
        raise typer.Exit(HELD_BY_GATES)


def _tell(store: Store, manifest: Manifest, *, waited_s: float) -> None:
    model, version = manifest.model, manifest.version
    outcome = outcome_of(manifest)
    verdict = {
        "live": Text.assemble("is ", (LIVE, "good")),
        "held": Text.assemble("is ", ("held", "name"), " as you asked"),
        "held-by-gates": Text.assemble("is ", ("held by its gates", "bad")),
    }[outcome]
    accuracy_told = "" if accuracy(manifest) is None else f", accuracy {percent(accuracy(manifest))}"
    answers().print(
        Text.assemble(
            (model, "name"),
            f" version {version} ",
            verdict,
            f": {size(size_bytes(manifest))}{accuracy_told}, admitted in {waited_s:.1f} s",
        )
    )
    if manifest.evidence.gates:
        answers().print()
        answers().print(gates_table(manifest.evidence.gates))
    if outcome == "live":
        _hint("To call it", f"predict {model} FILE")
        return
    _hint("It is registered, and answers by its number", f"predict {model} FILE --version {version}")
    stable = _live_version(store, model)
    if stable is not None:
        _hint("To give it some of the requests", f"aliases split {model} {stable}=90 {version}=10")
    _hint("To give it all of them", f"aliases set {model} {version} --reason WHY")


def _live_version(store: Store, model: str) -> int | None:
    try:
        return read_alias(store, model, LIVE)[0].stable.version
    except AliasNotFound:
        return None


def _hint(what: str, command: str) -> None:
    hint(what, f"{program()} {command}")


def _document(manifest: Manifest) -> dict[str, Any]:
    outcome = outcome_of(manifest)
    return {
        "outcome": outcome,
        "model": manifest.model,
        "version": manifest.version,
        "alias": LIVE if outcome == "live" else None,
        "upload": manifest.upload,
        "size_bytes": size_bytes(manifest),
        "metrics": manifest.metrics,
        "measured": manifest.evidence.measured,
        "gates": manifest.evidence.gates,
    }


def _refusal(rejected: Rejected) -> dict[str, Any]:
    rejection = rejected.rejection
    return {
        "model": rejection.model,
        "upload": rejection.upload,
        "code": rejection.code,
        "detail": rejection.detail,
    }
