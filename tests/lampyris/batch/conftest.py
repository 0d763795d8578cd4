"""A deployment in memory that predicts batches: real jobs, real workers; time is the queues' own."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter, time
from typing import Any

import msgspec
import pytest

from lampyris.adapters.memory_queues import MemoryQueues, Message
from lampyris.adapters.memory_table import MemoryTable
from lampyris.adapters.telemetry import Telemetry
from lampyris.batch.batch_size import Speeds
from lampyris.batch.plan import Plans
from lampyris.batch.predicting import Predicting
from lampyris.batch.shards import Shards
from lampyris.batch.working import Working
from lampyris.bootstrap import read_settings, wire_loading, wire_serving
from lampyris.domain.store import Store
from lampyris.handlers.batch import App, handle
from lampyris.jobs.attending import Attending
from lampyris.jobs.job import Job
from lampyris.jobs.jobs import Asked, Jobs
from lampyris.jobs.slots import Limits, Slots
from lampyris.jobs.wake_ups import encode_wake_up


class Context:
    """An invocation with as much time as `remaining_ms` says."""

    aws_request_id = "req-1"

    def __init__(self, remaining_ms: int) -> None:
        self._remaining_ms = remaining_ms

    def get_remaining_time_in_millis(self) -> int:
        return self._remaining_ms


class World:
    """`drop` tells which messages are lost; each is delivered `times` times."""

    def __init__(self, store: Store, folder: Path) -> None:
        settings = read_settings(
            {
                "LAMPYRIS_BUCKET": "unused",
                "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "10240",
                "TMPDIR": str(folder / "scratch"),
            }
        )
        self.store = store
        self.queues = MemoryQueues()
        self.jobs = Jobs(MemoryTable(), self.queues, now=self._now)
        self.times = 1
        self.remaining_ms = 900_000
        self.messages = 0
        serving = wire_serving(wire_loading(settings, store, clock=perf_counter))
        plans = Plans(store)
        predicting = Predicting(store=store, inference=serving.inference, clock=perf_counter)
        self.app = App(
            jobs=self.jobs,
            working=Working(
                plans=plans, resolver=serving.resolver, predicting=predicting, speeds=Speeds(perf_counter)
            ),
            shards=Shards(
                jobs=self.jobs,
                plans=plans,
                resolver=serving.resolver,
                predicting=predicting,
                rate_usd_per_ms=1e-8,
            ),
            telemetry=Telemetry("batch", now_s=time),
            clock=perf_counter,
            rate_usd_per_ms=1e-8,
        )
        self.attending = Attending(
            self.jobs,
            Slots(self.jobs, Limits()),
            work=lambda _: "batch",
            duties={"notify": lambda _: None, "bury": lambda _: None},
            draw=lambda: 0.5,
        )

    def _now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.queues.time_s)

    def deliver(self, message: Message) -> dict[str, Any]:
        """Give a message to the batch function; return what it answers."""
        self.messages += 1
        record = {"messageId": str(self.messages), "body": encode_wake_up(message.wake_up).decode()}
        return handle({"Records": [record]}, self.app, Context(self.remaining_ms))

    def run(self, most: int = 2000, until: Callable[[], bool] = lambda: False) -> None:
        for _ in range(most):
            message = None if until() else self.queues.take()
            if message is None:
                return
            for _ in range(self.times):
                if message.queue == "attend":
                    self.attending.attend(message.wake_up)
                elif message.queue == "batch" and self.deliver(message)["batchItemFailures"]:
                    self.queues.put_back(message, delay_s=60)
        raise AssertionError("The messages do not come to an end.")

    def ask(self, **spec: object) -> Job:
        """Submit a batch, as `POST /jobs` would."""
        asked = {"kind": "batch", "model": "glow", **spec}
        return self.jobs.submit(Asked(kind="batch", by="ana", key=str(spec), spec=asked, model="glow"))

    def done(self, **spec: object) -> Job:
        """Submit a batch and let it come to its end."""
        job = self.ask(**spec)
        self.run()
        return self.jobs.get(job.id)

    def manifest(self, job: Job) -> dict[str, Any]:
        found: dict[str, Any] = msgspec.json.decode(self.store.get(job.results["manifest"]).data)
        return found

    def answers(self, job: Job) -> list[dict[str, Any]]:
        """All answers in ndjson, in the order of the manifest."""
        return [line for shard in self.manifest(job)["shards"] for line in self.lines(shard.get("answers"))]

    def failed(self, job: Job) -> list[dict[str, Any]]:
        return [line for shard in self.manifest(job)["shards"] for line in self.lines(shard.get("failed"))]

    def lines(self, key: str | None) -> list[dict[str, Any]]:
        if key is None:
            return []
        return [msgspec.json.decode(line) for line in self.store.get(key).data.splitlines()]


@pytest.fixture
def world(store: Store, tmp_path: Path) -> World:
    return World(store, tmp_path)
