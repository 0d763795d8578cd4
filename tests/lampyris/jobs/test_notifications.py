"""What is told of a job that has ended."""

from datetime import UTC, datetime

import boto3
import msgspec
import pytest
from botocore.config import Config

from lampyris.adapters.event_bus import EventBridge
from lampyris.errors import NotificationFailed
from lampyris.jobs.job import Failure, Job
from lampyris.jobs.notifications import job_ended
from lampyris.jobs.transitions import failed, retried

NOW = datetime(2026, 1, 1, tzinfo=UTC)
JOB = Job(
    id="j", kind="train", by="ana", digest="d", spec={"recipe": "secret"}, created_at=NOW, changed_at=NOW
)
WHY = Failure(code="bad-recipe", detail="It names no data.")


def test_a_job_that_ends_again_after_a_retry_is_another_piece_of_news() -> None:
    once = failed(JOB, WHY, NOW)
    again = failed(retried(once, NOW), WHY, NOW)

    assert job_ended(once).id == job_ended(msgspec.structs.replace(once, beat=99)).id
    assert job_ended(once).id != job_ended(again).id


def test_what_was_asked_for_is_told_to_nobody() -> None:
    told = msgspec.json.encode(job_ended(failed(JOB, WHY, NOW)))

    assert b"secret" not in told
    assert b"bad-recipe" in told


def test_a_bus_that_cannot_be_reached_fails_for_now() -> None:
    once = Config(retries={"total_max_attempts": 1})
    client = boto3.client("events", endpoint_url="http://127.0.0.1:9", config=once)

    with pytest.raises(NotificationFailed, match="EventBridge"):
        EventBridge(client).put("Lampyris job ended", "{}")
