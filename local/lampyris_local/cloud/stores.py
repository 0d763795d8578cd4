"""Queues, buckets and tables as a template declares them."""

import json
from collections.abc import Collection
from typing import Any

from lampyris_local.cloud.intrinsics import TemplateError, text
from lampyris_local.cloud.properties import Properties
from lampyris_local.cloud.stack import Bucket, Notification, Queue, Table

# CloudFormation's properties that are attributes of SQS's CreateQueue under the same name.
QUEUE_ATTRIBUTES = (
    "DelaySeconds",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ReceiveMessageWaitTimeSeconds",
)
TABLE_PROPERTIES = (
    "AttributeDefinitions",
    "KeySchema",
    "BillingMode",
    "ProvisionedThroughput",
    "GlobalSecondaryIndexes",
    "LocalSecondaryIndexes",
)


def queue(name: str, *, arn: str, url: str, properties: Properties) -> Queue:
    if properties.get("FifoQueue"):
        raise TemplateError(f"{properties.owner} is a FIFO queue; the local cloud has standard queues only.")
    visibility_timeout_s = properties.integer("VisibilityTimeout", 30)
    attributes = {"VisibilityTimeout": str(visibility_timeout_s)}
    attributes |= {key: properties.text(key) for key in QUEUE_ATTRIBUTES if key in properties}
    if "RedrivePolicy" in properties:
        redrive = properties.part("RedrivePolicy")
        attributes["RedrivePolicy"] = json.dumps(
            {
                "deadLetterTargetArn": redrive.text("deadLetterTargetArn"),
                "maxReceiveCount": int(redrive.text("maxReceiveCount")),
            }
        )
    return Queue(
        name=name, arn=arn, url=url, visibility_timeout_s=visibility_timeout_s, attributes=attributes
    )


def bucket(name: str, properties: Properties, queues: Collection[Queue]) -> Bucket:
    configuration = properties.mapping("NotificationConfiguration")
    unknown = set(configuration) - {"QueueConfigurations"}
    if unknown:
        raise TemplateError(
            f"{properties.owner} notifies through {', '.join(sorted(unknown))}; "
            "the local cloud knows QueueConfigurations."
        )
    notifications = [
        _notification(properties.owner, entry, queues)
        for entry in configuration.get("QueueConfigurations", [])
    ]
    versioning = properties.mapping("VersioningConfiguration").get("Status")
    return Bucket(name=name, versioned=versioning == "Enabled", notifications=notifications)


def _notification(owner: str, entry: dict[str, Any], queues: Collection[Queue]) -> Notification:
    if entry["Queue"] not in {queue.arn for queue in queues}:
        raise TemplateError(f"{owner} notifies {entry['Queue']}, which is not a queue of this template.")
    rules = entry.get("Filter", {}).get("S3Key", {}).get("Rules", [])
    filters = {text(rule["Name"]).lower(): text(rule["Value"]) for rule in rules}
    return Notification(
        event=entry["Event"],
        queue_arn=entry["Queue"],
        prefix=filters.get("prefix", ""),
        suffix=filters.get("suffix", ""),
    )


def table(name: str, properties: Properties) -> Table:
    definition = {key: properties.get(key) for key in TABLE_PROPERTIES if key in properties}
    definition.setdefault("BillingMode", "PROVISIONED")
    time_to_live = properties.mapping("TimeToLiveSpecification")
    return Table(
        name=name,
        definition=definition,
        time_to_live_attribute=time_to_live.get("AttributeName") if time_to_live.get("Enabled") else None,
    )
