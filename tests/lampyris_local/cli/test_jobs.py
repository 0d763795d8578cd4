"""Jobs from the command line, against the control function behind HTTP, with a bucket as moto serves it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex

import boto3
import msgspec
import pytest
from moto.server import ThreadedMotoServer
from typer.testing import CliRunner, Result

from lampyris.adapters.memory_queues import MemoryQueues
from lampyris.adapters.memory_table import MemoryTable
from lampyris.adapters.object_store import s3_store
from lampyris.bootstrap import Control
from lampyris.domain.store import Store
from lampyris.errors import LampyrisError, TableUnavailable
from lampyris.http.control.routes import answer
from lampyris.http.event import Request
from lampyris.http.problems import problem_reply
from lampyris.http.response import response_of
from lampyris.jobs import transitions
from lampyris.jobs.dead_letters import DeadLetter
from lampyris.jobs.holding import Hold, take
from lampyris.jobs.job import Failure, Progress
from lampyris.jobs.jobs import Jobs
from lampyris_local.cli.commands import app
from lampyris_local.cli.jobs import dollars
from lampyris_local.cloud.gateway import Gateway
from lampyris_local.cloud.http_server import HttpServer
from lampyris_local.cloud.invocation import Invocation
from lampyris_local.cloud.listening import listen
from lampyris_local.cloud.loop_thread import LoopThread
from lampyris_local.cloud.reports import Report
from lampyris_local.cloud.stack import Place, Route

Run = Callable[..., Result]

RECIPE = 'name = "digits"\n[dataset]\nsource = "sklearn"\nname = "digits"\n'
REGION = "us-east-1"


class Letters:
    """A queue of failed jobs in memory."""

    def __init__(self) -> None:
        self.waiting: list[DeadLetter] = []

    def receive(self, limit: int) -> Sequence[DeadLetter]:
        return tuple(self.waiting[:limit])

    def remove(self, letter: DeadLetter) -> None:
        self.waiting.remove(letter)


# What `lampyris` runs.
COMMAND = [sys.executable, "-c", "from lampyris_local.cli.commands import main; main()"]


class World:
    """A deployment whose jobs are moved by hand."""

    def __init__(self, store: Store, bucket: str, endpoint: str) -> None:
        self.store, self.bucket, self.endpoint = store, bucket, endpoint
        self.jobs = Jobs(MemoryTable(), MemoryQueues(), now=lambda: datetime.now(UTC))
        self.letters = Letters()
        self.api_url = ""
        # How often its table cannot be reached.
        self.away = 0

    def control(self) -> Control:
        return Control(
            store=self.store,
            backups=None,
            body_limit_bytes=1000,
            clock=lambda: 0.0,
            now=lambda: datetime.now(UTC),
            new_id=lambda: token_hex(16),
            open_jobs=self._open_jobs,
            open_dead_letters=lambda: self.letters,
            bucket=self.bucket,
        )

    def _open_jobs(self) -> Jobs:
        if self.away:
            self.away -= 1
            raise TableUnavailable(operation="read", cause="a test")
        return self.jobs

    def take(self, job: str) -> Hold:
        self.jobs.change(job, lambda one: transitions.called(one, one.generation))
        hold = take(self.jobs, job, token_hex(4), clock=lambda: 0.0)
        assert hold is not None
        return hold

    def done(self, job: str) -> None:
        self.jobs.change(job, lambda one: msgspec.structs.replace(one, duties=()))


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def world(s3: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Serve a control function over HTTP, as the local cloud does."""
    for name, value in {
        "ACCESS_KEY_ID": "local",
        "SECRET_ACCESS_KEY": "local",
        "DEFAULT_REGION": REGION,
    }.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    bucket = f"bucket-{token_hex(4)}"
    boto3.client("s3", endpoint_url=s3, region_name=REGION).create_bucket(Bucket=bucket)
    world = World(s3_store(bucket, endpoint=s3), bucket, s3)
    control = world.control()
    report = Report(
        request_id="", duration_ms=0, init_duration_ms=None, memory_mb=1769, max_memory_mb=0, status=None
    )

    async def invoke(_name: str, payload: bytes) -> Invocation:
        # Without the function around it, which logs to the stdout that the commands write to here.
        request = Request.from_event(json.loads(payload))
        try:
            reply = answer(request, control, "local")
        except LampyrisError as error:
            reply = problem_reply(error, "r")
        response = json.dumps(response_of(reply, request)).encode()
        return Invocation(body=response, function_error=None, report=report, log=())

    listener = listen(0)
    host, port = listener.getsockname()
    world.api_url = f"http://{host}:{port}"
    routes = [Route(function="control", method="ANY", path=None)]
    gateway = Gateway(routes, invoke, Place(api_url=world.api_url, endpoint_url=s3))
    server = HttpServer(gateway, {"Bucket": bucket, "endpoint": s3, "region": REGION}, listener)
    with LoopThread() as loop:
        loop.run(server.start())
        yield world
        loop.run(server.stop())


@pytest.fixture
def run(world: World) -> Run:
    def run(*arguments: object) -> Result:
        runner = CliRunner(env={"LAMPYRIS_ENDPOINT": world.api_url})
        return runner.invoke(app, [str(each) for each in arguments])

    return run


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "digits.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture
def job(run: Run, recipe: Path) -> str:
    """The name of a job that waits."""
    return str(json.loads(run("jobs", "submit", "train", recipe, "--json").stdout)["job"])


def test_submitted_job_says_how_to_watch_it(run: Run, recipe: Path, world: World) -> None:
    result = run("jobs", "submit", "train", recipe, "--endpoint", world.api_url + "/")

    (made,) = world.jobs.recent(limit=9)
    assert result.exit_code == 0, result.stderr
    assert f"Job {made.id} (train of digits) is queued" in result.stdout
    assert f"jobs follow {made.id} --endpoint {world.api_url}/" in result.stderr


def test_same_key_submits_once(run: Run, recipe: Path, world: World) -> None:
    for _ in range(2):
        assert run("jobs", "submit", "tune", recipe, "--trials", 3, "--idempotency-key", "k").exit_code == 0

    (made,) = world.jobs.recent(limit=9)
    assert made.spec["trials"] == 3


def test_submit_asks_again_while_nobody_answers(run: Run, recipe: Path, world: World) -> None:
    world.away = 1

    result = run("jobs", "submit", "train", recipe)

    assert result.exit_code == 0, result.stderr
    assert "no answer, trying again in 1 s: The table of jobs" in result.stderr
    assert len(list(world.jobs.recent(limit=9))) == 1


def test_refusal_is_one_sentence(run: Run, tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text("name = 3")

    result = run("jobs", "submit", "train", tmp_path / "r.toml")

    assert result.exit_code == 1
    assert "recipe names no model" in result.stderr
    assert "[malformed-request]" in result.stderr
    assert run("jobs", "submit", "train", tmp_path / "absent.toml").exit_code == 1


def test_local_data_go_ahead_of_the_job_and_are_sent_once(
    run: Run, recipe: Path, tmp_path: Path, world: World
) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")

    first = run("jobs", "submit", "train", recipe, "--data", tmp_path / "x.csv")
    again = run("jobs", "submit", "train", recipe, "--data", tmp_path / "x.csv")

    data = {made.spec["data"] for made in world.jobs.recent(limit=9)}
    assert len(data) == 1
    (key,) = data
    assert world.store.get(key).data == b"a,b\n1,2\n"
    assert f"as {key}." in first.stderr
    assert "Sent" not in again.stderr


def test_data_that_a_recipe_reads_from_this_machine_go_too(run: Run, tmp_path: Path, world: World) -> None:
    folder = tmp_path / "pictures"
    (folder / "dark").mkdir(parents=True)
    (folder / "dark" / "1.png").write_bytes(b"1")
    (folder / ".hidden").write_bytes(b"2")
    (tmp_path / "r.toml").write_text(f'name = "p"\n[dataset]\nsource = "images"\npath = "{folder}"\n')

    result = run("jobs", "submit", "train", tmp_path / "r.toml")

    assert result.exit_code == 0, result.stderr
    (made,) = world.jobs.recent(limit=9)
    prefix = made.spec["data"]
    assert prefix.endswith("/pictures/")
    assert [entry.key for entry in world.store.list("data/")] == [f"{prefix}dark/1.png"]


def test_input_in_the_bucket_is_not_looked_for_here(run: Run, recipe: Path, world: World) -> None:
    world.store.put("data/x.csv", b"1")

    assert run("jobs", "submit", "train", recipe, "--data", "data/x.csv").exit_code == 0
    assert run("jobs", "submit", "train", recipe, "--data", f"s3://{world.bucket}/data/x.csv").exit_code == 0
    assert "nothing at 'data/y.csv'" in run("jobs", "submit", "train", recipe, "--data", "data/y.csv").stderr


def test_data_that_are_not_there_are_named(run: Run, recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    absent = run("jobs", "submit", "train", recipe, "--data", tmp_path / "absent.csv")
    empty = run("jobs", "submit", "train", recipe, "--data", tmp_path / "empty")

    assert "absent.csv cannot be sent: no such file" in absent.stderr
    assert "there are no files in it" in empty.stderr


def test_list_shows_how_far_each_is(run: Run, job: str, world: World) -> None:
    world.take(job).beat(
        Progress(stage="training", step=3, steps=15, unit="epochs", metric=("loss", 0.41234))
    )

    row = run("jobs", "list", "--state", "running").stdout.splitlines()[1]

    assert job in row
    assert "training, 3 of 15 epochs, loss 0.4123" in row
    assert "There are none." in run("jobs", "list", "--kind", "batch").stderr
    assert json.loads(run("jobs", "list", "--json").stdout)["items"][0]["job"] == job


def test_failed_job_shows_why_its_log_and_the_way_on(run: Run, job: str, world: World) -> None:
    hold = world.take(job)
    hold.beat(log=("reading data",))
    hold.fail(Failure(code="bad-data", detail="Column 3 is empty."))

    result = run("jobs", "show", job)

    assert "has failed: Column 3 is empty. [bad-data]" in result.stdout
    assert "reading data" in result.stdout
    assert f"jobs retry {job}" in result.stderr


def test_follow_prints_lines_in_a_pipe_until_the_job_has_ended(run: Run, job: str, world: World) -> None:
    hold = world.take(job)
    hold.beat(Progress(stage="training", step=2, steps=2, unit="epochs"), log=("epoch 2",))
    hold.succeed(results={}, summary={"score": 0.97})

    result = run("jobs", "follow", job)

    lines = result.stdout.splitlines()
    assert result.exit_code == 0
    assert lines[:2] == ["epoch 2", "succeeded: training, 2 of 2 epochs"]
    assert "0.97" in result.stdout
    assert f"jobs results {job} --out DIR" in result.stderr


def test_ctrl_c_ends_the_watching_and_not_the_job(job: str, world: World) -> None:
    following = subprocess.Popen(
        [*COMMAND, "jobs", "follow", job, "--endpoint", world.api_url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert following.stdout is not None

    first = following.stdout.readline()
    following.send_signal(signal.SIGINT)
    _, told = following.communicate()

    assert first == "queued\n"
    assert following.returncode == 130
    assert "The job goes on" in told
    assert f"jobs follow {job} --endpoint {world.api_url}" in told
    assert world.jobs.get(job).state == "queued"


def test_follow_exits_1_for_a_job_that_failed_and_keeps_its_json_whole(
    run: Run, job: str, world: World
) -> None:
    world.take(job).fail(Failure(code="bad-data", detail="Column 3 is empty."))

    result = run("jobs", "follow", job, "--json")

    assert result.exit_code == 1
    assert json.loads(result.stdout)["failure"]["code"] == "bad-data"
    assert "failed" in result.stderr


def test_submit_may_follow_at_once(run: Run, recipe: Path, world: World) -> None:
    key = ("--idempotency-key", "k")
    made = json.loads(run("jobs", "submit", "train", recipe, *key, "--json").stdout)["job"]
    world.take(made).succeed(results={}, summary={})

    result = run("jobs", "submit", "train", recipe, *key, "--follow")

    assert result.exit_code == 0
    assert "has succeeded" in result.stdout


def test_model_is_shown_once_it_is_judged_and_its_refusal_too(run: Run, job: str, world: World) -> None:
    world.take(job).succeed(results={}, summary={"upload": f"{job}-1"})

    result = run("jobs", "show", job)

    assert "models digits" in result.stderr
    assert "rejected digits" in result.stderr


def test_model_that_is_not_published_is_not_to_be_seen(run: Run, job: str, world: World) -> None:
    world.take(job).succeed(results={}, summary={"score": 0.97})

    result = run("jobs", "show", job)

    assert "models digits" not in result.stderr


def test_job_that_was_asked_for_wrongly_is_asked_for_anew(run: Run, job: str, world: World) -> None:
    world.take(job).fail(Failure(code="invalid-recipe", detail="model.architecture is 'mpl'."))

    result = run("jobs", "show", job)

    assert "jobs submit train --help" in result.stderr
    assert "jobs retry" not in result.stderr


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_name_that_no_job_has_is_no_other_address(run: Run, name: str) -> None:
    shown = run("jobs", "show", name)
    purged = run("jobs", "purge", name, "--yes")

    assert (shown.exit_code, purged.exit_code) == (1, 1)
    assert f"There is no job {name!r}" in shown.stderr
    assert f"There is no job {name!r}" in purged.stderr


def test_results_of_the_same_size_are_not_taken_for_each_other(
    run: Run, job: str, world: World, tmp_path: Path
) -> None:
    (tmp_path / "answers.npy").write_bytes(b"another job's")
    world.store.put(f"jobs/{job}/1/answers.npy", b"this one's...")
    world.take(job).succeed(results={"answers": f"jobs/{job}/1/answers.npy"}, summary={})

    run("jobs", "results", job, "--out", tmp_path)

    assert (tmp_path / "answers.npy").read_bytes() == b"this one's..."


def test_names_are_whole_in_a_list_on_a_narrow_terminal(job: str, world: World) -> None:
    terminal, end = os.openpty()

    subprocess.run(
        [*COMMAND, "jobs", "list", "--endpoint", world.api_url],
        stdout=end,
        env=os.environ | {"COLUMNS": "80", "NO_COLOR": "1"},
        check=True,
    )
    os.close(end)
    lines = os.read(terminal, 4096).decode().splitlines()
    os.close(terminal)

    assert job in lines[2]
    assert "queued" in lines[2]


def test_dollars_are_no_powers_of_ten() -> None:
    told = [dollars(paid) for paid in (0.0, 0.00001, 0.0123, 1.2)]

    assert told == ["$0.00", "$0.00001", "$0.012", "$1.20"]


def test_results_are_fetched_into_a_folder(run: Run, job: str, world: World, tmp_path: Path) -> None:
    for name in ("answers/0000.ndjson", "answers/0001.ndjson", "manifest.json"):
        world.store.put(f"jobs/{job}/1/{name}", name.encode())
    keys = {"answers": f"jobs/{job}/1/answers/", "manifest.json": f"jobs/{job}/1/manifest.json"}
    world.take(job).succeed(results=keys, summary={})

    listed = run("jobs", "results", job)
    fetched = run("jobs", "results", job, "--out", tmp_path / "out")

    assert "answers/0001.ndjson" in listed.stdout
    assert "3 files in" in fetched.stdout
    assert (tmp_path / "out" / "answers" / "0001.ndjson").read_text() == "answers/0001.ndjson"
    assert not list((tmp_path / "out").rglob("*.part"))


def test_job_without_results_is_said_to_have_none(run: Run, job: str, tmp_path: Path) -> None:
    listed = run("jobs", "results", job)
    fetched = run("jobs", "results", job, "--out", tmp_path / "out")

    assert "There are no files" in listed.stderr
    assert (fetched.exit_code, fetched.stdout) == (0, "")
    assert fetched.stderr == listed.stderr


def test_job_is_cancelled_and_begun_again(run: Run, job: str, world: World) -> None:
    cancelled = run("jobs", "cancel", job)
    again = run("jobs", "retry", job)

    assert "is cancelled" in cancelled.stdout
    assert "is queued" in again.stdout
    assert world.jobs.get(job).state == "queued"


def test_redrive_says_how_many(run: Run, job: str, world: World) -> None:
    world.take(job).fail(Failure(code="bad-data", detail="Column 3 is empty."))
    world.letters.waiting.append(DeadLetter(job=job, why={}, receipt="1"))

    result = run("jobs", "redrive")

    assert "Began 1 failed job again." in result.stdout
    assert job in result.stdout


def test_purged_job_is_gone(run: Run, job: str, world: World) -> None:
    world.store.put(f"jobs/{job}/1/x", b"1")
    run("jobs", "cancel", job)
    world.done(job)

    unasked, purged = run("jobs", "purge", job), run("jobs", "purge", job, "--yes")

    assert "[not-confirmed]" in unasked.stderr
    assert "Removed 1 job and 1 file." in purged.stdout
    assert "[job-not-found]" in run("jobs", "show", job).stderr


def test_data_are_put_or_a_place_is_opened_for_them(run: Run, tmp_path: Path, world: World) -> None:
    (tmp_path / "x.csv").write_text("1")

    put = run("data", "put", tmp_path / "x.csv")
    opened = run("data", "open", "x.csv", "--json")

    assert world.store.get(put.stdout.strip()).data == b"1"
    assert json.loads(opened.stdout)["key"].startswith("data/")


def test_estimated_end_is_told_as_the_time_that_is_left(run: Run, job: str, world: World) -> None:
    ends_at = datetime.now(UTC) + timedelta(minutes=10, seconds=20)
    world.take(job).beat(Progress(stage="training", step=1, steps=9, ends_at=ends_at))

    assert "about 10 min left" in run("jobs", "show", job).stdout


def test_folder_has_no_jobs(tmp_path: Path, recipe: Path) -> None:
    endpoint = (tmp_path / "registry").as_uri()

    result = CliRunner().invoke(app, ["jobs", "submit", "train", str(recipe), "--endpoint", endpoint])

    assert result.exit_code == 1
    assert "[no-api]" in result.stderr
