"""`lampyris jobs submit`: what is asked of a job, by its kind."""
# ruff: noqa: PLC0415 - `--help` must not wait for what a command needs

from pathlib import Path
from typing import Annotated, Literal

import typer

from lampyris_local.cli import options
from lampyris_local.cli.examples import example
from lampyris_local.cli.session import Session, submits

app = typer.Typer(no_args_is_help=True, help="Ask for a job.")

Recipe = Annotated[Path, typer.Argument(metavar="RECIPE", help="A recipe in TOML.")]
Data = Annotated[
    str | None,
    typer.Option(
        metavar="PATH|URL|S3",
        help="Instead of the recipe's data: a file or folder, which is sent first; a key below data/; "
        "s3://bucket/key; or https://…#sha256=….",
    ),
]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Watch the job until it has ended.")]
Webhook = Annotated[
    str | None, typer.Option(metavar="URL", help="Have this https address told when it has ended, signed.")
]
MaxAttempts = Annotated[
    int, typer.Option(min=1, max=20, metavar="N", help="Fail after so many attempts without progress.")
]
Publish = Annotated[
    Literal["live", "hold", "no"],
    typer.Option(help="What becomes of the model: it goes live, is registered only, or stays a result."),
]


@app.command(
    epilog=example(
        "lampyris jobs submit train recipes/digits.toml --follow",
        "lampyris jobs submit train recipes/mnist.toml --data ~/mnist --workers 4",
    )
)
@submits
def train(
    session: Session,
    recipe: Recipe,
    *,
    data: Data = None,
    publish: Publish = "live",
    workers: Annotated[
        int, typer.Option(min=1, max=64, metavar="N", help="How many workers share the training.")
    ] = 1,
    average_every: Annotated[
        int, typer.Option(min=0, metavar="K", help="Steps after which workers average; 0: as is best.")
    ] = 0,
    compute: Annotated[
        Literal["lambda", "batch"], typer.Option(help="In functions, or on machines of AWS Batch.")
    ] = "lambda",
    webhook: Webhook = None,
    max_attempts: MaxAttempts = 5,
    follow: Follow = False,
) -> None:
    """Build a model as a recipe says, and publish it."""
    from lampyris.jobs.specs import TrainSpec
    from lampyris_local.cli import submitting

    text = submitting.read_recipe(recipe)
    spec = TrainSpec(
        recipe=text,
        data=submitting.data_of(session, text, data),
        publish=publish,
        workers=workers,
        average_every=average_every,
        compute=compute,
    )
    wish = submitting.Wish(webhook=webhook, max_attempts=max_attempts, follow=follow)
    submitting.submit(session, spec, wish)


@app.command(epilog=example("lampyris jobs submit evaluate digits recipes/digits.toml --version 3"))
@submits
def evaluate(
    session: Session,
    model: options.Model,
    recipe: Recipe,
    *,
    version: Annotated[
        str, typer.Option(metavar="VERSION", help="A version's number, or an alias.")
    ] = "live",
    data: Data = None,
    webhook: Webhook = None,
    max_attempts: MaxAttempts = 5,
    follow: Follow = False,
) -> None:
    """Measure a published version on the test set of a recipe's dataset."""
    from lampyris.jobs.specs import EvaluateSpec
    from lampyris_local.cli import submitting

    text = submitting.read_recipe(recipe)
    spec = EvaluateSpec(
        model=model,
        recipe=text,
        version=version,
        data=submitting.data_of(session, text, data),
    )
    wish = submitting.Wish(webhook=webhook, max_attempts=max_attempts, follow=follow)
    submitting.submit(session, spec, wish)


@app.command(epilog=example("lampyris jobs submit tune recipes/digits-tune.toml --trials 20 --follow"))
@submits
def tune(
    session: Session,
    recipe: Recipe,
    *,
    data: Data = None,
    publish: Publish = "live",
    trials: Annotated[
        int | None, typer.Option(min=1, max=1000, metavar="N", help="How many models to train.")
    ] = None,
    webhook: Webhook = None,
    max_attempts: MaxAttempts = 5,
    follow: Follow = False,
) -> None:
    """Compare models as a recipe says, beside each other, and build the one that its rule picks."""
    from lampyris.jobs.specs import TuneSpec
    from lampyris_local.cli import submitting

    text = submitting.read_recipe(recipe)
    spec = TuneSpec(
        recipe=text,
        data=submitting.data_of(session, text, data),
        publish=publish,
        trials=trials,
    )
    wish = submitting.Wish(webhook=webhook, max_attempts=max_attempts, follow=follow)
    submitting.submit(session, spec, wish)


@app.command(
    epilog=example(
        "lampyris jobs submit batch churn customers.parquet --follow",
        "lampyris jobs submit batch flowers pictures/ --answers csv",
    )
)
@submits
def batch(
    session: Session,
    model: options.Model,
    given: Annotated[
        str,
        typer.Argument(
            metavar="INPUT",
            help="A file or folder, which is sent first; a key or prefix below data/; or s3://bucket/key.",
        ),
    ],
    *,
    version: Annotated[
        str, typer.Option(metavar="VERSION", help="A version's number, or an alias.")
    ] = "live",
    kind: Annotated[
        Literal["csv", "parquet", "ndjson", "npy", "images"] | None,
        typer.Option("--format", help="What the input is, where its name does not say it."),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Rows of one run. [default: what is fastest]")
    ] = None,
    shard_rows: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Rows of one shard. [default: what fits]")
    ] = None,
    written: Annotated[
        Literal["ndjson", "csv", "npy"], typer.Option("--answers", help="What the results are written as.")
    ] = "ndjson",
    webhook: Webhook = None,
    max_attempts: MaxAttempts = 5,
    follow: Follow = False,
) -> None:
    """Predict on all rows or pictures of an input of any size."""
    from lampyris.jobs.specs import BatchSpec
    from lampyris_local.cli import submitting

    spec = BatchSpec(
        model=model,
        input=submitting.place_of(session, given),
        version=version,
        format=kind,
        batch_size=batch_size,
        shard_rows=shard_rows,
        answers=written,
    )
    wish = submitting.Wish(webhook=webhook, max_attempts=max_attempts, follow=follow)
    submitting.submit(session, spec, wish)
