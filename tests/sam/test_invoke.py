"""`sam local invoke` against the local cloud: one event in, one answer out."""

import json
from typing import Any

import obstore
import pytest
from obstore.store import S3Store

from lampyris_local.cloud.local_cloud import LocalCloud
from sam_local import BUCKET, Sam, event

pytestmark = pytest.mark.sam


def document(bucket: S3Store, key: str) -> Any:
    """Read a document of the registry; one that is sealed, out of its envelope."""
    read = json.loads(bytes(obstore.get(bucket, key).bytes()))
    return read.get("document", read)


def without(fields: set[str], record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in fields}


def test_publish_commits_the_version_that_the_local_cloud_commits(
    sam_bucket: S3Store, local_bucket: S3Store
) -> None:
    by_sam = document(sam_bucket, "models/glow/versions/1.json")
    locally = document(local_bucket, "models/glow/versions/1.json")

    times = {"created_at", "published", "evidence"}  # and what was measured, which times hold too
    assert without(times, by_sam) == without(times, locally)
    assert by_sam["evidence"].keys() == locally["evidence"].keys()
    assert by_sam["evidence"]["measured"].keys() == locally["evidence"]["measured"].keys()
    assert by_sam["evidence"]["files"] == locally["evidence"]["files"]
    for blob in (by_sam["artifact"]["graph"], by_sam["artifact"]["weights"]):
        if blob is not None:
            key = f"blobs/sha256/{blob['digest']}"
            assert bytes(obstore.get(sam_bucket, key).bytes()) == bytes(
                obstore.get(local_bucket, key).bytes()
            )


def test_publish_points_live_at_the_version(sam_bucket: S3Store) -> None:
    alias = document(sam_bucket, "models/glow/aliases/live.json")

    assert [route["manifest"]["version"] for route in alias["routes"]] == [1]


def test_publish_refuses_with_the_local_clouds_reason(sam_bucket: S3Store, local_bucket: S3Store) -> None:
    by_sam = document(sam_bucket, "rejected/broken/first.json")
    locally = document(local_bucket, "rejected/broken/first.json")

    times = {"rejected_at", "completed_at"}
    assert without(times, by_sam) == without(times, locally)


def test_publish_delivered_twice_makes_no_second_version(sam: Sam, sam_bucket: S3Store) -> None:
    answer = sam.invoke("PublishFunction", event("sqs-s3-put.json"))

    listed = [meta["path"] for meta in obstore.list(sam_bucket, "models/glow/versions/").collect()]
    assert answer == {"batchItemFailures": []}
    assert listed == ["models/glow/versions/1.json"]


def test_publish_passes_over_the_event_that_s3_sends_to_try_the_queue(
    sam: Sam, local_cloud: LocalCloud
) -> None:
    by_sam = sam.invoke("PublishFunction", event("sqs-s3-test-event.json"))
    locally = local_cloud.invoke("PublishFunction", event("sqs-s3-test-event.json")).payload

    assert by_sam == locally == {"batchItemFailures": []}


@pytest.mark.parametrize("name", ["http-infer-json.json", "http-predict-png.json"])
def test_predict_answers_as_under_the_local_cloud(
    name: str, sam: Sam, sam_bucket: S3Store, local_cloud: LocalCloud, local_bucket: S3Store
) -> None:
    by_sam = sam.invoke("PredictFunction", event(name))
    locally = local_cloud.invoke("PredictFunction", event(name)).payload

    assert by_sam["statusCode"] == 200
    assert without({"headers"}, by_sam) == without({"headers"}, locally)
    assert set(by_sam["headers"]) == set(locally["headers"])
    timing = "server-timing"
    assert without({timing}, by_sam["headers"]) == without({timing}, locally["headers"])
    assert BUCKET not in by_sam["body"]
