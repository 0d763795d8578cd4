"""Commands about the registry as a whole: uploads, refusals, the audit, keeping and losing."""
# ruff: noqa: PLC0415 - `--help` must not wait for what a command needs

from datetime import timedelta
from typing import Annotated

import typer

from lampyris_local.cli import options
from lampyris_local.cli.examples import example
from lampyris_local.cli.session import Session, asks, changes, destroys

# What `audit --verify` exits with when something is wrong.
FOUND = 1

OnlyModel = Annotated[str | None, typer.Option("--model", metavar="NAME", help="Only this model.")]

uploads = typer.Typer(no_args_is_help=True, help="Places to put uploads at, and what became of them.")


@uploads.command(
    "open", epilog=example("lampyris uploads open iris", "lampyris uploads open iris --hold --json")
)
@changes
def open_upload(
    session: Session,
    model: options.Model,
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE", help="Names of a bundle's files; none for one bare .onnx."),
    ] = None,
    *,
    hold: Annotated[bool, typer.Option("--hold", help="Register the version without going live.")] = False,
) -> None:
    """Get addresses that somebody without credentials can put an upload at."""
    from lampyris.control.uploads import OpenUpload
    from lampyris_local.cli.uploads import show_opened

    session.deployment.api()  # where none runs, nobody would judge the upload
    wanted = OpenUpload(model=model, files=tuple(files or ()), release="hold" if hold else "live")
    session.answer("uploads open", wanted, show_opened)


@uploads.command("show", epilog=example("lampyris uploads show iris 20260501t123015-0a1b2c3d"))
@asks
def show_upload(
    session: Session,
    model: options.Model,
    upload: Annotated[str, typer.Argument(metavar="UPLOAD", help="The upload's name.")],
) -> None:
    """Show what became of an upload."""
    from lampyris.control.uploads import OneUpload
    from lampyris_local.cli.uploads import show_state

    session.answer("uploads show", OneUpload(model=model, upload=upload), show_state)


@asks
def rejected(
    session: Session,
    model: Annotated[
        str | None, typer.Argument(metavar="MODEL", help="Only of this model; - for misplaced uploads.")
    ] = None,
    upload: Annotated[str | None, typer.Argument(metavar="UPLOAD", help="Only this upload.")] = None,
    *,
    limit: options.Limit = options.DEFAULT_LIMIT,
    after: options.After = None,
) -> None:
    """List the uploads that were refused, and why."""
    from lampyris.control.rejected import ListRejected, OneRejected
    from lampyris_local.cli.uploads import show_rejection, show_rejections

    if model is not None and upload is not None:
        session.answer("rejected show", OneRejected(model=model, upload=upload), show_rejection)
        return
    session.answer("rejected list", ListRejected(model=model, limit=limit, after=after), show_rejections)


@asks
def audit(
    session: Session,
    *,
    verify: Annotated[
        bool, typer.Option("--verify", help="Check all of it; exit with 1 if anything is wrong.")
    ] = False,
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME", help="Only changes of this model.")
    ] = None,
    limit: options.Limit = options.DEFAULT_LIMIT,
    after: options.After = None,
) -> None:
    """List who changed what, when and why, the newest first."""
    from lampyris.control.audit import ListAudit, Verify
    from lampyris_local.cli.audit import show_page, show_verified

    if not verify:
        session.answer("audit list", ListAudit(model=model, limit=limit, after=after), show_page)
        return
    if model is not None:
        raise typer.BadParameter("the audit is checked as a whole; leave --model out.")
    verified = session.answer("audit verify", Verify(), show_verified, working="checking the audit")
    if verified.findings:
        raise typer.Exit(FOUND)


@changes
def backup(
    session: Session,
    target: Annotated[str, typer.Argument(metavar="TARGET", help="A folder, or another bucket: s3://NAME.")],
    *,
    model: OnlyModel = None,
) -> None:
    """Copy the registry to a folder or another bucket, verified; go on with one that is there."""
    from lampyris.control.keeping import BackUp
    from lampyris_local.cli.keeping import show_backup
    from lampyris_local.locations import open_location

    backed_up = session.beside(open_location(target, session.deployment))
    backed_up.answer(
        "backup", BackUp(model=model), lambda copied: show_backup(target, copied), working="copying"
    )


@destroys
def restore(
    session: Session,
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="Where a backup is: a folder, or a bucket: s3://NAME.")
    ],
    *,
    model: OnlyModel = None,
) -> None:
    """Bring back what a backup holds and the registry lacks, verified; nothing is overwritten."""
    from lampyris.control.keeping import Restore
    from lampyris_local.cli.keeping import show_restored
    from lampyris_local.locations import open_location

    whole = "" if model is None else f"model {model!r} of "
    restored = session.beside(open_location(source, session.deployment))
    session.confirm(f"Restore {whole}the backup at {source}?")
    restored.answer(
        "restore", Restore(model=model), lambda copied: show_restored(source, copied), working="restoring"
    )


@destroys
def gc(
    session: Session,
    *,
    grace: Annotated[
        float, typer.Option(min=0, metavar="HOURS", help="Spare what was written within so many hours.")
    ] = 24.0,
) -> None:
    """Remove the bytes that no version names any more, beyond recovery."""
    from lampyris.control.keeping import Collect
    from lampyris_local.cli.keeping import show_collected

    session.confirm(f"Remove all bytes that no version has named for {grace:g} hours, beyond recovery?")
    wanted = Collect(grace_s=timedelta(hours=grace).total_seconds())
    session.answer("gc", wanted, show_collected, working="collecting garbage")


@destroys
def erase(session: Session, model: options.Model) -> None:
    """Erase a model beyond recovery: every version, in every generation that the bucket keeps."""
    from lampyris.control.keeping import Erase
    from lampyris_local.cli.keeping import show_erased

    session.confirm(f"Erase all of model {model!r}, beyond recovery?")
    wanted = Erase(model=model, confirm=model)
    session.answer("erase", wanted, lambda erased: show_erased(model, erased), working="erasing")
