"""Watching a job: what is said of each change, and how long silence is borne."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import msgspec
import pytest
from rich.console import Console
from rich.theme import Theme

from lampyris.control.job_states import JobDetails, JobProgress, Metric, Parts
from lampyris_local.cli.following import Bar, Lines, new_lines, wait
from lampyris_local.client import NoAnswer, Refused

JOB = JobDetails(
    job="0" * 32,
    kind="train",
    state="running",
    model="digits",
    by="ana",
    compute="lambda",
    created_at=datetime(2026, 1, 1, tzinfo=UTC),
    started_at=None,
    ended_at=None,
    progress=JobProgress(stage="", step=0, steps=0, unit="steps", metric=None, ends_at=None),
    attempts=1,
    cost_usd=0.0,
    failure=None,
    spec={},
    log=(),
    summary={},
    results=(),
    parts=None,
    shards=None,
    part_of=None,
)
SILENT = NoAnswer(url="http://here", reason="refused")
BUSY = Refused(status=503, problem="table-unavailable", detail="Try again.")


def at(step: int, **others: Any) -> JobDetails:
    progress = JobProgress(
        stage="training",
        step=step,
        steps=9,
        unit="epochs",
        metric=Metric(name="loss", value=0.5),
        ends_at=None,
    )
    return msgspec.structs.replace(JOB, progress=progress, **others)


def showing(*answers: JobDetails | Exception) -> Callable[[], JobDetails]:
    """Give the answers one by one, and the last for good."""
    left: Iterator[JobDetails | Exception] = iter(answers)

    def show() -> JobDetails:
        answer = next(left, answers[-1])
        if isinstance(answer, Exception):
            raise answer
        return answer

    return show


class Time:
    """Time that passes while somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def clock(self) -> float:
        return self.now_s


def watched(*answers: JobDetails | Exception) -> list[str]:
    text, time = StringIO(), Time()
    wait(showing(*answers), Lines(Console(file=text, width=200)), sleep=time.sleep, clock=time.clock)
    return text.getvalue().splitlines()


def test_each_change_is_a_line_and_what_stays_is_none() -> None:
    lines = watched(JOB, at(1), at(1), at(2, log=("a",)), at(2, log=("a", "b"), state="succeeded"))

    assert lines == [
        "running",
        "running: training, 1 of 9 epochs, loss 0.5",
        "a",
        "running: training, 2 of 9 epochs, loss 0.5",
        "b",
        "succeeded: training, 2 of 9 epochs, loss 0.5",
    ]


def test_parts_are_counted() -> None:
    parts = Parts(jobs=("a", "b", "c"), queued=1, running=2, succeeded=0, failed=0, cancelled=0)

    lines = watched(
        msgspec.structs.replace(JOB, parts=parts), msgspec.structs.replace(JOB, state="cancelled")
    )

    assert lines == ["running: parts: 2 running, 1 queued", "cancelled"]


def test_api_that_is_away_for_a_while_is_asked_again() -> None:
    lines = watched(JOB, SILENT, BUSY, msgspec.structs.replace(JOB, state="failed"))

    assert [line.partition(":")[0] for line in lines] == [
        "running",
        *["no answer, trying again"] * 2,
        "failed",
    ]


@pytest.mark.parametrize("error", [SILENT, BUSY])
def test_silence_is_borne_for_minutes_and_not_for_ever(error: Exception) -> None:
    time = Time()

    with pytest.raises(type(error)):
        wait(showing(JOB, error), Lines(Console(file=StringIO())), sleep=time.sleep, clock=time.clock)

    assert 300 < time.now_s < 310


def test_refusal_ends_the_watching_at_once() -> None:
    gone = Refused(status=404, problem="job-not-found", detail="There is no such job.")

    with pytest.raises(Refused, match="no such job"):
        watched(JOB, gone)


def test_long_job_is_asked_about_less_often() -> None:
    time, asked = Time(), []

    def show() -> JobDetails:
        asked.append(time.now_s)
        return JOB if time.now_s < 600 else msgspec.structs.replace(JOB, state="succeeded")

    wait(show, Lines(Console(file=StringIO())), sleep=time.sleep, clock=time.clock)

    assert asked[1] - asked[0] == 1.0
    assert asked[-1] - asked[-2] == 3.0


def test_bar_shows_stage_steps_metric_and_cost_with_the_log_above() -> None:
    text, theme = StringIO(), Theme({"quiet": "dim", "name": "cyan"})
    console = Console(file=text, force_terminal=True, width=120, color_system=None, theme=theme)

    with Bar(console) as bar:
        bar.see(at(3, log=("epoch [3]",), cost_usd=0.0123))

    assert "epoch [3]" in text.getvalue()
    assert "$0.012" in text.getvalue()
    assert "training, 3 of 9 epochs, loss 0.5" in text.getvalue()


def test_narrow_terminal_shows_all_that_is_told_and_the_time() -> None:
    text, theme = StringIO(), Theme({"quiet": "dim", "name": "cyan"})
    console = Console(file=text, force_terminal=True, width=60, color_system=None, theme=theme)
    parts = Parts(jobs=("a", "b", "c"), queued=1, running=2, succeeded=0, failed=0, cancelled=0)

    with Bar(console) as bar:
        bar.see(at(3, parts=parts, cost_usd=0.0123))

    assert "$0.012 0:00:00" in text.getvalue()
    assert "training, 3 of 9 epochs, loss 0.5; parts: 2 running, 1" in text.getvalue()


@pytest.mark.parametrize(
    ("before", "after", "new"),
    [
        ((), ("a",), ("a",)),
        (("a",), ("a",), ()),
        (("a", "b"), ("b", "c"), ("c",)),
        (("a", "b"), ("x", "y"), ("x", "y")),
        (("a", "a"), ("a", "a", "a"), ("a",)),
    ],
)
def test_log_goes_on_where_it_was(before: Any, after: Any, new: Any) -> None:
    assert new_lines(before, after) == new
