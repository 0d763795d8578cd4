"""The functions of jobs, packaged and under `sam local invoke`: from an S3 put to the results of a batch."""

import io
import json
from typing import Any

import boto3
import numpy as np
import obstore
import pytest
from obstore.store import S3Store

from lampyris.adapters.dynamodb_table import DynamoTable
from lampyris.adapters.memory_queues import MemoryQueues
from lampyris.jobs.job import Job
from lampyris.jobs.jobs import Jobs
from sam_local import REGION, Sam, put_event

pytestmark = pytest.mark.sam

ROWS = 7
# Which function listens to which queue.
LISTENING = {"attend": "AttendFunction", "batch": "BatchFunction"}
_MOST_MESSAGES = 30


@pytest.fixture
def jobs(sam: Sam) -> Jobs:
    client = boto3.client("dynamodb", endpoint_url=sam.endpoint, region_name=REGION)
    return Jobs(DynamoTable(client, "jobs"), MemoryQueues(), now=lambda: pytest.fail("nothing is changed"))


def messages(sam: Sam, queue: str) -> list[dict[str, Any]]:
    """Take what a queue shows, as Lambda hands it to a function."""
    sqs = boto3.client("sqs", endpoint_url=sam.endpoint, region_name=REGION)
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageSystemAttributeNames=["All"])
    for one in found.get("Messages", []):
        sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
    return [
        {
            "messageId": one["MessageId"],
            "receiptHandle": one["ReceiptHandle"],
            "body": one["Body"],
            "attributes": one["Attributes"],
        }
        for one in found.get("Messages", [])
    ]


def test_a_file_that_is_put_is_predicted_by_the_packaged_functions(
    sam: Sam, sam_bucket: S3Store, jobs: Jobs
) -> None:
    pictures = io.BytesIO()
    np.save(pictures, np.zeros((ROWS, 4, 4, 1), np.uint8))
    obstore.put(sam_bucket, "batch/glow/pictures.npy", pictures.getvalue())

    assert sam.invoke("AttendFunction", put_event("batch/glow/pictures.npy")) == {"batchItemFailures": []}
    (job,) = jobs.recent(limit=2)
    for _ in range(_MOST_MESSAGES):
        if jobs.get(job.id).ended and not jobs.get(job.id).duties:
            break
        for queue, function in LISTENING.items():
            if found := messages(sam, queue):
                assert sam.invoke(function, {"Records": found}) == {"batchItemFailures": []}

    assert_predicted(jobs.get(job.id), sam_bucket)


def assert_predicted(job: Job, bucket: S3Store) -> None:
    assert (job.state, job.duties, job.failure) == ("succeeded", (), None)
    answers = [
        bytes(obstore.get(bucket, meta["path"]).bytes())
        for meta in obstore.list(bucket, f"jobs/{job.id}/").collect()
        if "/answers/" in meta["path"]
    ]
    rows = [json.loads(line) for answer in answers for line in answer.splitlines()]
    assert len(rows) == ROWS
