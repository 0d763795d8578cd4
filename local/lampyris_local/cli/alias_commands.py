"""`lampyris aliases`: where requests go, and how that is changed."""
# ruff: noqa: PLC0415 - `--help` must not wait for what a command needs

from typing import Annotated

import typer

from lampyris.domain.names import LIVE
from lampyris_local.cli import options
from lampyris_local.cli.examples import example
from lampyris_local.cli.session import Session, asks, moves

app = typer.Typer(no_args_is_help=True, help="Where requests go: split them, shadow, promote, roll back.")


@app.command("list", epilog=example("lampyris aliases list iris"))
@asks
def list_all(
    session: Session,
    model: options.Model,
    *,
    limit: options.Limit = options.DEFAULT_LIMIT,
    after: options.After = None,
) -> None:
    """List a model's aliases."""
    from lampyris.control.aliases import AliasesOf
    from lampyris_local.cli.aliases import show_list

    session.answer("aliases list", AliasesOf(model=model, limit=limit, after=after), show_list)


@app.command(epilog=example("lampyris aliases show iris", "lampyris aliases show iris --alias canary --json"))
@asks
def show(session: Session, model: options.Model, *, alias: options.Alias = LIVE) -> None:
    """Show where an alias points, since when and why."""
    from lampyris.control.aliases import OneAlias
    from lampyris_local.cli.aliases import show_one

    session.answer("aliases show", OneAlias(model=model, alias=alias), show_one)


@app.command("set", epilog=example('lampyris aliases set iris 3 --reason "better on small flowers"'))
@moves
def set_one(
    session: Session, model: options.Model, version: options.Version, *, alias: options.Alias = LIVE
) -> None:
    """Send all of an alias' requests to a version; makes the alias if there is none."""
    from lampyris.control.aliases import SetRoutes, Share
    from lampyris_local.cli.aliases import show_moved

    routes = (Share(version=version),)
    session.answer("aliases set", SetRoutes(model=model, alias=alias, routes=routes), show_moved)


@app.command(
    epilog=example(
        "lampyris aliases split iris 3=90 4=10", "lampyris aliases split iris 3=50 4=50 --if-revision 7"
    )
)
@moves
def split(
    session: Session,
    model: options.Model,
    shares: Annotated[
        list[str],
        typer.Argument(
            metavar="VERSION=PERCENT",
            help="The stable version first, then its canaries; 100 percent together.",
        ),
    ],
    *,
    alias: options.Alias = LIVE,
) -> None:
    """Share an alias' requests out over versions: a canary."""
    from lampyris.control.aliases import SetRoutes
    from lampyris_local.cli.aliases import read_share, show_moved

    routes = SetRoutes(model=model, alias=alias, routes=tuple(map(read_share, shares)))
    session.answer("aliases set", routes, show_moved)


@app.command(
    epilog=example(
        "lampyris aliases shadow iris 4",
        "lampyris aliases shadow iris 4 --percent 20",
        "lampyris aliases shadow iris --off",
    )
)
@moves
def shadow(
    session: Session,
    model: options.Model,
    version: Annotated[
        int | None, typer.Argument(min=1, metavar="VERSION", help="The version that gets copies.")
    ] = None,
    *,
    off: Annotated[bool, typer.Option("--off", help="End it.")] = False,
    percent: Annotated[
        int, typer.Option(min=1, max=100, metavar="P", help="The share of the requests that is copied.")
    ] = 100,
    alias: options.Alias = LIVE,
) -> None:
    """Send copies of an alias' requests to a version, which answers nobody."""
    from lampyris.control.aliases import SetShadow
    from lampyris_local.cli.aliases import show_moved

    if off == (version is not None):
        raise typer.BadParameter("give a version, or --off to end it.")
    session.answer(
        "aliases shadow",
        SetShadow(model=model, alias=alias, version=version, weight=percent),
        show_moved,
    )


@app.command(epilog=example("lampyris aliases promote iris", "lampyris aliases promote iris 4"))
@moves
def promote(
    session: Session,
    model: options.Model,
    version: Annotated[
        int | None,
        typer.Argument(min=1, metavar="VERSION", help="A version; else the canary, or else the shadow."),
    ] = None,
    *,
    alias: options.Alias = LIVE,
) -> None:
    """Give a version all of an alias' requests."""
    from lampyris.control.aliases import Promote
    from lampyris_local.cli.aliases import show_moved

    session.answer("aliases promote", Promote(model=model, alias=alias, version=version), show_moved)


@app.command(epilog=example('lampyris aliases rollback iris --reason "wrong on roses"'))
@moves
def rollback(session: Session, model: options.Model, *, alias: options.Alias = LIVE) -> None:
    """Return to the version that had all of an alias' requests before."""
    from lampyris.control.aliases import OneAlias
    from lampyris_local.cli.aliases import show_moved

    session.answer("aliases rollback", OneAlias(model=model, alias=alias), show_moved)


@app.command(epilog=example("lampyris aliases history iris"))
@asks
def history(
    session: Session,
    model: options.Model,
    *,
    alias: options.Alias = LIVE,
    limit: options.Limit = options.DEFAULT_LIMIT,
    after: options.After = None,
) -> None:
    """List what an alias was, the newest first, and what a rollback would return to."""
    from lampyris.control.aliases import History
    from lampyris_local.cli.aliases import show_history

    session.answer(
        "aliases history",
        History(model=model, alias=alias, limit=limit, after=after),
        lambda page: show_history(page, is_newest=after is None),
    )


@app.command(epilog=example("lampyris aliases differences iris"))
@asks
def differences(
    session: Session,
    model: options.Model,
    version: Annotated[
        int | None,
        typer.Argument(min=1, metavar="VERSION", help="A version that was a shadow; else the present one."),
    ] = None,
    *,
    alias: options.Alias = LIVE,
    limit: Annotated[
        int, typer.Option(min=1, max=1000, metavar="N", help="How many copies to look at, the newest first.")
    ] = 1000,
    after: options.After = None,
) -> None:
    """Sum up how a shadow's answers differ from those that callers got."""
    from lampyris.control.aliases import ShadowDifferences
    from lampyris_local.cli.aliases import show_differences

    session.answer(
        "aliases shadow-differences",
        ShadowDifferences(model=model, alias=alias, version=version, limit=limit, after=after),
        show_differences,
    )
