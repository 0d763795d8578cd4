"""The train function as messages reach it; what it does with a job is tested with the build."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aws_lambda_powertools import Logger

from lampyris.adapters.memory_queues import MemoryQueues
from lampyris.adapters.memory_store import MemoryStore
from lampyris.adapters.memory_table import MemoryTable
from lampyris.errors import TableUnavailable
from lampyris.handlers.train import App, handle
from lampyris.jobs import transitions
from lampyris.jobs.jobs import Asked, Jobs
from lampyris.jobs.wake_ups import WakeUp, encode_wake_up


class _Table(MemoryTable):
    fails = False

    def get(self, key: str) -> Any:
        if self.fails:
            raise TableUnavailable(operation="read", cause="it is down")
        return super().get(key)


@pytest.fixture
def app(tmp_path: Path) -> App:
    return App(
        bucket="the-bucket",
        scratch=tmp_path,
        jobs=Jobs(_Table(), MemoryQueues(), now=lambda: datetime(2026, 1, 1, tzinfo=UTC)),
        store=MemoryStore(),
        logger=Logger(service="train"),
        rate_usd_per_ms=1e-6,
    )


def event(job: str) -> dict[str, Any]:
    return {"Records": [{"messageId": "m", "body": encode_wake_up(WakeUp(job=job)).decode()}]}


def submit(app: App, recipe: str) -> str:
    job = app.jobs.submit(Asked(kind="train", by="ana", key="k", spec={"kind": "train", "recipe": recipe}))
    app.jobs.change(job.id, lambda one: transitions.called(one, one.generation))
    return job.id


def test_message_leads_to_what_becomes_of_its_job(app: App) -> None:
    job = submit(app, "name = 3")

    answer = handle(event(job), app, invocation="one", remaining_s=lambda: 900)

    ended = app.jobs.get(job)
    assert answer == {"batchItemFailures": []}
    assert (ended.state, ended.attempts) == ("failed", 1)
    assert ended.failure is not None
    assert ended.failure.code == "invalid-recipe"
    assert ended.cost_usd > 0


def test_message_for_a_job_that_is_done_or_gone_is_dropped(app: App) -> None:
    job = submit(app, "name = 3")
    handle(event(job), app, invocation="one", remaining_s=lambda: 900)

    again = handle(event(job), app, invocation="two", remaining_s=lambda: 900)
    gone = handle(event("nobody"), app, invocation="three", remaining_s=lambda: 900)

    assert again == gone == {"batchItemFailures": []}
    assert app.jobs.get(job).attempts == 1


def test_message_that_could_not_be_looked_at_comes_again(app: App) -> None:
    job = submit(app, "name = 3")
    assert isinstance(app.jobs.table, _Table)
    app.jobs.table.fails = True

    answer = handle(event(job), app, invocation="one", remaining_s=lambda: 900)

    assert answer == {"batchItemFailures": [{"itemIdentifier": "m"}]}
