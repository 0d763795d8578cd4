"""What the command line offers: every command with its arguments and its help.

What a command does stands in its own module, imported when it runs: torch, moto and boto3 take seconds to
import, and `--help` and completion must not wait for them.
"""
# ruff: noqa: PLC0415 - see above

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from lampyris import __version__
from lampyris.errors import LampyrisError
from lampyris_local.cli import alias_commands, job_commands, options, registry_commands, version_commands
from lampyris_local.cli.examples import example
from lampyris_local.cli.session import Session, asks

_PROGRAM = "lampyris"
# Wrong usage is 2, which is typer's; a version held by its gates is 3 (`publish`).
FAILED = 1

# How `lampyris --help` groups its commands.
_HERE, _MODELS = "On this machine", "Publish and predict"
_JOBS, _REGISTRY, _KEEPING = "In the background", "The registry", "Keep and lose"


class _Commands(TyperGroup):
    """Turns an error that Lampyris raises on purpose into one sentence on stderr and exit code 1."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except LampyrisError as error:
            from lampyris_local.cli.next_steps import hint_after
            from lampyris_local.cli.output import print_error

            # One line: what follows in a store's error is for who debugs it.
            print_error(str(error).splitlines()[0], code=error.code)
            hint_after(error)
            raise typer.Exit(FAILED) from None


app = typer.Typer(
    name=_PROGRAM,
    cls=_Commands,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    app(prog_name=_PROGRAM)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it with the option's value
    if wanted:
        typer.echo(f"{_PROGRAM} {__version__}")
        raise typer.Exit


@app.callback(epilog=example("lampyris demo"))
def lampyris(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Turn a trained model into a service with no server to keep: build it, publish it, call it."""


@app.command(epilog=example("lampyris demo", "lampyris demo --keep"), rich_help_panel=_HERE)
def demo(
    *,
    data: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Folder with MNIST's four IDX files, instead of the small digits."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the bundle stays; a temporary folder otherwise."),
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Stay up afterwards and print calls to try.")] = False,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the local API; 0 takes any that is free.")
    ] = 0,
    as_json: options.Json = False,
) -> None:
    """Train, compress, publish and call a model on this machine, in under a minute."""
    from lampyris_local.demo import story

    story.run(data=data, out=out, keep=keep, port=port, as_json=as_json)


@app.command(
    epilog=example("lampyris build recipes/digits.toml", "lampyris build recipes/mnist.toml --data ~/mnist"),
    rich_help_panel=_HERE,
)
def build(
    recipe: Annotated[Path, typer.Argument(help="A recipe in TOML; recipes/ holds some.")],
    *,
    data: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="The dataset's file or folder, instead of the recipe's."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the bundle goes. [default: bundles/NAME]")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start anew, even if an interrupted build left a checkpoint.")
    ] = False,
    workers: Annotated[
        int, typer.Option(min=1, metavar="N", help="How many processes share every batch of a training.")
    ] = 1,
    as_json: options.Json = False,
) -> None:
    """Train, evaluate, compress and export a model into a bundle."""
    from lampyris_local.cli import build as command

    command.run(recipe, data=data, out=out, fresh=fresh, workers=workers, as_json=as_json)


@app.command(
    epilog=example("lampyris tune recipes/digits-tune.toml", "lampyris tune recipe.toml --minutes 30"),
    rich_help_panel=_HERE,
)
def tune(
    recipe: Annotated[Path, typer.Argument(help="A recipe with \\[tune.space], which says what to compare.")],
    *,
    data: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="The dataset's file or folder, instead of the recipe's."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the bundle goes. [default: bundles/NAME]")
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="How many models to train, instead of the recipe's."),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(min=0.01, max=1e6, metavar="M", help="After how long no other trial begins."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Compare models, sizes, settings and compressions; pick one by the recipe's rule, and build it.

    Exit codes: 0 built; 1 none is good enough, or an error.
    """
    from lampyris_local.cli import tune as command

    command.run(recipe, data=data, out=out, trials=trials, minutes=minutes, as_json=as_json)


@app.command(
    epilog=example(
        "lampyris publish bundles/digits",
        "lampyris publish resnet50.onnx --model resnet50 --hold",
        'lampyris publish bundles/digits --sign-key key.pem --reason "more data"',
    ),
    rich_help_panel=_MODELS,
)
def publish(
    path: Annotated[
        Path, typer.Argument(metavar="BUNDLE|MODEL.onnx", help="A bundle's folder or a .onnx file.")
    ],
    *,
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="The model's name; a bundle knows its own.")
    ] = None,
    hold: Annotated[bool, typer.Option("--hold", help="Register the version without going live.")] = False,
    reason: options.Reason = "",
    idempotency_key: options.IdempotencyKey = None,
    sign_key: Annotated[
        Path | None,
        typer.Option(metavar="KEY.pem", help="Sign the bundle with this private key (Ed25519, PEM)."),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Wait until the version is live, held or refused.")
    ] = True,
    timeout: Annotated[float, typer.Option(min=0, metavar="S", help="Seconds to wait.")] = 300.0,
    endpoint: options.Endpoint = None,
    stack: options.Stack = options.DEFAULT_STACK,
    profile: options.Profile = None,
    region: options.Region = None,
    as_json: options.Json = False,
) -> None:
    """Publish a model: it becomes the next version, and the alias `live` moves to it.

    Exit codes: 0 live, or held as asked; 1 refused, or an error; 3 registered, but held by its gates.
    """
    from lampyris_local.cli import publish as command
    from lampyris_local.deployment import find_deployment

    deployment = find_deployment(endpoint=endpoint, stack=stack, profile=profile, region=region)
    wish = command.Wish(
        model=model,
        hold=hold,
        reason=reason,
        sign_key=sign_key,
        wait_s=timeout if wait else None,
        key=idempotency_key,
    )
    command.run(deployment, path, wish, as_json=as_json)


@app.command(epilog=example("lampyris models", "lampyris models digits --json"), rich_help_panel=_REGISTRY)
@asks
def models(
    session: Session,
    name: Annotated[
        str | None, typer.Argument(help="A model, to see its versions, aliases and refusals.")
    ] = None,
    *,
    limit: options.Limit = options.DEFAULT_LIMIT,
    after: options.After = None,
) -> None:
    """List the models, or all about one."""
    from lampyris_local.cli import models as command

    if name is None:
        command.list_all(session, limit=limit, after=after)
    else:
        command.show_one(session, name, limit=limit)


@app.command(
    epilog=example(
        "lampyris predict digits seven.png --top 3",
        "lampyris predict digits *.png --version 2 --json",
        "lampyris predict churn customers.csv --output scores.csv",
    ),
    rich_help_panel=_MODELS,
)
def predict(
    name: Annotated[str, typer.Argument(help="The model.")],
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="Pictures (.png, .jpg, .webp), or rows (.csv, .json, .ndjson, .jsonl, .npy).",
        ),
    ],
    *,
    version: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="A version, instead of `live`.")
    ] = None,
    alias: Annotated[
        str | None, typer.Option(metavar="NAME", help="Another alias, instead of `live`.")
    ] = None,
    top: Annotated[
        int | None, typer.Option(min=1, metavar="K", help="Tell a classifier's best K labels, not only one.")
    ] = None,
    together: Annotated[
        bool, typer.Option("--together", help="Send several pictures in one request.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the answer to a .csv, .json, .ndjson, .jsonl or .npy file.",
        ),
    ] = None,
    endpoint: options.Endpoint = None,
    stack: options.Stack = options.DEFAULT_STACK,
    profile: options.Profile = None,
    region: options.Region = None,
    as_json: options.Json = False,
) -> None:
    """Ask a model about files."""
    from lampyris_local.cli import predict as command
    from lampyris_local.deployment import find_deployment

    if version is not None and alias is not None:
        raise typer.BadParameter("give --version or --alias, not both.")
    deployment = find_deployment(endpoint=endpoint, stack=stack, profile=profile, region=region)
    wish = command.Wish(version=version or alias, top=top, together=together, output=output)
    command.run(deployment, name, files, wish, as_json=as_json)


@app.command(
    epilog=example(
        "lampyris local",
        "lampyris local --preload digits --idle 60",
        'lampyris local --time-limit 30 --faults "kill=0.1,duplicate=0.2" --seed 7',
    ),
    rich_help_panel=_HERE,
)
def local(
    *,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the API; 0 takes any that is free.")
    ] = 8080,
    idle: Annotated[
        float,
        typer.Option(min=0, metavar="S", help="Seconds until an idle execution environment is stopped."),
    ] = 300.0,
    preload: Annotated[
        str,
        typer.Option(metavar="NAME,...", help="Models that a new environment fetches before it is asked."),
    ] = "",
    template: Annotated[
        Path | None, typer.Option(metavar="PATH", help="A SAM template. [default: Lampyris' own]")
    ] = None,
    time_limit: Annotated[
        float | None,
        typer.Option(
            min=1,
            metavar="S",
            help="Seconds that a function may run at most, so that a long job is seen to go on after them. "
            "[default: the template's timeouts]",
            rich_help_panel="Hardships",
        ),
    ] = None,
    faults: Annotated[
        str,
        typer.Option(
            metavar="KIND=P,...",
            help="Faults to inject, each with its probability. kill: a function that a queue wakes dies, "
            "before or after a call of AWS or at any moment. throttle: a call of AWS is refused. delay, "
            "duplicate, reorder: a message comes late, twice, or behind later ones.",
            rich_help_panel="Hardships",
        ),
    ] = "",
    seed: Annotated[
        int,
        typer.Option(help="Draws the faults: the same seed, the same faults.", rich_help_panel="Hardships"),
    ] = 0,
) -> None:
    """Run the cloud on this machine, as template.yaml says, until Ctrl-C."""
    from lampyris_local.cli import local as command
    from lampyris_local.cloud.faults import Faults

    try:
        injected = Faults.parse(faults, seed)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--faults") from None
    command.run(
        port=port,
        idle_s=idle,
        preload=preload,
        template=template,
        time_limit_s=time_limit,
        faults=injected,
    )


app.add_typer(job_commands.app, name="jobs", rich_help_panel=_JOBS)
app.add_typer(job_commands.data, name="data", rich_help_panel=_JOBS)
app.add_typer(version_commands.app, name="versions", rich_help_panel=_REGISTRY)
app.add_typer(alias_commands.app, name="aliases", rich_help_panel=_REGISTRY)
app.add_typer(registry_commands.uploads, name="uploads", rich_help_panel=_REGISTRY)
for command, panel, examples in (
    (registry_commands.rejected, _REGISTRY, ("lampyris rejected", "lampyris rejected iris")),
    (registry_commands.audit, _REGISTRY, ("lampyris audit --model iris", "lampyris audit --verify")),
    (registry_commands.gc, _KEEPING, ("lampyris gc", "lampyris gc --grace 1 --yes")),
    (
        registry_commands.backup,
        _KEEPING,
        ("lampyris backup backups/monday", "lampyris backup s3://my-backups"),
    ),
    (registry_commands.restore, _KEEPING, ("lampyris restore backups/monday --model iris",)),
    (registry_commands.erase, _KEEPING, ('lampyris erase iris --reason "asked to forget"',)),
):
    app.command(epilog=example(*examples), rich_help_panel=panel)(command)
