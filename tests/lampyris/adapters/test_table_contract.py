"""What every Table promises, held against each."""

from itertools import count
from pathlib import Path
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from lampyris.adapters.boto3_clients import aws_client
from lampyris.adapters.dynamodb_table import DynamoTable
from lampyris.adapters.memory_table import MemoryTable
from lampyris.errors import ItemChanged, ItemExists, ItemNotFound, TableUnavailable
from lampyris.jobs.table import Table

TEMPLATE = Path(__file__).parents[3] / "template.yaml"
_numbers = count(1)


@pytest.fixture(scope="module")
def dynamodb(moto: str) -> Any:
    return aws_client("dynamodb", region="us-east-1", endpoint=moto)


@pytest.fixture(params=["memory", "DynamoDB"])
def table(request: pytest.FixtureRequest) -> Table:
    if request.param == "memory":
        return MemoryTable()
    client = request.getfixturevalue("dynamodb")
    name = f"jobs-{next(_numbers)}"
    declared = yaml_parse(TEMPLATE.read_text())["Resources"]["JobsTable"]["Properties"]
    keys = ("BillingMode", "AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes")
    client.create_table(TableName=name, **{key: declared[key] for key in keys})
    return DynamoTable(client, name)


def test_what_was_created_is_read(table: Table) -> None:
    created = table.create("a", b"\x00one")

    assert table.get("a") == created
    assert created.data == b"\x00one"


def test_what_is_not_there_is_not_found(table: Table) -> None:
    with pytest.raises(ItemNotFound, match="a"):
        table.get("a")


def test_a_document_is_created_once(table: Table) -> None:
    table.create("a", b"one")

    with pytest.raises(ItemExists):
        table.create("a", b"two")
    assert table.get("a").data == b"one"


def test_who_knows_the_latest_replaces_it(table: Table) -> None:
    created = table.create("a", b"one")

    replaced = table.replace(created, b"two")

    assert table.get("a") == replaced
    assert table.replace(replaced, b"three").data == b"three"


def test_who_knows_an_earlier_one_replaces_nothing(table: Table) -> None:
    created = table.create("a", b"one")
    table.replace(created, b"two")

    with pytest.raises(ItemChanged):
        table.replace(created, b"three")
    assert table.get("a").data == b"two"


def test_what_is_deleted_is_gone(table: Table) -> None:
    created = table.create("a", b"one", listed=("jobs", "1"))

    table.delete(created)

    assert table.list("jobs", limit=5) == []
    with pytest.raises(ItemNotFound):
        table.get("a")
    with pytest.raises(ItemChanged):
        table.delete(created)
    with pytest.raises(ItemChanged):
        table.replace(created, b"two")


def test_what_changed_is_not_deleted(table: Table) -> None:
    created = table.create("a", b"one")
    table.replace(created, b"two")

    with pytest.raises(ItemChanged):
        table.delete(created)
    assert table.get("a").data == b"two"


def test_a_document_made_anew_is_not_the_one_that_was_deleted(table: Table) -> None:
    created = table.create("a", b"one")
    table.delete(created)
    table.create("a", b"one")

    with pytest.raises(ItemChanged):
        table.replace(created, b"two")


def test_lists_show_the_last_place_first_and_go_on_behind_one(table: Table) -> None:
    for place in ("2", "1", "3"):
        table.create(f"key-{place}", place.encode(), listed=("jobs", place))
    table.create("other", b"", listed=("others", "4"))
    table.create("nowhere", b"")

    assert [item.data for item in table.list("jobs", limit=2)] == [b"3", b"2"]
    assert [item.data for item in table.list("jobs", limit=2, before="2")] == [b"1"]


def test_a_list_shows_documents_as_they_are_now(table: Table) -> None:
    created = table.create("a", b"one", listed=("jobs", "1"))
    replaced = table.replace(created, b"two")

    assert table.list("jobs", limit=1) == [replaced]


def test_a_list_may_be_longer_than_what_one_request_reads(table: Table) -> None:
    for number in range(105):
        table.create(f"key-{number}", b"", listed=("jobs", f"{number:03}"))

    found = table.list("jobs", limit=103)

    assert [item.key for item in found] == [f"key-{number}" for number in range(104, 1, -1)]


def test_a_table_that_is_not_there_is_unavailable(dynamodb: Any) -> None:
    with pytest.raises(TableUnavailable, match="read a"):
        DynamoTable(dynamodb, "none").get("a")
