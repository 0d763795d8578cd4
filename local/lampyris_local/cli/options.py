"""The options that several commands share."""

from typing import Annotated

import typer

Endpoint = Annotated[
    str | None,
    typer.Option(
        envvar="LAMPYRIS_ENDPOINT",
        metavar="URL",
        help="Address that `lampyris local` prints, or a folder: file:///path. Without it, AWS is meant.",
        rich_help_panel="Where",
    ),
]
Stack = Annotated[
    str,
    typer.Option(
        envvar="LAMPYRIS_STACK", metavar="NAME", help="CloudFormation stack on AWS.", rich_help_panel="Where"
    ),
]
Profile = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="AWS profile; the usual environment otherwise.", rich_help_panel="Where"
    ),
]
Region = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="AWS region; the profile's otherwise.", rich_help_panel="Where"),
]
Reason = Annotated[
    str, typer.Option(metavar="TEXT", help="Why; it stands in the audit.", rich_help_panel="For the audit")
]
IdempotencyKey = Annotated[
    str | None,
    typer.Option(
        metavar="KEY",
        help="A name for this change: given again with the same command, it is not made twice.",
        rich_help_panel="For the audit",
    ),
]
IfRevision = Annotated[
    int | None,
    typer.Option(
        min=0, metavar="N", help="Only if the alias is still at this revision; 0 if it must not be there yet."
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Model = Annotated[str, typer.Argument(metavar="MODEL", help="The model.")]
Version = Annotated[int, typer.Argument(min=1, metavar="VERSION", help="The number of a version.")]
Alias = Annotated[str, typer.Option(metavar="NAME", help="The alias.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, metavar="N", help="How many to list at most.")]
After = Annotated[
    str | None, typer.Option(metavar="WHERE", help="Go on where an earlier list ended; it says where.")
]
DEFAULT_LIMIT = 100
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for scripts.")]
DEFAULT_STACK = "lampyris"
