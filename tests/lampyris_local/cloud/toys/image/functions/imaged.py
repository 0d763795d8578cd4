"""The handler of a container image, which imports what stands in another source root."""

import json
import os
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


def handler(event: Any, context: Any) -> dict[str, Any]:
    """Tell what the image's function sees, after as many seconds as it is told."""
    import imaged_build  # type: ignore[import-not-found]  # it is on the path of the function only

    time.sleep(event.get("seconds", 0))
    return {
        "built": imaged_build.WHAT,
        "remaining_ms": context.get_remaining_time_in_millis(),
        "environment": dict(os.environ),
    }


def in_order(event: Any, _context: Any) -> dict[str, Any]:
    """Note messages, and fail those that say so, and what comes behind them in their group."""
    failures: list[str] = []
    broken: set[str] = set()
    for record in event["Records"]:
        group = record["attributes"]["MessageGroupId"]
        if group in broken:
            failures.append(record["messageId"])
            continue
        note = Path(os.environ["NOTES"]) / f"{time.time_ns()}-{record['messageId']}.json"
        note.write_text(json.dumps(record))
        if "fail" in record["body"]:
            broken.add(group)
            failures.append(record["messageId"])
    return {"batchItemFailures": [{"itemIdentifier": failed} for failed in failures]}


def keep(event: Any, _context: Any) -> None:
    """Put each message into the bucket, and a second object that says that the first is there."""
    for record in event["Records"]:
        for key in (record["body"], f"{record['body']}-done"):
            put(key)


def put(key: str) -> None:
    """Put an object without boto3, which would take most of the time: nobody here checks a signature."""
    endpoint = urlsplit(os.environ["AWS_ENDPOINT_URL"])
    connection = HTTPConnection(endpoint.netloc)
    signed = f"{os.environ['AWS_ACCESS_KEY_ID']}/20260101/us-east-1/s3/aws4_request"
    headers = {"Authorization": f"AWS4-HMAC-SHA256 Credential={signed}, SignedHeaders=host, Signature=0"}
    connection.request("PUT", f"/{os.environ['BUCKET']}/{key}", body=b"kept", headers=headers)
    answer = connection.getresponse()
    if answer.status != 200:
        raise OSError(answer.read().decode())
