"""The options that several commands share."""

from typing import Annotated

import typer

Endpoint = Annotated[
    str | None,
    typer.Option(
        envvar="LAMPYRIS_ENDPOINT",
        metavar="URL",
        help="Address that `lampyris local` prints. Without it, AWS is meant.",
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
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for scripts.")]
DEFAULT_STACK = "lampyris"
