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
FIFO_ATTRIBUTES = ("ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit")
FIFO_SUFFIX = ".fifo"
INDEX_PROPERTIES = ("IndexName", "KeySchema", "Projection", "ProvisionedThroughput")
TABLE_PROPERTIES = (
    "AttributeDefinitions",
    "KeySchema",
    "BillingMode",
    "ProvisionedThroughput",
    "GlobalSecondaryIndexes",
    "LocalSecondaryIndexes",
)


def is_fifo(properties: Properties) -> bool:
    return properties.text("FifoQueue", "false") == "true"


def queue(name: str, *, arn: str, url: str, properties: Properties) -> Queue:
    visibility_timeout_s = properties.integer("VisibilityTimeout", 30)
    attributes = {"VisibilityTimeout": str(visibility_timeout_s)}
    attributes |= {key: properties.text(key) for key in QUEUE_ATTRIBUTES if key in properties}
    attributes |= _fifo_attributes(name, properties)
    if "RedrivePolicy" in properties:
        redrive = properties.part("RedrivePolicy")
        attributes["RedrivePolicy"] = json.dumps(
            {
                "deadLetterTargetArn": redrive.text("deadLetterTargetArn"),
                "maxReceiveCount": int(redrive.text("maxReceiveCount")),
            }
        )
    return Queue(
        logical_id=properties.owner,
        name=name,
        arn=arn,
        url=url,
        visibility_timeout_s=visibility_timeout_s,
        attributes=attributes,
    )


def _fifo_attributes(name: str, properties: Properties) -> dict[str, str]:
    fifo = is_fifo(properties)
    if fifo != name.endswith(FIFO_SUFFIX):
        raise TemplateError(
            f"{properties.owner} is named {name}; names of FIFO queues end in {FIFO_SUFFIX}, and no others."
        )
    given = {key: properties.text(key) for key in FIFO_ATTRIBUTES if key in properties}
    if not fifo and given:
        raise TemplateError(f"{properties.owner} has {', '.join(given)}, which only a FIFO queue may have.")
    return {"FifoQueue": "true", **given} if fifo else {}


def check_redrive(queues: Collection[Queue]) -> None:
    """Refuse a dead-letter queue of another kind than its queue: SQS would not move messages there."""
    fifo = {queue.arn: queue.fifo for queue in queues}
    for queue in queues:
        redrive = json.loads(queue.attributes.get("RedrivePolicy", "{}"))
        if redrive and fifo.get(redrive["deadLetterTargetArn"], queue.fifo) != queue.fifo:
            raise TemplateError(
                f"The queue {queue.name} and its dead-letter queue must both be FIFO queues, or neither."
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
    told = next((queue for queue in queues if queue.arn == entry["Queue"]), None)
    if told is None:
        raise TemplateError(f"{owner} notifies {entry['Queue']}, which is not a queue of this template.")
    if told.fifo:
        raise TemplateError(f"{owner} notifies {told.name}; S3 does not notify FIFO queues.")
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
    for kind in ("GlobalSecondaryIndexes", "LocalSecondaryIndexes"):
        if kind in definition:
            definition[kind] = [
                {key: index[key] for key in INDEX_PROPERTIES if key in index} for index in definition[kind]
            ]
    time_to_live = properties.mapping("TimeToLiveSpecification")
    return Table(
        name=name,
        definition=definition,
        time_to_live_attribute=time_to_live.get("AttributeName") if time_to_live.get("Enabled") else None,
    )
