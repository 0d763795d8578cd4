"""`lampyris jobs submit`: local files go ahead of the job that reads them, and are sent once."""

import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from lampyris.control.job_states import JobState
from lampyris.control.jobs import Submit
from lampyris.errors import LampyrisError
from lampyris.jobs.specs import INPUTS, Spec
from lampyris_local.cli.following import SERVER_ERROR, follow
from lampyris_local.cli.jobs import next_steps, show_state
from lampyris_local.cli.output import print_json, remarks
from lampyris_local.cli.sending import sending
from lampyris_local.cli.session import Session
from lampyris_local.client import NoAnswer, Refused
from lampyris_local.data import pack, send

# What is not on this machine.
ELSEWHERE = ("s3://", "https://")
_WAITS_S = (1, 3, 9)


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the command line asks of a job, whatever it is to do."""

    webhook: str | None
    max_attempts: int
    follow: bool


@dataclass(eq=False, kw_only=True)
class UnreadableRecipe(LampyrisError):
    code = "unreadable-recipe"
    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.path} cannot be read: {self.reason}."


def submit(session: Session, spec: Spec, wish: Wish) -> None:
    """Ask for a job, and say what to type next, or watch it. Raises: Refused, NoAnswer; as `follow`."""
    asked = Submit(spec=spec, webhook=wish.webhook, max_attempts=wish.max_attempts)
    job = _ask(session, asked)
    if wish.follow:
        remarks().print(f"Submitted {job.job}.")
        follow(session, job.job)
    elif session.as_json:
        print_json(job)
    else:
        show_state(job)
        next_steps(job, session.where)


def _ask(session: Session, asked: Submit) -> JobState:
    """Ask for a job, and ask again while the API is away: by the same key it is the same job."""
    for wait_s in _WAITS_S:
        try:
            return cast("JobState", session.ask("jobs submit", asked))
        except (NoAnswer, Refused) as error:
            if isinstance(error, Refused) and error.status < SERVER_ERROR:
                raise
            remarks().print(f"no answer, trying again in {wait_s} s: {error}", soft_wrap=True)
            time.sleep(wait_s)
    return cast("JobState", session.ask("jobs submit", asked))


def read_recipe(path: Path) -> str:
    """Raises: UnreadableRecipe."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UnreadableRecipe(path=path, reason=(error.strerror or str(error)).lower()) from None
    except UnicodeDecodeError:
        raise UnreadableRecipe(path=path, reason="it is not text in UTF-8") from None


def data_of(session: Session, recipe: str, given: str | None) -> str | None:
    """Return what a job calls the data of a recipe; those that it reads from this machine are sent first.

    Raises: NoData, StoreUnavailable.
    """
    if given is not None:
        return place_of(session, given)
    try:
        dataset = tomllib.loads(recipe).get("dataset")
    except tomllib.TOMLDecodeError:
        return None  # the API says what is wrong, and where
    path = dataset.get("path") if isinstance(dataset, dict) else None
    if not isinstance(path, str) or path.startswith(ELSEWHERE):
        return None
    return send_there(session, Path(path).expanduser())


def place_of(session: Session, given: str) -> str:
    """Return what a job calls its data: a local file or folder is sent first.

    Raises: NoData, StoreUnavailable.
    """
    if given.startswith(ELSEWHERE) or (given.startswith(INPUTS) and not Path(given).exists()):
        return given
    return send_there(session, Path(given).expanduser())


def send_there(session: Session, path: Path) -> str:
    """Send a file or a folder, and return what jobs call it. Raises: NoData, NoApi, StoreUnavailable."""
    session.deployment.api()  # a folder runs no jobs
    console = remarks()
    with console.status(f"reading {path}"):
        packed = pack(path)
    with sending(f"sending {path.name}", size_bytes=packed.size_bytes) as on_sent:
        sent = send(session.deployment.store, packed, on_sent=on_sent)
    if sent:
        console.print(f"Sent {path} as {packed.key}.", soft_wrap=True)
    return packed.key
