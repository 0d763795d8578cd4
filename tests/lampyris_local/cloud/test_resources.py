from collections.abc import Callable
from typing import Any

from lampyris_local.cloud.local_cloud import LocalCloud

Client = Callable[..., Any]


def test_bucket_is_made_as_the_template_says(cloud: LocalCloud, client: Client) -> None:
    s3 = client(cloud, "s3")
    bucket = cloud.outputs["Bucket"]

    versioning = s3.get_bucket_versioning(Bucket=bucket)
    (notification,) = s3.get_bucket_notification_configuration(Bucket=bucket)["QueueConfigurations"]

    assert versioning["Status"] == "Enabled"
    assert notification["Events"] == ["s3:ObjectCreated:*"]
    rules = {rule["Name"].lower(): rule["Value"] for rule in notification["Filter"]["Key"]["FilterRules"]}
    assert rules == {"prefix": "inbox/", "suffix": ".json"}


def test_queue_is_made_as_the_template_says(cloud: LocalCloud, client: Client) -> None:
    sqs = client(cloud, "sqs")

    attributes = sqs.get_queue_attributes(QueueUrl=cloud.outputs["Messages"], AttributeNames=["All"])[
        "Attributes"
    ]

    assert attributes["VisibilityTimeout"] == "2"
    assert '"maxReceiveCount": 2' in attributes["RedrivePolicy"]


def test_table_is_made_as_the_template_says(cloud: LocalCloud, client: Client) -> None:
    dynamodb = client(cloud, "dynamodb")
    table = cloud.outputs["Jobs"]

    description = dynamodb.describe_table(TableName=table)["Table"]
    time_to_live = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]

    assert description["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}]
    assert description["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert time_to_live == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
