"""Jobs over HTTP: asked for, watched, ended, begun again and cleared away, in memory."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import msgspec
import pytest

from lampyris.adapters.memory_queues import MemoryQueues
from lampyris.adapters.memory_store import MemoryStore
from lampyris.adapters.memory_table import MemoryTable
from lampyris.adapters.object_store import memory_store
from lampyris.adapters.telemetry import Telemetry
from lampyris.bootstrap import Control
from lampyris.control.call import Caller, Registry
from lampyris.control.jobs import ListJobs, list_all
from lampyris.errors import NoJobs
from lampyris.http.control.function import ControlFunction
from lampyris.jobs import transitions
from lampyris.jobs.attending import Attending
from lampyris.jobs.dead_letters import DeadLetter
from lampyris.jobs.holding import Hold, take
from lampyris.jobs.job import Failure, Progress, Shards
from lampyris.jobs.jobs import Asked, Jobs
from lampyris.jobs.slots import Limits, Slots
from lampyris.jobs.table import Item
from lampyris.jobs.wake_ups import WakeUp

RECIPE = 'name = "digits"\n[dataset]\nsource = "sklearn"\nname = "digits"\n'
TRAIN = {"spec": {"kind": "train", "recipe": RECIPE}}
BUCKET = "the-bucket-of-nobody-else"
START = datetime(2026, 1, 1, tzinfo=UTC)


class Letters:
    """A queue of failed jobs in memory."""

    def __init__(self) -> None:
        self.waiting: list[DeadLetter] = []

    def receive(self, limit: int) -> Sequence[DeadLetter]:
        return tuple(self.waiting[:limit])

    def remove(self, letter: DeadLetter) -> None:
        self.waiting = [one for one in self.waiting if one != letter]


class World:
    """A deployment whose jobs are moved by hand."""

    def __init__(self, store: Any) -> None:
        moments = count()
        self.store = store
        self.queues = MemoryQueues()
        self.letters = Letters()
        self.jobs = Jobs(MemoryTable(), self.queues, now=lambda: START + timedelta(seconds=next(moments)))

    def control(self) -> Control:
        ids = count(1)
        return Control(
            store=self.store,
            backups=memory_store(),
            body_limit_bytes=1000,
            clock=lambda: 0.0,
            now=lambda: START,
            new_id=lambda: f"{next(ids):032x}",
            open_jobs=lambda: self.jobs,
            open_dead_letters=lambda: self.letters,
            bucket=BUCKET,
        )

    def take(self, job: str, clock: Callable[[], float] = lambda: 0.0) -> Hold:
        """Take a job as a worker that costs a dollar a second."""
        self.jobs.change(job, lambda one: transitions.called(one, one.generation))
        hold = take(self.jobs, job, "a worker", clock=clock, rate_usd_per_ms=0.001)
        assert hold is not None
        return hold

    def fail(self, job: str) -> None:
        self.take(job).fail(Failure(code="bad-data", detail="Column 3 is empty."))
        self.letters.waiting.append(
            DeadLetter(job=job, why={"code": "bad-data"}, receipt=str(len(self.letters.waiting)))
        )


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore(now=lambda: START)


@pytest.fixture
def world(store: MemoryStore) -> World:
    return World(store)


@pytest.fixture
def control_function(world: World) -> ControlFunction:
    return ControlFunction(world.control(), Telemetry("control", now_s=lambda: 0.0), init_ms=1.0)


Ask = Callable[..., Any]


def submitted(ask: Ask, body: Any = None, **others: Any) -> str:
    answer = ask("POST", "/jobs", TRAIN if body is None else body, **others)
    assert answer.status == 202, answer.body
    return str(answer.document["job"])


def done(world: World, job: str) -> None:
    """Do what is left to do for a job that has ended, as who attends to jobs does."""
    world.jobs.change(job, lambda one: msgspec.structs.replace(one, duties=()))


def test_job_is_taken_at_once_and_says_where_it_is(ask: Ask) -> None:
    answer = ask("POST", "/jobs", TRAIN, by="arn:aws:iam::1:user/ana")

    job = answer.document
    assert answer.status == 202
    assert answer.headers["location"] == f"/jobs/{job['job']}"
    assert (job["state"], job["kind"], job["model"]) == ("queued", "train", "digits")
    assert job["by"] == "arn:aws:iam::1:user/ana"
    assert ask("GET", answer.headers["location"]).document["spec"]["publish"] == "live"


def test_same_key_is_the_same_job(ask: Ask, world: World) -> None:
    headers = {"idempotency-key": "k1"}

    first, again = ask("POST", "/jobs", TRAIN, headers=headers), ask("POST", "/jobs", TRAIN, headers=headers)

    assert first.document["job"] == again.document["job"]
    assert len(list(world.jobs.recent(limit=9))) == 1


def test_key_of_another_job_is_refused(ask: Ask) -> None:
    submitted(ask, headers={"idempotency-key": "k1"})

    other = {"spec": {**TRAIN["spec"], "workers": 2}}
    answer = ask("POST", "/jobs", other, headers={"idempotency-key": "k1"})

    assert (answer.status, answer.document["code"]) == (422, "idempotency-key-reused")


def test_same_key_finds_its_job_when_the_data_are_gone(ask: Ask, store: MemoryStore) -> None:
    store.put("data/x.csv", b"a,b\n")
    body = {"spec": {"kind": "train", "recipe": RECIPE, "data": "data/x.csv"}}
    job = submitted(ask, body, headers={"idempotency-key": "k1"})
    store.delete("data/x.csv")

    assert submitted(ask, body, headers={"idempotency-key": "k1"}) == job


@pytest.mark.parametrize(
    ("spec", "status", "told"),
    [
        ({"kind": "dance"}, 400, "dance"),
        ({"kind": "train"}, 400, "recipe"),
        ({"kind": "train", "recipe": RECIPE, "epochs": 3}, 400, "epochs"),
        ({"kind": "train", "recipe": "name = "}, 400, "not TOML"),
        ({"kind": "train", "recipe": "seed = 1"}, 400, "names no model"),
        ({"kind": "train", "recipe": RECIPE.replace("digits", "Digits!", 1)}, 400, "name of a model"),
        ({"kind": "train", "recipe": 'name = "x"'}, 400, "no [dataset]"),
        (
            {"kind": "train", "recipe": 'name = "x"\n[dataset]\nsource = "csv"\npath = "x.csv"'},
            400,
            "one machine",
        ),
        ({"kind": "train", "recipe": RECIPE, "data": "models/x"}, 400, "below data/"),
        ({"kind": "train", "recipe": RECIPE, "data": "data/../models/x"}, 400, "below data/"),
        ({"kind": "train", "recipe": RECIPE, "data": "uploads/"}, 400, "uploads/"),
        ({"kind": "train", "recipe": RECIPE, "data": "s3://other/data/x"}, 400, "bucket alone"),
        ({"kind": "train", "recipe": RECIPE, "data": "https://example.com/x"}, 400, "SHA-256"),
        ({"kind": "train", "recipe": RECIPE, "data": "data/absent.csv"}, 404, "data/absent.csv"),
        ({"kind": "train", "recipe": RECIPE, "workers": 0}, 400, "workers"),
        ({"kind": "batch", "model": "absent", "input": "data/x"}, 404, "absent"),
        ({"kind": "batch", "model": "No", "input": "data/x"}, 400, "'No'"),
        ({"kind": "evaluate", "model": "absent", "version": "7", "recipe": RECIPE}, 404, "no version 7"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_reason(ask: Ask, spec: Any, status: int, told: str) -> None:
    answer = ask("POST", "/jobs", {"spec": spec})

    assert answer.status == status
    assert told in answer.document["detail"]


def test_input_may_be_named_as_s3_does_or_by_its_folder(ask: Ask, store: MemoryStore) -> None:
    store.put("data/flowers/a.png", b"")

    for place in (f"s3://{BUCKET}/data/flowers/", "data/flowers", f"s3://{BUCKET}/data/flowers/a.png"):
        job = submitted(ask, {"spec": {"kind": "train", "recipe": RECIPE, "data": place}})

        assert ask("GET", f"/jobs/{job}").document["spec"]["data"] == place.removeprefix(f"s3://{BUCKET}/")


def test_batch_is_about_a_model_that_is_there(ask: Ask, store: MemoryStore, publish_linear: Any) -> None:
    publish_linear()
    store.put("data/rows.csv", b"1\n")

    job = submitted(ask, {"spec": {"kind": "batch", "model": "glow", "input": "data/rows.csv"}})

    assert ask("GET", f"/jobs/{job}").document["model"] == "glow"


@pytest.mark.parametrize("webhook", ["http://example.com/x", "https://", "ftp://a/b", "https://u@h/x"])
def test_webhook_is_an_https_address(ask: Ask, webhook: str) -> None:
    answer = ask("POST", "/jobs", {**TRAIN, "webhook": webhook})

    assert answer.status == 400
    assert "webhook" in answer.document["detail"]


def test_webhook_on_the_machine_itself_is_for_the_local_cloud_alone(ask: Ask) -> None:
    body = {**TRAIN, "webhook": "http://127.0.0.1:9000/told"}

    assert ask("POST", "/jobs", body).status == 202
    assert ask("POST", "/jobs", body, by="arn:aws:iam::1:user/ana").status == 400


def test_running_job_tells_how_far_it_is(ask: Ask, world: World) -> None:
    job = submitted(ask)
    ends_at = START + timedelta(minutes=5)
    world.take(job).beat(
        Progress(stage="training", step=3, steps=10, unit="epochs", metric=("loss", 0.5), ends_at=ends_at),
        log=("epoch 3: loss 0.5",),
    )

    shown = ask("GET", f"/jobs/{job}").document

    assert shown["state"] == "running"
    assert shown["progress"] == {
        "stage": "training",
        "step": 3,
        "steps": 10,
        "unit": "epochs",
        "metric": {"name": "loss", "value": 0.5},
        "ends_at": "2026-01-01T00:05:00Z",
    }
    assert (shown["attempts"], shown["log"]) == (1, ["epoch 3: loss 0.5"])


def test_batch_counts_its_shards(ask: Ask, world: World) -> None:
    job = submitted(ask)
    world.take(job).wait_for_shards(Shards(count=4, done="5", rows=200, failed_rows=1))

    shown = ask("GET", f"/jobs/{job}").document

    assert shown["shards"] == {"count": 4, "done": 2, "rows": 200, "failed_rows": 1}
    assert (shown["progress"]["step"], shown["progress"]["steps"]) == (2, 4)


def test_parts_are_counted_and_their_cost_with_them(ask: Ask, world: World) -> None:
    job = submitted(ask)
    fold = Asked(kind="fold", by="local", key="f", spec={})
    world.take(job).wait_for([fold, fold])
    world.take(f"{job}-1", clock=iter([0.0, 2.0]).__next__).beat()

    shown = ask("GET", f"/jobs/{job}").document

    assert (shown["parts"]["queued"], shown["parts"]["running"]) == (1, 1)
    assert shown["cost_usd"] == 2.0
    assert ask("GET", f"/jobs/{shown['parts']['jobs'][1]}").document["part_of"] == job
    assert [one["job"] for one in ask("GET", "/jobs").document["items"]] == [job]


def test_job_that_waits_for_its_parts_counts_those_that_have_ended(ask: Ask, world: World) -> None:
    job = submitted(ask)
    world.take(job).wait_for([Asked(kind="fold", by="local", key=f"f{at}", spec={}) for at in range(3)])
    world.take(f"{job}-1").succeed(results={}, summary={})

    progress = ask("GET", f"/jobs/{job}").document["progress"]

    assert (progress["step"], progress["steps"], progress["unit"]) == (1, 3, "folds")


def test_list_reads_as_many_jobs_as_it_shows_and_one_more(ask: Ask, world: World) -> None:
    class Noting(MemoryTable):
        def list(self, name: str, *, limit: int, before: str | None = None) -> Sequence[Item]:
            found = super().list(name, limit=limit, before=before)
            read.append(len(found))
            return found

    read: list[int] = []
    world.jobs.table = Noting()
    for number in range(9):
        submitted(ask, headers={"idempotency-key": str(number)})

    page = ask("GET", "/jobs", query={"limit": "3"}).document

    assert len(page["items"]) == 3
    assert page["next"] is not None
    assert sum(read) == 4


def test_list_reads_no_parts_of_jobs_that_say_themselves_what_they_would_tell(ask: Ask, world: World) -> None:
    class Noting(MemoryTable):
        def get(self, key: str) -> Item:
            read.append(key)
            return super().get(key)

    read: list[str] = []
    world.jobs.table = Noting()
    job = submitted(ask)
    world.take(job).wait_for([Asked(kind="fold", by="x", key=str(n), spec={}) for n in range(2)])
    for part in range(2):
        world.take(f"{job}-{part}", iter([0.0, 3.0]).__next__).succeed(results={}, summary={})
    waiting = ask("GET", "/jobs").document["items"][0]
    attending = Attending(world.jobs, Slots(world.jobs, Limits()), work=lambda _: "train", duties={})

    attending.attend(WakeUp(job=job))
    world.take(job).succeed(results={}, summary={})
    read.clear()
    ended = ask("GET", "/jobs").document["items"][0]

    assert read == []
    assert (waiting["progress"]["step"], waiting["cost_usd"]) == (2, 6.0)
    assert (ended["state"], ended["cost_usd"]) == ("succeeded", 6.0)
    assert ask("GET", f"/jobs/{job}").document["cost_usd"] == 6.0


def test_results_are_linked(ask: Ask, world: World, store: MemoryStore) -> None:
    job = submitted(ask)
    for name in ("0000.ndjson", "0001.ndjson", "0002.ndjson"):
        store.put(f"jobs/{job}/1/answers/{name}", b"{}\n")
    store.put(f"jobs/{job}/1/manifest.json", b"{}")
    keys = {"answers": f"jobs/{job}/1/answers/", "manifest": f"jobs/{job}/1/manifest.json", "odd": "models/x"}
    world.take(job).succeed(results=keys, summary={"rows": 3})

    shown = ask("GET", f"/jobs/{job}").document
    first = ask("GET", f"/jobs/{job}/results", query={"limit": "2"})
    second = ask("GET", f"/jobs/{job}/results", query={"limit": "2", "after": first.document["next"]})

    assert [one["name"] for one in shown["results"]] == ["manifest.json"]
    assert shown["summary"] == {"rows": 3}
    assert [one["name"] for one in first.document["items"]] == ["answers/0000.ndjson", "answers/0001.ndjson"]
    assert [one["name"] for one in second.document["items"]] == ["answers/0002.ndjson", "manifest.json"]
    assert second.document["next"] is None
    assert first.document["items"][0]["size_bytes"] == 3


def test_results_that_were_cleared_away_are_not_listed(ask: Ask, world: World) -> None:
    job = submitted(ask)
    keys = {"report": f"jobs/{job}/1/report.html", "answers": f"jobs/{job}/1/answers/"}
    world.take(job).succeed(results=keys, summary={})

    assert ask("GET", f"/jobs/{job}/results").document == {"items": [], "next": None}


def test_list_is_filtered_and_paged(ask: Ask, world: World) -> None:
    jobs = [submitted(ask) for _ in range(5)]
    world.fail(jobs[1])
    world.fail(jobs[3])

    failed = ask("GET", "/jobs", query={"state": "failed"}).document
    first = ask("GET", "/jobs", query={"limit": "2"})
    second = ask("GET", "/jobs", query={"limit": "3", "after": first.document["next"]}).document

    assert [one["job"] for one in failed["items"]] == [jobs[3], jobs[1]]
    assert [one["job"] for one in first.document["items"]] == [jobs[4], jobs[3]]
    assert 'rel="next"' in first.headers["link"]
    assert [one["job"] for one in second["items"]] == [jobs[2], jobs[1], jobs[0]]
    assert ask("GET", "/jobs", query={"kind": "batch"}).document == {"items": [], "next": None}
    assert ask("GET", "/jobs", query={"after": "nowhere"}).status == 400


def test_failed_job_says_why_and_is_begun_again(ask: Ask, world: World) -> None:
    job = submitted(ask)
    world.fail(job)

    why = ask("GET", f"/jobs/{job}").document["failure"]
    again = ask("POST", f"/jobs/{job}/retry")

    assert why == {"code": "bad-data", "detail": "Column 3 is empty."}
    assert (again.status, again.document["state"], again.document["failure"]) == (202, "queued", None)
    assert again.headers["location"] == f"/jobs/{job}"


def test_job_is_cancelled_once_and_for_all(ask: Ask, world: World) -> None:
    job = submitted(ask)

    first, again = ask("POST", f"/jobs/{job}/cancel"), ask("POST", f"/jobs/{job}/cancel")

    assert (first.status, first.document["state"]) == (200, "cancelled")
    assert again.document == first.document


def test_job_that_succeeded_is_neither_cancelled_nor_begun_again(ask: Ask, world: World) -> None:
    job = submitted(ask)
    world.take(job).succeed(results={}, summary={})

    for way in ("cancel", "retry"):
        answer = ask("POST", f"/jobs/{job}/{way}")
        assert (answer.status, answer.document["code"]) == (409, "illegal-transition")
        assert "any more" in answer.document["detail"]


def test_redrive_begins_each_failed_job_once(ask: Ask, world: World) -> None:
    jobs = [submitted(ask) for _ in range(3)]
    for job in jobs:
        world.fail(job)
    world.letters.waiting.append(DeadLetter(job=jobs[0], why={}, receipt="twice"))
    world.letters.waiting.append(DeadLetter(job="f" * 32, why={}, receipt="gone"))
    world.jobs.retry(jobs[2])
    world.take(jobs[2]).succeed(results={}, summary={})

    answer = ask("POST", "/jobs/redrive").document

    assert answer == {"jobs": jobs[:2], "dropped": 2, "done": True}
    assert world.letters.waiting == []
    assert [world.jobs.get(job).state for job in jobs] == ["queued", "queued", "succeeded"]


def test_redrive_leaves_a_job_that_was_cancelled_since(ask: Ask, world: World) -> None:
    job = submitted(ask)
    world.fail(job)
    world.jobs.retry(job)
    world.jobs.cancel(job)

    answer = ask("POST", "/jobs/redrive").document

    assert answer == {"jobs": [], "dropped": 1, "done": True}
    assert world.jobs.get(job).state == "cancelled"


def test_redrive_lets_a_job_go_on_whose_wake_up_was_lost(ask: Ask, world: World) -> None:
    job = submitted(ask)
    world.take(job)
    while world.queues.take():
        pass
    world.letters.waiting.append(DeadLetter(job=job, why={}, receipt="lost"))

    answer = ask("POST", "/jobs/redrive").document

    assert answer == {"jobs": [job], "dropped": 0, "done": True}
    (sent,) = world.queues.waiting("attend")
    assert (sent.wake_up.job, sent.wake_up.wake) == (job, world.jobs.get(job).wakes)


def test_purge_takes_a_job_its_parts_and_their_files(ask: Ask, world: World, store: MemoryStore) -> None:
    job = submitted(ask)
    world.take(job).wait_for([Asked(kind="fold", by="local", key="f", spec={})])
    world.take(f"{job}-0").succeed(results={}, summary={})
    world.jobs.cancel(job)
    for one in (job, f"{job}-0"):
        store.put(f"jobs/{one}/1/x", b"1")
        done(world, one)
    store.put("jobs/other/1/x", b"1")

    answer = ask("DELETE", f"/jobs/{job}").document

    assert answer == {"jobs": 2, "objects": 2, "done": True}
    assert [one.key for one in store.generations("jobs/")] == ["jobs/other/1/x"]
    assert ask("GET", f"/jobs/{job}").status == ask("GET", f"/jobs/{job}-0").status == 404
    assert ask("GET", "/jobs").document["items"] == []


def test_job_that_has_not_ended_is_not_purged(ask: Ask, world: World) -> None:
    queued, ended = submitted(ask), submitted(ask)
    world.take(ended).succeed(results={}, summary={})

    answers = [ask("DELETE", f"/jobs/{job}") for job in (queued, ended)]

    assert [answer.document["code"] for answer in answers] == ["job-not-ended"] * 2
    assert "is queued" in answers[0].document["detail"]
    assert "being finished" in answers[1].document["detail"]


@pytest.mark.parametrize("name", ["x", "f" * 32, "..", "f" * 32 + "-0", "redrive"])
def test_job_that_is_not_there_is_404(ask: Ask, name: str) -> None:
    for method, path in (
        ("GET", ""),
        ("GET", "/results"),
        ("POST", "/cancel"),
        ("POST", "/retry"),
        ("DELETE", ""),
    ):
        answer = ask(method, f"/jobs/{name}{path}")
        assert (answer.status, answer.document["code"]) == (404, "job-not-found")


def test_no_answer_names_the_bucket_or_a_worker(ask: Ask, world: World, store: MemoryStore) -> None:
    store.put("data/x.csv", b"1")
    data = f"s3://{BUCKET}/data/x.csv"
    job = submitted(ask, {"spec": {"kind": "train", "recipe": RECIPE, "data": data}})
    world.take(job).fail(Failure(code="bad-data", detail=f"There is nothing at {data}, in {BUCKET}."))

    for path in ("/jobs", f"/jobs/{job}"):
        body = ask("GET", path).body
        assert BUCKET not in body
        assert "a worker" not in body
        assert "digest" not in body


def test_data_get_a_place_of_their_own(ask: Ask) -> None:
    headers = {"idempotency-key": "k"}

    place = ask("POST", "/data", {"name": "flowers.zip"}, headers=headers)
    again = ask("POST", "/data", {"name": "flowers.zip"}, headers=headers).document
    other = ask("POST", "/data", {"name": "flowers.zip"}).document

    assert place.status == 201
    assert place.document["key"].startswith("data/")
    assert place.document["key"].endswith("/flowers.zip")
    assert again == place.document
    assert other["key"] != place.document["key"]
    assert ask("POST", "/data", {"name": "../x"}).status == 400


def test_where_nothing_runs_there_are_no_jobs(store: MemoryStore) -> None:
    registry = Registry(store=store, now=lambda: START)

    with pytest.raises(NoJobs, match="--endpoint"):
        list_all(registry, ListJobs(), Caller(by="ana", key="k"))


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"state": "odd"}, "It can be queued, running, succeeded, failed, cancelled."),
        ({"limit": "0"}, "It means: how many items, at most."),
    ],
)
def test_filter_that_is_none_says_what_it_can_be(ask: Ask, query: dict[str, str], told: str) -> None:
    answer = ask("GET", "/jobs", query=query)

    assert answer.status == 400
    assert answer.document["detail"].endswith(told)


def test_list_whose_time_is_over_says_where_it_goes_on(ask: Ask, world: World) -> None:
    jobs = [submitted(ask) for _ in range(3)]
    over = Registry(store=world.store, now=lambda: START, jobs=world.jobs, may_go_on=lambda: False)
    caller = Caller(by="ana", key="k")

    first = list_all(over, ListJobs(kind="batch"), caller)
    second = list_all(over, ListJobs(after=first.next), caller)

    assert (first.items, [one.job for one in second.items]) == ((), [jobs[1]])


@pytest.mark.parametrize("after", ["", "x", "é", "====", "AAAA", "j" * 200])
def test_place_that_no_list_gave_is_refused(ask: Ask, after: str) -> None:
    assert ask("GET", "/jobs", query={"after": after}).status == 400
