"""Who put an object into the local cloud's S3: moto's messages do not say, and S3's do."""

import json
from typing import Any

_SOURCE = "aws:s3"


def with_uploader(body: str, by: str) -> str:
    """Add `by` to a message of S3's that does not say who wrote its objects; others are left as they are."""
    try:
        message = json.loads(body)
    except ValueError:
        return body
    unsigned = [record for record in _records(message) if _is_unsigned(record)]
    for record in unsigned:
        record["userIdentity"] = {"principalId": by}
    return json.dumps(message) if unsigned else body


def _records(message: Any) -> list[Any]:
    records = message.get("Records") if isinstance(message, dict) else None
    return records if isinstance(records, list) else []


def _is_unsigned(record: Any) -> bool:
    return isinstance(record, dict) and record.get("eventSource") == _SOURCE and "userIdentity" not in record
