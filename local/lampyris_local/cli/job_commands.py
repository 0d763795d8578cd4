"""`lampyris jobs`: work that takes longer than a request; and `lampyris data`, what it works on."""
# ruff: noqa: PLC0415 - `--help` must not wait for what a command needs

from pathlib import Path
from typing import Annotated, Literal

import typer

from lampyris_local.cli import options, submit_commands
from lampyris_local.cli.examples import example
from lampyris_local.cli.session import Session, asks, changes, removes, submits

app = typer.Typer(no_args_is_help=True, help="Train, tune, evaluate and predict in the background.")
data = typer.Typer(no_args_is_help=True, help="Bring data for jobs to read.")
app.add_typer(
    submit_commands.app,
    name="submit",
    epilog=example("lampyris jobs submit train recipes/digits.toml --follow"),
)

JobName = Annotated[str, typer.Argument(metavar="JOB", help="The job's name.")]


@app.command("list", epilog=example("lampyris jobs list", "lampyris jobs list --state failed --model digits"))
@asks
def list_all(
    session: Session,
    *,
    state: Annotated[
        Literal["queued", "running", "succeeded", "failed", "cancelled"] | None,
        typer.Option(help="Only jobs in this state."),
    ] = None,
    kind: Annotated[
        Literal["train", "evaluate", "tune", "batch"] | None, typer.Option(help="Only jobs of this kind.")
    ] = None,
    model: Annotated[str | None, typer.Option(metavar="NAME", help="Only jobs about this model.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, metavar="N", help="How many to list at most.")] = 20,
    after: options.After = None,
) -> None:
    """List the jobs, the newest first."""
    from lampyris.control.jobs import ListJobs
    from lampyris_local.cli.jobs import show_list

    wanted = ListJobs(state=state, kind=kind, model=model, limit=limit, after=after)
    session.answer("jobs list", wanted, show_list)


@app.command(epilog=example("lampyris jobs show 3f0c…", "lampyris jobs show 3f0c… --json"))
@asks
def show(session: Session, job: JobName) -> None:
    """Show how far a job is, what it costs, the end of its log, and what came of it."""
    from lampyris.control.jobs import OneJob
    from lampyris_local.cli.jobs import next_steps, show_details

    shown = session.answer("jobs show", OneJob(job=job), show_details)
    if not session.as_json:
        next_steps(shown, session.where)


@app.command(epilog=example("lampyris jobs follow 3f0c…"))
@asks
def follow(session: Session, job: JobName) -> None:
    """Watch a job until it has ended.

    Exit codes: 0 succeeded; 1 failed or cancelled, or an error; 130 after Ctrl-C, which leaves the job alone.
    """
    from lampyris_local.cli import following

    following.follow(session, job)


@app.command(epilog=example("lampyris jobs results 3f0c…", "lampyris jobs results 3f0c… --out answers"))
@asks
def results(
    session: Session,
    job: JobName,
    *,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Fetch them into this folder, instead of a list.")
    ] = None,
) -> None:
    """List or fetch the files that a job made."""
    from lampyris_local.cli import fetching

    if out is None:
        fetching.list_all(session, job)
    else:
        fetching.fetch_all(session, job, out)


@app.command(epilog=example("lampyris jobs cancel 3f0c…"))
@submits
def cancel(session: Session, job: JobName) -> None:
    """End a job, and its parts; what is done so far stays, and `retry` goes on from there."""
    from lampyris.control.jobs import OneJob
    from lampyris_local.cli.jobs import show_state

    session.answer("jobs cancel", OneJob(job=job), show_state)


@app.command(epilog=example("lampyris jobs retry 3f0c…"))
@submits
def retry(session: Session, job: JobName, *, follow: submit_commands.Follow = False) -> None:
    """Begin a job again that failed or was cancelled, from its checkpoint."""
    from lampyris.control.jobs import OneJob
    from lampyris_local.cli import following
    from lampyris_local.cli.jobs import next_steps, show_state

    if follow:
        session.ask("jobs retry", OneJob(job=job))
        following.follow(session, job)
        return
    state = session.answer("jobs retry", OneJob(job=job), show_state)
    if not session.as_json:
        next_steps(state, session.where)


@app.command(epilog=example("lampyris jobs redrive", "lampyris jobs redrive --limit 10"))
@submits
def redrive(
    session: Session,
    *,
    limit: Annotated[int, typer.Option(min=1, max=1000, metavar="N", help="How many, at most.")] = 100,
) -> None:
    """Begin all failed jobs again that wait in the dead-letter queue, each once."""
    from lampyris.control.jobs import Redrive
    from lampyris_local.cli.jobs import show_redriven

    session.answer("jobs redrive", Redrive(limit=limit), show_redriven)


@app.command(epilog=example("lampyris jobs purge 3f0c…"))
@removes
def purge(session: Session, job: JobName) -> None:
    """Remove a job that has ended, its parts and all their files; what it published stays."""
    from lampyris.control.jobs import OneJob
    from lampyris_local.cli.jobs import show_purged

    session.confirm(f"Remove the job {job} and all its files, beyond recovery?")
    session.answer("jobs purge", OneJob(job=job), show_purged)


@data.command("put", epilog=example("lampyris data put customers.parquet", "lampyris data put pictures/"))
@asks
def put(
    session: Session,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A file or a folder.")],
) -> None:
    """Send a file or a folder, and print what jobs call it. The same is sent once."""
    from lampyris_local.cli import submitting
    from lampyris_local.cli.output import print_json

    key = submitting.send_there(session, path)
    if session.as_json:
        print_json({"key": key})
    else:
        typer.echo(key)


@data.command("open", epilog=example("lampyris data open customers.parquet"))
@changes
def open_place(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the file is called.")],
) -> None:
    """Get an address that somebody without credentials can put a file at."""
    from lampyris.control.data import OpenData
    from lampyris_local.cli.jobs import show_place

    session.deployment.api()  # where none runs, no job would read it
    session.answer("data open", OpenData(name=name), show_place)
