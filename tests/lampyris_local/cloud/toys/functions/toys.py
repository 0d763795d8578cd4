"""Handlers that do one odd thing each, for the tests of the local cloud."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

requests_seen = 0


def echo(event: Any, _context: Any) -> Any:
    """Answer with what came."""
    return event


def count(_event: Any, _context: Any) -> dict[str, int]:
    """Tell which process this is and how many requests it has seen."""
    global requests_seen  # noqa: PLW0603 - what stays between requests is what is tested
    requests_seen += 1
    return {"pid": os.getpid(), "requests": requests_seen}


def describe(_event: Any, context: Any) -> dict[str, Any]:
    """Tell what the function can see of where it runs."""
    return {
        "environment": dict(os.environ),
        "folder": str(Path.cwd()),
        "temporary": tempfile.mkdtemp(),
        "request_id": context.aws_request_id,
        "remaining_ms": context.get_remaining_time_in_millis(),
        "function_arn": context.invoked_function_arn,
    }


def sleep(event: Any, _context: Any) -> str:
    time.sleep(event["seconds"])
    return "awake"


def hog(event: Any, _context: Any) -> int:
    """Take memory until someone objects."""
    taken = []
    for _ in range(event["mb"] // 8):
        taken.append(b"\1" * (8 * 1024 * 1024))
        time.sleep(0.01)
    return len(taken)


def crash(event: Any, _context: Any) -> None:
    os._exit(event["code"])


def spawn(_event: Any, _context: Any) -> int:
    """Start a process that outlives this one, unless someone sees to it."""
    return subprocess.Popen(["sleep", "600"]).pid


def fail(_event: Any, _context: Any) -> None:
    print("about to fail")  # noqa: T201 - a line for the log
    print("and one more", file=sys.stderr)  # noqa: T201 - as above
    raise ValueError("no good")


def swell(event: Any, _context: Any) -> str:
    """Answer with JSON text of that many bytes."""
    return "x" * int(event["bytes"] - 2)


def binary(event: Any, _context: Any) -> dict[str, Any]:
    """Send a body back as it came."""
    return {
        "statusCode": 201,
        "headers": {"Content-Type": "application/octet-stream"},
        "cookies": ["a=1", "b=2"],
        "body": event.get("body", ""),
        "isBase64Encoded": event["isBase64Encoded"],
    }


def work(event: Any, _context: Any) -> dict[str, Any]:
    """Note each message in a file of its own, and report as failed those that ask for it."""
    failures = []
    for record in event["Records"]:
        note = Path(os.environ["NOTES"]) / f"{time.time_ns()}-{record['messageId']}.json"
        note.write_text(json.dumps(record))
        if "fail" in record["body"]:
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}
