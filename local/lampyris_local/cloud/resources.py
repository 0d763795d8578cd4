"""Makes a stack's queues, buckets, tables and event buses on an endpoint; what is there is left as it is."""

import functools
from contextlib import ExitStack, closing
from typing import Any

import boto3
import botocore.session
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import ClientError

from lampyris_local.cloud.stack import Bucket, Notification, Place, Queue, Stack, Table

ACCESS_KEY = "local"
SECRET_KEY = "local"  # noqa: S105 - an emulator takes any


@functools.cache
def _session() -> boto3.Session:
    """A session deaf to the AWS profile of whoever runs this. Shared, for making one takes long."""
    return boto3.Session(
        botocore_session=botocore.session.Session(
            session_vars={
                "profile": (None, None, None, None),
                "config_file": (None, None, None, None),
                "credentials_file": (None, None, None, None),
            }
        )
    )


def client(service: str, place: Place) -> BaseClient:
    """Make a boto3 client for the endpoint; a proxy in the environment is passed by."""
    return _session().client(
        service,
        region_name=place.region,
        endpoint_url=place.endpoint_url,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        config=Config(proxies={}, s3={"addressing_style": "path"}),
    )


def make_resources(stack: Stack, place: Place) -> None:
    # A queue's redrive policy names its dead-letter queue, which must be there first.
    queues = sorted(stack.queues, key=lambda queue: "RedrivePolicy" in queue.attributes)
    with ExitStack() as clients:
        if queues:
            sqs = clients.enter_context(closing(client("sqs", place)))
            for queue in queues:
                _make_queue(sqs, queue)
        if stack.buckets:
            s3 = clients.enter_context(closing(client("s3", place)))
            for bucket in stack.buckets:
                _make_bucket(s3, bucket, place.region)
        if stack.tables:
            dynamodb = clients.enter_context(closing(client("dynamodb", place)))
            for table in stack.tables:
                _make_table(dynamodb, table)
        if stack.event_buses:
            buses = clients.enter_context(closing(client("events", place)))
            for bus in stack.event_buses:
                _unless_there(
                    "ResourceAlreadyExistsException", functools.partial(buses.create_event_bus, Name=bus)
                )


def _make_queue(sqs: Any, queue: Queue) -> None:
    sqs.create_queue(QueueName=queue.name, Attributes={"FifoQueue": "true"} if queue.fifo else {})
    sqs.set_queue_attributes(QueueUrl=queue.url, Attributes=queue.attributes)


def _make_bucket(s3: Any, bucket: Bucket, region: str) -> None:
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    _unless_there("BucketAlreadyOwnedByYou", lambda: s3.create_bucket(Bucket=bucket.name, **where))
    if bucket.versioned:
        s3.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_notification_configuration(
        Bucket=bucket.name,
        NotificationConfiguration={
            "QueueConfigurations": [
                {
                    "QueueArn": notification.queue_arn,
                    "Events": [notification.event],
                    "Filter": {"Key": {"FilterRules": _filter_rules(notification)}},
                }
                for notification in bucket.notifications
            ]
        },
    )


def _filter_rules(notification: Notification) -> list[dict[str, str]]:
    rules = {"prefix": notification.prefix, "suffix": notification.suffix}
    return [{"Name": name, "Value": value} for name, value in rules.items() if value]


def _make_table(dynamodb: Any, table: Table) -> None:
    _unless_there(
        "ResourceInUseException", lambda: dynamodb.create_table(TableName=table.name, **table.definition)
    )
    if table.time_to_live_attribute:
        dynamodb.update_time_to_live(
            TableName=table.name,
            TimeToLiveSpecification={"Enabled": True, "AttributeName": table.time_to_live_attribute},
        )


def _unless_there(code: str, make: Any) -> None:
    try:
        make()
    except ClientError as error:
        if error.response["Error"]["Code"] != code:
            raise
