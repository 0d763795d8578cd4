"""Many writers at once on moto: what each of them was told must be what happened."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from lampyris.adapters.object_store import ObjectStore, s3_store
from lampyris.errors import ObjectChanged
from lampyris_local.cloud.endpoint import MotoEndpoint
from lampyris_local.cloud.resources import client
from lampyris_local.cloud.stack import Place

WRITERS, ROUNDS = 4, 25


@pytest.fixture
def place() -> Iterator[Place]:
    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # so that threads come between each other wherever they can
    with MotoEndpoint() as endpoint:
        yield Place(api_url="http://127.0.0.1:1", endpoint_url=endpoint.url)
    sys.setswitchinterval(interval_s)


def accepted_by_all(write: Any) -> int:
    with ThreadPoolExecutor(WRITERS) as threads:
        return sum(threads.map(lambda _: sum(write() for _ in range(ROUNDS)), range(WRITERS)))


def test_every_accepted_write_of_a_table_counts(place: Place) -> None:
    with closing(client("dynamodb", place)) as table:
        table.create_table(
            TableName="t",
            KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        table.put_item(TableName="t", Item={"k": {"S": "a"}, "n": {"N": "0"}})

        def count_up() -> bool:
            read = table.get_item(TableName="t", Key={"k": {"S": "a"}}, ConsistentRead=True)["Item"]["n"]
            try:
                table.put_item(
                    TableName="t",
                    Item={"k": {"S": "a"}, "n": {"N": str(int(read["N"]) + 1)}},
                    ConditionExpression="n = :n",
                    ExpressionAttributeValues={":n": read},
                )
            except table.exceptions.ConditionalCheckFailedException:
                return False
            return True

        accepted = accepted_by_all(count_up)

        assert table.get_item(TableName="t", Key={"k": {"S": "a"}})["Item"]["n"]["N"] == str(accepted)


def test_every_accepted_replacement_of_an_object_counts(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "local")
    monkeypatch.setenv("AWS_REGION", place.region)
    with closing(client("s3", place)) as s3:
        s3.create_bucket(Bucket="bucket")
    store: ObjectStore = s3_store("bucket", endpoint=place.endpoint_url)
    store.create("count", b"0")

    def count_up() -> bool:
        found = store.get("count")
        try:
            store.replace("count", str(int(found.data) + 1).encode(), found.etag)
        except ObjectChanged:
            return False
        return True

    accepted = accepted_by_all(count_up)

    assert store.get("count").data == str(accepted).encode()
