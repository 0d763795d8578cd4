"""A table in DynamoDB: one item a document, changed by conditional writes, read consistently.

Lists are an index of keys alone, so that a change to a document, which every sign of life is, does not write
to the index as well.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from lampyris.adapters.boto3_clients import CallFailed, calling
from lampyris.errors import ItemChanged, ItemExists, ItemNotFound, TableUnavailable
from lampyris.jobs.table import Item

# The index of lists, by its name in the template.
LISTS = "lists"
# What one request reads at most; DynamoDB's own limit.
_READ_AT_ONCE = 100
_TRIES = 8
# Some are reserved words of DynamoDB's, so none is written out.
_NAMES = {"#key": "key", "#data": "data", "#revision": "revision", "#list": "list", "#place": "place"}
_REFUSED = "ConditionalCheckFailedException"


class DynamoTable:
    """A Table. `client` is boto3's for DynamoDB."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

    def get(self, key: str) -> Item:
        with _errors(f"read {key}"):
            answer = self._client.get_item(TableName=self._name, Key=_key(key), ConsistentRead=True)
        if "Item" not in answer:
            raise ItemNotFound(key=key)
        return _item(answer["Item"])

    def create(self, key: str, data: bytes, listed: tuple[str, str] | None = None) -> Item:
        # At random: a document made anew must not be taken for the one that was deleted.
        revision = int.from_bytes(os.urandom(6))
        written = {**_key(key), "data": {"B": data}, "revision": {"N": str(revision)}}
        if listed is not None:
            written |= {"list": {"S": listed[0]}, "place": {"S": listed[1]}}
        with _errors(f"create {key}", refused=ItemExists(key=key)):
            self._client.put_item(
                TableName=self._name,
                Item=written,
                ConditionExpression="attribute_not_exists(#key)",
                ExpressionAttributeNames=_names("#key"),
            )
        return Item(key=key, data=data, revision=revision)

    def replace(self, item: Item, data: bytes) -> Item:
        revision = item.revision + 1
        with _errors(f"replace {item.key}", refused=ItemChanged(key=item.key)):
            self._client.update_item(
                TableName=self._name,
                Key=_key(item.key),
                UpdateExpression="SET #data = :data, #revision = :revision",
                ConditionExpression="#revision = :read",
                ExpressionAttributeNames=_names("#data", "#revision"),
                ExpressionAttributeValues={
                    ":data": {"B": data},
                    ":revision": {"N": str(revision)},
                    ":read": {"N": str(item.revision)},
                },
            )
        return Item(key=item.key, data=data, revision=revision)

    def delete(self, item: Item) -> None:
        with _errors(f"delete {item.key}", refused=ItemChanged(key=item.key)):
            self._client.delete_item(
                TableName=self._name,
                Key=_key(item.key),
                ConditionExpression="#revision = :read",
                ExpressionAttributeNames=_names("#revision"),
                ExpressionAttributeValues={":read": {"N": str(item.revision)}},
            )

    def list(self, name: str, *, limit: int, before: str | None = None) -> Sequence[Item]:
        keys = self._listed(name, limit, before)
        found = {
            item.key: item
            for start in range(0, len(keys), _READ_AT_ONCE)
            for item in self._read(keys[start : start + _READ_AT_ONCE])
        }
        return [found[key] for key in keys if key in found]  # the index may still hold what was deleted

    def _listed(self, name: str, limit: int, before: str | None) -> Sequence[str]:
        """Return keys of a list, the last place first."""
        condition = "#list = :list" + ("" if before is None else " AND #place < :before")
        values = {":list": {"S": name}} | ({} if before is None else {":before": {"S": before}})
        keys: list[str] = []
        start: dict[str, Any] = {}
        while len(keys) < limit:
            with _errors(f"list {name}"):
                page = self._client.query(
                    TableName=self._name,
                    IndexName=LISTS,
                    KeyConditionExpression=condition,
                    ExpressionAttributeNames=_names("#list", *(["#place"] if before is not None else [])),
                    ExpressionAttributeValues=values,
                    ScanIndexForward=False,
                    Limit=limit - len(keys),
                    **start,
                )
            keys.extend(found["key"]["S"] for found in page["Items"])
            if "LastEvaluatedKey" not in page:
                break
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
        return keys

    def _read(self, keys: Sequence[str]) -> Iterator[Item]:
        """Read documents in one request, or several: DynamoDB answers with 16 MB at most."""
        wanted = [_key(key) for key in keys]
        for _ in range(_TRIES):
            with _errors("read a list"):
                answer = self._client.batch_get_item(
                    RequestItems={self._name: {"Keys": wanted, "ConsistentRead": True}}
                )
            yield from map(_item, answer["Responses"].get(self._name, []))
            wanted = answer.get("UnprocessedKeys", {}).get(self._name, {}).get("Keys", [])
            if not wanted:
                return
        raise TableUnavailable(operation="read a list", cause="too much at once")


def _key(key: str) -> dict[str, dict[str, str]]:
    return {"key": {"S": key}}


def _names(*used: str) -> dict[str, str]:
    return {name: _NAMES[name] for name in used}


def _item(found: dict[str, Any]) -> Item:
    return Item(key=found["key"]["S"], data=found["data"]["B"], revision=int(found["revision"]["N"]))


@contextmanager
def _errors(operation: str, *, refused: Exception | None = None) -> Iterator[None]:
    """Raise `refused` if a condition does not hold, TableUnavailable for all else."""
    try:
        with calling():
            yield
    except CallFailed as error:
        if refused is not None and error.code == _REFUSED:
            raise refused from None
        raise TableUnavailable(operation=operation, cause=error.cause) from error
