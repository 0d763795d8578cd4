"""The attend function: on memory for what it does with messages, and once wired as it is deployed."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus
from urllib.request import Request, urlopen

import boto3
import msgspec
import pytest
from moto.server import ThreadedMotoServer
from samtranslator.yaml_helper import yaml_parse

from lampyris.adapters.memory_queues import MemoryQueues, Message
from lampyris.adapters.memory_table import MemoryTable
from lampyris.adapters.telemetry import Telemetry
from lampyris.bootstrap import open_dead_letters, read_settings
from lampyris.domain.store import Store
from lampyris.errors import NotificationFailed, QueueUnavailable, TableUnavailable
from lampyris.handlers import attend
from lampyris.handlers.attend import App, handle
from lampyris.jobs.attending import Attending
from lampyris.jobs.duties import duties, work
from lampyris.jobs.holding import take
from lampyris.jobs.job import Failure, Job
from lampyris.jobs.jobs import Asked, Jobs
from lampyris.jobs.notifications import JobEnded, Notifying
from lampyris.jobs.slots import Limits, Slots
from lampyris.jobs.wake_ups import QueueName, WakeUp, encode_wake_up

TEMPLATE = Path(__file__).parents[3] / "template.yaml"


class Called:
    """Machines that were called for jobs, by their jobs; `meanwhile` happens while one looks for them."""

    def __init__(self) -> None:
        self.running: dict[str, list[str]] = {}
        self.stopped: list[str] = []
        self.is_away = False
        self.meanwhile: Callable[[], object] = lambda: None

    def of(self, job: str) -> Sequence[str]:
        if self.is_away:
            raise QueueUnavailable(operation="look for machines", cause="a test")
        self.meanwhile()
        return [one for one in self.running.get(job, []) if one not in self.stopped]

    def stop(self, machine: str) -> None:
        self.stopped.append(machine)


class World:
    """What attending reaches, in memory; `fails` makes the bus refuse events, `is_deaf` webhooks fail."""

    def __init__(self, store: Store, *, trains: bool = True, has_machines: bool = False) -> None:
        self.queues = MemoryQueues()
        self.events: list[tuple[str, Any]] = []
        self.called: list[str] = []
        self.noted: list[str] = []
        self.put_off: list[tuple[str, int]] = []
        self.fails = self.is_deaf = False
        self.store = store
        self.jobs = Jobs(MemoryTable(), self.queues, now=lambda: datetime(2026, 1, 1, tzinfo=UTC))
        self.machines = Called()
        notifying = Notifying(self, self, note=lambda _, line: self.noted.append(line))
        self.app = App(
            jobs=self.jobs,
            store=store,
            attending=Attending(
                self.jobs,
                Slots(self.jobs, Limits()),
                work=work(trains=trains, has_machines=has_machines),
                duties=duties(store, self.jobs, notifying, machines=self.machines if has_machines else None),
            ),
            put_off=self._put_off,
            telemetry=Telemetry("attend", now_s=lambda: 0.0),
            draw=lambda: 0.5,
        )

    def put(self, kind: str, detail: str) -> None:
        if self.fails:
            raise NotificationFailed(reason="Nobody listens.")
        self.events.append((kind, json.loads(detail)))

    def call(self, url: str, *, message_id: str, kind: str, data: JobEnded) -> str | None:
        if self.is_deaf:
            raise NotificationFailed(reason="It answered 500.")
        self.called.append(f"{kind} {message_id} {url}")
        return "its address is not an https address." if url.startswith("http:") else None

    def _put_off(self, queue: QueueName, receipt: str, *, delay_s: int) -> None:
        self.put_off.append((f"{queue} {receipt}", delay_s))

    def attend(self, *bodies: str, remaining_s: float = 50.0, received: int = 1) -> list[str]:
        """Hand messages to the function; return which are to come again."""
        answer = handle(event(*bodies, received=received), self.app, "req-1", remaining_s=lambda: remaining_s)
        return [one["itemIdentifier"] for one in answer["batchItemFailures"]]

    def attend_to_all(self, *, later: bool = False) -> None:
        """Hand over what waits for the attend function: what came at once, or also what was to come later."""
        for number, message in self.queues.numbered("attend"):
            if later or message.wake_up.seen is None:
                self.queues.remove(number)
                assert self.attend(encode_wake_up(message.wake_up).decode()) == []

    def submit(self, **others: Any) -> Job:
        return self.jobs.submit(Asked(by="ana", key="k", **({"kind": "train", "spec": {}} | others)))


def look_of(world: World) -> Message:
    """Return the message that came at once when a job was submitted."""
    (message,) = (one for one in world.queues.waiting("attend") if one.wake_up.seen is None)
    return message


def event(*bodies: str, received: int = 1) -> dict[str, Any]:
    return {
        "Records": [
            {
                "messageId": f"m{number}",
                "receiptHandle": f"r{number}",
                "body": body,
                "attributes": {"ApproximateReceiveCount": str(received)},
            }
            for number, body in enumerate(bodies)
        ]
    }


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


def test_importing_the_handler_loads_nothing_that_its_package_lacks() -> None:
    program = "import sys, lampyris.handlers.attend; print(*sys.modules)"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert set(done.stdout.split()).isdisjoint({"numpy", "onnxruntime", "PIL", "aws_lambda_powertools"})


def test_a_submitted_job_is_given_to_its_workers(world: World) -> None:
    job = world.submit()

    world.attend_to_all()

    assert [one.wake_up for one in world.queues.waiting("train")] == [WakeUp(job=job.id)]


def test_a_job_that_failed_is_told_of_and_buried_with_its_reason(world: World) -> None:
    job = world.submit(webhook="https://example.com/hook")
    world.attend_to_all()
    hold = take(world.jobs, job.id, "w", clock=lambda: 0.0)
    assert hold is not None

    hold.fail(Failure(code="bad-recipe", detail="It names no data."))
    world.attend_to_all()

    (letter,) = world.queues.waiting("dead")
    assert (letter.wake_up.job, letter.why) == (
        job.id,
        {"code": "bad-recipe", "detail": "It names no data."},
    )
    ((kind, detail),) = world.events
    assert kind == "Lampyris job ended"
    assert (detail["job"], detail["state"], detail["failure"]["code"]) == (job.id, "failed", "bad-recipe")
    assert world.called == [f"job.failed {detail['id']} https://example.com/hook"]
    assert world.jobs.get(job.id).duties == ()


def test_who_is_not_told_is_told_later(world: World) -> None:
    job = world.submit()
    world.fails = True
    world.jobs.cancel(job.id)
    world.attend_to_all()
    assert world.jobs.get(job.id).duties == ("notify",)

    world.fails = False
    world.attend_to_all(later=True)

    assert [detail["state"] for _, detail in world.events] == ["cancelled"]
    assert world.jobs.get(job.id).duties == ()


def test_an_event_is_put_once_however_often_a_webhook_is_called(world: World) -> None:
    job = world.submit(webhook="https://example.com/hook")
    world.is_deaf = True
    world.jobs.cancel(job.id)
    for _ in range(3):
        world.attend_to_all(later=True)
    assert world.jobs.get(job.id).duties == ("webhook",)

    world.is_deaf = False
    world.attend_to_all(later=True)

    assert (len(world.events), len(world.called)) == (1, 1)
    assert world.jobs.get(job.id).duties == ()


def test_a_webhook_that_never_will_be_called_is_noted(world: World) -> None:
    world.jobs.cancel(world.submit(webhook="http://example.com").id)

    world.attend_to_all()

    assert world.noted == ["No webhook was called: its address is not an https address."]
    assert len(world.events) == 1


def test_a_model_reaches_the_inbox_once_its_job_has_succeeded(world: World) -> None:
    job = world.submit()
    world.attend_to_all()
    hold = take(world.jobs, job.id, "w", clock=lambda: 0.0)
    assert hold is not None
    world.store.put("jobs/j/1/bundle.json", b"{}")

    hold.succeed(
        results={"bundle": "jobs/j/1/bundle.json"},
        summary={"model": "glow", "upload": "u-1"},
        duties=("publish",),
    )
    world.attend_to_all()

    assert world.store.get("inbox/glow/u-1/bundle.json").data == b"{}"


def test_a_result_that_was_cleared_away_keeps_no_other_duty_from_being_done(world: World) -> None:
    job = world.submit()
    world.attend_to_all()
    hold = take(world.jobs, job.id, "w", clock=lambda: 0.0)
    assert hold is not None

    hold.succeed(
        results={"bundle": "jobs/none"}, summary={"model": "glow", "upload": "u"}, duties=("publish",)
    )
    world.attend_to_all()

    assert world.jobs.get(job.id).duties == ()
    assert len(world.events) == 1


def test_training_fails_with_a_reason_where_nothing_trains(store: Store) -> None:
    world = World(store, trains=False)
    job = world.submit()

    world.attend_to_all()

    ended = world.jobs.get(job.id)
    assert ended.failure is not None
    assert (ended.state, ended.failure.code) == ("failed", "no-jobs")
    assert "TrainImage" in ended.failure.detail
    world.attend_to_all()
    assert len(world.queues.waiting("dead")) == 1


def test_work_for_machines_fails_with_a_reason_where_there_are_none(world: World) -> None:
    job = world.submit(compute="batch")

    world.attend_to_all()

    failure = world.jobs.get(job.id).failure
    assert failure is not None
    assert "MachineVpc" in failure.detail


def test_machines_of_a_job_that_is_cancelled_are_stopped_also_those_that_have_not_started(
    store: Store,
) -> None:
    world = World(store, has_machines=True)
    job = world.submit(compute="batch")
    world.attend_to_all()
    world.machines.running[job.id] = ["running", "waiting"]

    world.jobs.cancel(job.id)
    world.machines.is_away = True
    world.attend_to_all()
    assert world.jobs.get(job.id).duties == ("stop-machines",)
    world.machines.is_away = False
    world.attend_to_all(later=True)

    assert world.machines.stopped == ["running", "waiting"]
    assert world.jobs.get(job.id).duties == ()


def test_machines_that_a_job_called_since_it_was_begun_again_are_not_stopped(store: Store) -> None:
    world = World(store, has_machines=True)
    job = world.submit(compute="batch")
    world.attend_to_all()

    def begin_again() -> None:
        world.jobs.retry(job.id)
        world.machines.running[job.id] = ["another"]

    world.machines.meanwhile = begin_again
    world.jobs.cancel(job.id)
    world.attend_to_all()

    assert world.machines.stopped == []


def test_machines_of_a_job_that_succeeded_end_by_themselves(store: Store) -> None:
    world = World(store, has_machines=True)
    job = world.submit(compute="batch")
    world.attend_to_all()
    hold = take(world.jobs, job.id, "w", clock=lambda: 0.0)
    assert hold is not None

    hold.succeed(results={}, summary={})
    world.machines.running[job.id] = ["about to end"]
    world.attend_to_all()

    assert world.jobs.get(job.id).duties == ()
    assert world.machines.stopped == []


@pytest.mark.parametrize(
    "poison", ["", "[]", '{"Records": 3}', '{"Records": [{"eventName": "x"}]}', "\ud800"]
)
def test_a_message_that_nobody_can_read_holds_no_other_up(world: World, poison: str) -> None:
    job = world.submit()
    waiting = look_of(world)

    failures = world.attend(poison, encode_wake_up(waiting.wake_up).decode())

    assert failures == ["m0"]
    assert [one.wake_up.job for one in world.queues.waiting("train")] == [job.id]


def test_a_wake_up_of_a_job_that_is_gone_is_dropped(world: World) -> None:
    assert world.attend('{"job": "gone"}', '{"job": "gone", "wake": 3}') == []


def test_s3s_test_event_is_dropped(world: World) -> None:
    assert world.attend('{"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"}') == []


def put_of(key: str) -> str:
    """Return what S3 says of an object that was put."""
    record = {
        "eventName": "ObjectCreated:Put",
        "s3": {"object": {"key": key, "sequencer": "0055"}},
        "userIdentity": {"principalId": "ana"},
    }
    return json.dumps({"Records": [record]})


def test_an_s3_put_begins_one_job_however_often_it_is_announced(world: World) -> None:
    world.store.put("batch/glow/rows.csv", b"a\n1\n")

    for _ in range(3):
        assert world.attend(put_of("batch/glow/rows.csv")) == []

    (job,) = world.jobs.recent(limit=10)
    assert (job.kind, job.model, job.spec["input"]) == ("batch", "glow", "batch/glow/rows.csv")


def test_data_that_are_put_together_begin_one_build_once_no_more_came_for_a_while(world: World) -> None:
    world.store.put("watch/glow/recipe.toml", b'name = "glow"\n[dataset]\npath = "s3://b/data/x.csv"\n')
    puts = [put_of(f"watch/glow/data/{number}.csv") for number in range(3)]

    for number, one in enumerate(puts):
        world.store.put(f"watch/glow/data/{number}.csv", b"a\n1\n")
        assert world.attend(one) == ["m0"]
    before = list(world.jobs.recent(limit=10))
    assert world.attend(*puts, received=2) == []

    assert before == []
    assert world.put_off == [("attend r0", 60)] * 3
    (job,) = world.jobs.recent(limit=10)
    assert (job.kind, job.spec["data"]) == ("train", "watch/glow/data/")


@pytest.mark.parametrize(
    ("key", "kind", "code", "detail"),
    [
        ("batch/No%20Model/rows.csv", "batch", "invalid-name", "'No Model' cannot be the name"),
        ("batch/%FF/rows.csv", "batch", "invalid-name", "use UTF-8"),
        ("watch/glow/recipe.toml", "train", "malformed-request", "recipe is not TOML"),
    ],
)
def test_a_put_of_which_no_job_can_be_made_is_a_failed_job_that_says_why_however_often_it_is_announced(
    world: World, key: str, kind: str, code: str, detail: str
) -> None:
    world.store.put("watch/glow/recipe.toml", b"no recipe")

    for _ in range(3):
        assert world.attend(put_of(key)) == []
    world.attend_to_all()

    (job,) = world.jobs.recent(limit=10)
    assert (job.kind, job.state, job.by, job.duties) == (kind, "failed", "ana", ())
    assert job.failure is not None
    assert job.failure.code == code
    assert job.failure.detail.startswith(f"{unquote_plus(key)}: ")  # which put it was
    assert detail in job.failure.detail
    (letter,) = world.queues.waiting("dead")
    assert letter.why["code"] == code
    assert [told["job"] for _, told in world.events] == [job.id]
    assert world.queues.waiting("batch") == world.queues.waiting("train") == []


def test_a_put_whose_job_was_told_in_other_words_before_is_dropped(world: World) -> None:
    world.attend(put_of("batch/glow/rows.csv"))
    (job,) = world.jobs.recent(limit=10)
    world.jobs.change(job.id, lambda one: msgspec.structs.replace(one, digest="another"))

    assert world.attend(put_of("batch/glow/rows.csv")) == []
    assert len(list(world.jobs.recent(limit=10))) == 1


def test_a_put_that_was_refused_is_told_of_though_its_first_wake_ups_were_lost(world: World) -> None:
    world.attend(put_of("batch/No%20Model/rows.csv"))
    for number, _ in world.queues.numbered("attend"):
        world.queues.remove(number)

    world.attend(put_of("batch/No%20Model/rows.csv"))
    world.attend_to_all()

    assert len(world.queues.waiting("dead")) == 1


def test_a_message_that_failed_comes_again_the_later_the_more_often_it_failed(world: World) -> None:
    for received in (1, 4, 100):
        world.attend("no JSON", received=received)

    assert world.put_off == [("attend r0", 2), ("attend r0", 9), ("attend r0", 129)]


def test_messages_without_time_come_again_but_the_first_is_always_tried(world: World) -> None:
    world.submit()
    waiting = look_of(world)
    body = encode_wake_up(waiting.wake_up).decode()

    assert world.attend(body, body, remaining_s=3.0) == ["m1"]
    assert len(world.queues.waiting("train")) == 1


def test_a_table_that_cannot_be_reached_makes_the_message_come_again(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    class Unreachable(MemoryTable):
        def get(self, key: str) -> Any:
            raise TableUnavailable(operation="read", cause="throttled")

    world.jobs.table = Unreachable()

    assert world.attend('{"job": "j"}') == ["m0"]
    line = json.loads(capsys.readouterr().out)
    assert line["exception_name"] == "TableUnavailable"


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def deployed(moto: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Make what the template declares for the attend function, and set its environment."""

    def client(service: str) -> Any:
        return boto3.client(service, endpoint_url=moto)

    declared = yaml_parse(TEMPLATE.read_text())["Resources"]["JobsTable"]["Properties"]
    keys = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
    client("dynamodb").create_table(TableName="jobs", **{key: declared[key] for key in keys})
    client("s3").create_bucket(Bucket="lampyris")
    urls = {
        name: client("sqs").create_queue(QueueName=name)["QueueUrl"]
        for name in ("attend", "train", "batch", "dead")
    }
    environ = {
        "AWS_ENDPOINT_URL": moto,
        "LAMPYRIS_BUCKET": "lampyris",
        "LAMPYRIS_JOBS_TABLE": "jobs",
        **{f"LAMPYRIS_{name.upper()}_QUEUE": url for name, url in urls.items()},
    }
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    attend.app_from_env.cache_clear()
    yield environ
    attend.app_from_env.cache_clear()
    with urlopen(Request(f"{moto}/moto-api/reset", method="POST")):
        pass


class Context:
    aws_request_id = "req-1"

    def get_remaining_time_in_millis(self) -> int:
        return 50_000


@pytest.fixture
def deliver(moto: str, deployed: dict[str, str]) -> Callable[[], list[str]]:
    """Return what hands the messages that are in the queue to the handler, as Lambda does."""
    sqs = boto3.client("sqs", endpoint_url=moto)
    url = deployed["LAMPYRIS_ATTEND_QUEUE"]

    def run() -> list[str]:
        found = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"]
        ).get("Messages", [])
        records = [
            {
                "messageId": one["MessageId"],
                "receiptHandle": one["ReceiptHandle"],
                "body": one["Body"],
                "attributes": one["Attributes"],
            }
            for one in found
        ]
        answer = attend.handler({"Records": records}, Context())
        failed = {one["itemIdentifier"] for one in answer["batchItemFailures"]}
        for one in found:
            if one["MessageId"] not in failed:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
        return sorted(one["Body"] for one in found if one["MessageId"] in failed)

    return run


def test_a_job_goes_from_submitted_to_buried_in_the_services_of_a_deployment(
    deployed: dict[str, str], deliver: Callable[[], list[str]]
) -> None:
    jobs = attend.app_from_env().jobs
    job = jobs.submit(Asked(kind="train", by="ana", key="k", spec={}))
    assert deliver() == []
    hold = take(jobs, job.id, "w", clock=lambda: 0.0)
    assert hold is not None

    hold.fail(Failure(code="bad-recipe", detail="It names no data."))
    assert deliver() == []

    ended = jobs.get(job.id)
    assert (ended.state, ended.duties) == ("failed", ())
    (letter,) = open_dead_letters(read_settings(deployed)).receive(10)
    assert (letter.job, letter.why["code"]) == (job.id, "bad-recipe")
    assert [one.id for one in jobs.recent(limit=5)] == [job.id]


def test_a_message_that_failed_is_put_off_in_its_queue(
    moto: str, deployed: dict[str, str], deliver: Callable[[], list[str]]
) -> None:
    sqs = boto3.client("sqs", endpoint_url=moto)
    sqs.send_message(QueueUrl=deployed["LAMPYRIS_ATTEND_QUEUE"], MessageBody="poison")

    assert deliver() == ["poison"]
    assert deliver() == []  # it is out of sight for a moment
