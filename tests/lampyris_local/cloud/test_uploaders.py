import json

import pytest

from lampyris_local.cloud.uploaders import with_uploader


def test_message_of_s3_gets_the_uploader_that_moto_leaves_out() -> None:
    body = json.dumps({"Records": [{"eventSource": "aws:s3", "s3": {"object": {"key": "inbox/a"}}}]})

    (record,) = json.loads(with_uploader(body, "me@here"))["Records"]

    assert record["userIdentity"] == {"principalId": "me@here"}
    assert record["s3"] == {"object": {"key": "inbox/a"}}


@pytest.mark.parametrize(
    "body",
    [
        "hello",
        "[1]",
        '{"Records": 5}',
        '{"Records": [7, {"eventSource": "other"}]}',
        '{"Records": [{"eventSource": "aws:s3", "userIdentity": {"principalId": "AWS:AIDA"}}]}',
        '{"Event": "s3:TestEvent"}',
    ],
)
def test_other_messages_are_left_as_they_are(body: str) -> None:
    assert with_uploader(body, "me@here") == body
