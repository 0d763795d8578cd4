"""`lampyris jobs results`: the files that a job made, into a folder."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import httpx
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn

from lampyris.control.job_results import ResultsOf
from lampyris.control.job_states import JobResult
from lampyris.errors import LampyrisError
from lampyris_local.api import Api
from lampyris_local.cli.output import answers, count, new_table, print_json, remarks, size
from lampyris_local.cli.session import Session
from lampyris_local.client import NoAnswer

_AT_ONCE = 200
_NO_FILES = "There are no files: a job has them when it has succeeded, for 30 days."
_TIMEOUT = httpx.Timeout(60.0, connect=5.0)


@dataclass(eq=False, kw_only=True)
class NotFetched(LampyrisError):
    code = "not-fetched"
    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name!r} was not fetched: {self.reason}."


def list_all(session: Session, job: str) -> None:
    """Print the files of a job."""
    files = list(_files(session, job))
    if session.as_json:
        print_json(files)
        return
    if not files:
        remarks().print(_NO_FILES)
        return
    table = new_table("file", "size", numbers=("size",))
    for file in files:
        table.add_row(file.name, size(file.size_bytes or 0))
    answers().print(table)


def fetch_all(session: Session, job: str, out: Path) -> None:
    """Fetch the files of a job into a folder. What stands there may be another job's, and is written over.

    Raises: NotFetched, Refused, NoAnswer.
    """
    console = remarks()
    fetched: list[str] = []
    with (
        httpx.Client(timeout=_TIMEOUT, trust_env=session.deployment.sign is not None) as http,
        Progress(
            SpinnerColumn(style="name"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            DownloadColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        ) as progress,
    ):
        for file in _files(session, job):
            task = progress.add_task(file.name, total=file.size_bytes)
            path = _place(out, file.name)
            _fetch(http, file, path, partial(progress.advance, task))
            progress.remove_task(task)
            fetched.append(str(path))
    if session.as_json:
        print_json({"out": str(out), "files": fetched})
    elif not fetched:
        console.print(_NO_FILES)
    else:
        answers().print(f"{count(len(fetched), 'file')} in {out}.")


def _files(session: Session, job: str) -> Iterator[JobResult]:
    after: str | None = None
    with Api(session.deployment) as api:
        while True:
            page = api.ask("jobs results", ResultsOf(job=job, limit=_AT_ONCE, after=after))
            yield from page.items
            after = page.next
            if after is None:
                return


def _place(out: Path, name: str) -> Path:
    """Return where a file goes, which is below `out`. Raises: NotFetched."""
    parts = PurePosixPath(name).parts
    if not parts or ".." in parts or name.startswith("/") or "\\" in name or "\0" in name:
        raise NotFetched(name=name, reason="its name leads out of the folder")
    return out.joinpath(*parts)


def _fetch(http: httpx.Client, file: JobResult, path: Path, on_read: Callable[[int], None]) -> None:
    """Fetch a file; it is at its place whole, or not at all."""
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with http.stream("GET", file.url) as response, part.open("wb") as target:
            if not response.is_success:
                raise NotFetched(name=file.name, reason=f"the store answered {response.status_code}")
            for portion in response.iter_raw():
                target.write(portion)
                on_read(len(portion))
        part.replace(path)
    except httpx.TransportError as error:
        raise NoAnswer(url="The store", reason=str(error) or type(error).__name__) from None
    except OSError as error:
        raise NotFetched(name=file.name, reason=(error.strerror or str(error)).lower()) from None
