"""`lampyris versions`: what each promises, how they compare, and the end of one."""
# ruff: noqa: PLC0415 - `--help` must not wait for what a command needs

from pathlib import Path
from typing import Annotated

import typer

from lampyris_local.cli import options
from lampyris_local.cli.examples import example
from lampyris_local.cli.session import Session, asks, destroys

app = typer.Typer(no_args_is_help=True, help="What each version promises, and how they compare.")


@app.command("list", epilog=example("lampyris versions list iris", "lampyris versions list iris --limit 5"))
@asks
def list_all(
    session: Session,
    model: options.Model,
    *,
    limit: options.Limit = options.DEFAULT_LIMIT,
    after: options.After = None,
) -> None:
    """List a model's versions, the newest first; deleted ones too."""
    from lampyris.control.versions import VersionsOf
    from lampyris_local.cli.versions import show_list

    session.answer("versions list", VersionsOf(model=model, limit=limit, after=after), show_list)


@app.command(epilog=example("lampyris versions show iris 3", "lampyris versions show iris 3 --json"))
@asks
def show(session: Session, model: options.Model, version: options.Version) -> None:
    """Show what a version promises, what was measured, and where it came from."""
    from lampyris.control.versions import OneVersion
    from lampyris_local.cli.versions import show_one

    session.answer("versions show", OneVersion(model=model, version=version), show_one)


@app.command(epilog=example("lampyris versions compare iris 3 4"))
@asks
def compare(
    session: Session,
    model: options.Model,
    versions: Annotated[list[int], typer.Argument(min=1, metavar="VERSION", help="Two versions or more.")],
    *,
    everything: Annotated[bool, typer.Option("--all", help="Also what does not differ.")] = False,
) -> None:
    """Put versions side by side."""
    from lampyris.control.comparison import Compare
    from lampyris_local.cli.versions import show_comparison

    if len(versions) < 2:  # noqa: PLR2004 - as the argument says
        raise typer.BadParameter("give two versions or more.")
    session.answer(
        "versions compare",
        Compare(model=model, versions=tuple(versions)),
        lambda comparison: show_comparison(comparison, everything=everything),
    )


@app.command(epilog=example('lampyris versions delete iris 2 --reason "trained on the wrong data"'))
@destroys
def delete(session: Session, model: options.Model, version: options.Version) -> None:
    """Delete a version that no alias needs; its number stays taken, and gc takes its bytes."""
    from lampyris.control.versions import OneVersion
    from lampyris_local.cli.versions import show_deleted

    session.confirm(f"Delete version {version} of model {model!r}, for good?")
    session.answer("versions delete", OneVersion(model=model, version=version), show_deleted)


@app.command(
    epilog=example("lampyris versions card iris 3", "lampyris versions card iris 3 --html card.html")
)
@asks
def card(
    session: Session,
    model: options.Model,
    version: options.Version,
    *,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write a web page to a file instead.")
    ] = None,
) -> None:
    """Print a version's model card, in Markdown."""
    from lampyris.control.versions import OneVersion
    from lampyris_local.cli.versions import show_card, write_card

    arguments = OneVersion(model=model, version=version)
    if html is None:
        session.answer("versions card", arguments, show_card)
    else:
        write_card(session.answer("versions card", arguments, lambda _: None), html)


@app.command(epilog=example("lampyris versions bom iris 3", "lampyris versions bom iris 3 > bom.cdx.json"))
@asks
def bom(session: Session, model: options.Model, version: options.Version) -> None:
    """Print a version's software bill of materials (CycloneDX)."""
    from lampyris.control.versions import OneVersion
    from lampyris_local.cli.output import print_json

    print_json(session.ask("versions bill-of-materials", OneVersion(model=model, version=version)))
