"""What a job costs beside its work: to submit it, to begin it, and to go on in another invocation.

All of it runs in the local cloud, from the project's own template, over HTTP.
"""

import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from io import BytesIO
from statistics import median
from typing import Any, Final
from uuid import uuid4

import httpx
import msgspec
import numpy as np
from rich.console import Console, Group
from rich.table import Table

from lampyris.jobs.prices import architecture_of, rate_usd_per_ms
from lampyris_local.cloud.local_cloud import LocalCloud
from lampyris_local.cloud.resources import client as aws_client
from lampyris_local.cloud.stack import Place
from subjects import ROOT

_POLL_S: Final = 0.02
_LIMIT_S: Final = 900.0
_ANSWER_LIMIT_S: Final = 60.0
# What the template gives the train function by default.
_RATE_USD_PER_S: Final = rate_usd_per_ms(8192, architecture_of(platform.machine())) * 1000
_ENDED: Final = ("succeeded", "failed", "cancelled")
# Long enough for some invocations of ten seconds, on the digits that scikit-learn brings.
_MODEL: Final = "bench-digits"
_ROWS: Final = 100_000
_LONG: Final = """
name = "bench-digits"
seed = 7
[dataset]
source = "sklearn"
name = "digits"
[model]
architecture = "mlp"
hidden = [512, 512]
[training]
epochs = {epochs}
batch_size = 32
"""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Times in seconds. `invocations` is how often the short trainings were handed over, in all."""

    submitted_s: tuple[float, ...]
    first_step_cold_s: float
    first_step_warm_s: float
    first_answer_cold_s: float
    first_answer_warm_s: float
    whole_s: float
    whole_billed_s: float
    handed_over_s: float
    handed_over_billed_s: float
    invocations: int
    time_limit_s: float
    same_result: bool

    @property
    def overhead_s(self) -> float:
        """What going on in another invocation takes, each time, of what is billed."""
        return (self.handed_over_billed_s - self.whole_billed_s) / max(1, self.invocations - 1)


def measure(
    console: Console, *, submissions: int = 100, epochs: int = 60, time_limit_s: float = 20.0
) -> Report:
    """Measure; `epochs` make the training that is handed over, in invocations of `time_limit_s`."""
    console.print("jobs: submitting, and the first step")
    with _cloud() as (_, client):
        _submit(client, _spec(epochs=1))  # the first wakes the functions
        submitted_s = tuple(_timed_submission(client) for _ in range(submissions))
        _quiet(client)
    with _cloud() as (cloud, client):
        cold_s = _first_step_s(client)
        warm_s = _first_step_s(client)
        console.print("jobs: one training, whole")
        whole = _run(client, _spec(epochs))
        console.print("jobs: the first answer of a file")
        _await_model(client)
        answer_cold_s = _first_answer_s(cloud, "cold")
        _quiet(client)
        answer_warm_s = _first_answer_s(cloud, "warm")
    console.print(f"jobs: the same training in invocations of {time_limit_s:g} s")
    with _cloud(time_limit_s=time_limit_s) as (_, client):
        short = _run(client, _spec(epochs))
    return Report(
        submitted_s=submitted_s,
        first_step_cold_s=cold_s,
        first_step_warm_s=warm_s,
        first_answer_cold_s=answer_cold_s,
        first_answer_warm_s=answer_warm_s,
        whole_s=whole.seconds,
        whole_billed_s=whole.billed_s,
        handed_over_s=short.seconds,
        handed_over_billed_s=short.billed_s,
        invocations=short.attempts,
        time_limit_s=time_limit_s,
        same_result=whole.score == short.score,
    )


class _Ended(msgspec.Struct, frozen=True, kw_only=True):
    seconds: float
    billed_s: float
    attempts: int
    score: Any


@contextmanager
def _cloud(time_limit_s: float | None = None) -> Iterator[tuple[LocalCloud, httpx.Client]]:
    with (
        LocalCloud(ROOT / "template.yaml", time_limit_s=time_limit_s) as cloud,
        httpx.Client(base_url=cloud.api_url, timeout=60) as client,
    ):
        yield cloud, client


def _spec(epochs: int) -> dict[str, Any]:
    return {"kind": "train", "recipe": _LONG.format(epochs=epochs), "publish": "live"}


def _submit(client: httpx.Client, spec: Mapping[str, Any]) -> str:
    answer = client.post("/jobs", json={"spec": spec}, headers={"idempotency-key": uuid4().hex})
    answer.raise_for_status()
    name: str = answer.json()["job"]
    return name


def _timed_submission(client: httpx.Client) -> float:
    started_s = time.perf_counter()
    name = _submit(client, _spec(epochs=1))
    elapsed_s = time.perf_counter() - started_s
    client.post(f"/jobs/{name}/cancel").raise_for_status()
    return elapsed_s


def _quiet(client: httpx.Client) -> None:
    """Wait until nothing is under way."""
    while any(job["state"] not in _ENDED for job in client.get("/jobs").json()["items"]):
        time.sleep(_POLL_S)


def _first_step_s(client: httpx.Client) -> float:
    """Return the time from asking for a training until its first step is done."""
    started_s = time.perf_counter()
    name = _submit(client, _spec(epochs=1))
    while True:
        job = client.get(f"/jobs/{name}").json()
        at_model = job["progress"].get("stage") == "model" and job["progress"].get("step", 0) > 0
        if at_model or job["state"] in _ENDED:
            elapsed_s = time.perf_counter() - started_s
            _await_end(client, name)
            return elapsed_s
        time.sleep(_POLL_S)


def _await_model(client: httpx.Client) -> None:
    """Wait until what was trained is published: a file for a model that is not there is dropped."""
    give_up_s = time.perf_counter() + _ANSWER_LIMIT_S
    while client.get(f"/models/{_MODEL}").status_code != httpx.codes.OK:
        if time.perf_counter() > give_up_s:
            raise RuntimeError(f"The model was not published within {_ANSWER_LIMIT_S:g} s.")
        time.sleep(_POLL_S)


def _first_answer_s(cloud: LocalCloud, name: str) -> float:
    """Return the time from putting a file for the model until its first answers are in the bucket."""
    bucket = cloud.outputs["Bucket"]
    with closing(aws_client("s3", Place(api_url=cloud.api_url, endpoint_url=cloud.endpoint_url))) as s3:
        content = BytesIO()
        np.save(content, np.zeros((_ROWS, 8, 8, 1), np.uint8))
        before = _answered(s3, bucket)
        started_s = time.perf_counter()
        s3.put_object(Bucket=bucket, Key=f"batch/{_MODEL}/{name}.npy", Body=content.getvalue())
        while _answered(s3, bucket) == before:
            if time.perf_counter() - started_s > _ANSWER_LIMIT_S:
                raise RuntimeError(f"No answers came within {_ANSWER_LIMIT_S:g} s.")
            time.sleep(_POLL_S)
        return time.perf_counter() - started_s


def _answered(s3: Any, bucket: str) -> int:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="jobs/")
    return sum("/answers/" in found["Key"] for page in pages for found in page.get("Contents", []))


def _run(client: httpx.Client, spec: Mapping[str, Any]) -> _Ended:
    started_s = time.perf_counter()
    job = _await_end(client, _submit(client, spec))
    if job["state"] != "succeeded":
        raise RuntimeError(f"The training {job['state']}: {job.get('failure')}")
    return _Ended(
        seconds=time.perf_counter() - started_s,
        billed_s=job["cost_usd"] / _RATE_USD_PER_S,
        attempts=job["attempts"],
        score=job["summary"].get("score"),
    )


def _await_end(client: httpx.Client, name: str) -> dict[str, Any]:
    give_up_s = time.perf_counter() + _LIMIT_S
    while time.perf_counter() < give_up_s:
        job: dict[str, Any] = client.get(f"/jobs/{name}").json()
        if job["state"] in _ENDED:
            return job
        time.sleep(0.2)
    raise RuntimeError(f"The job {name} did not end within {_LIMIT_S:g} s.")


def as_table(report: Report) -> Group:
    table = Table("what", "time", title="Jobs in the local cloud", title_justify="left")
    ordered = sorted(report.submitted_s)
    table.add_row("submit, p50", f"{median(ordered) * 1000:.0f} ms")
    table.add_row("submit, p99", f"{ordered[int(len(ordered) * 0.99)] * 1000:.0f} ms")
    table.add_row("first step of a training, cold", f"{report.first_step_cold_s:.1f} s")
    table.add_row("first step of a training, warm", f"{report.first_step_warm_s:.1f} s")
    table.add_row(f"first answers of a file of {_ROWS:,} rows, cold", f"{report.first_answer_cold_s:.1f} s")
    table.add_row("first answers of such a file, warm", f"{report.first_answer_warm_s:.1f} s")
    table.add_row("one training, whole", f"{report.whole_s:.1f} s, {report.whole_billed_s:.1f} s billed")
    table.add_row(
        f"the same in {report.invocations} invocations of {report.time_limit_s:g} s",
        f"{report.handed_over_s:.1f} s, {report.handed_over_billed_s:.1f} s billed",
    )
    table.add_row("to go on, each time", f"{report.overhead_s:.1f} s billed")
    table.add_row("the same result", "yes" if report.same_result else "NO")
    return Group(table)


if __name__ == "__main__":
    Console().print(as_table(measure(Console(stderr=True))))
