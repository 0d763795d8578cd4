from typing import Any

import boto3

from lampyris_local.cloud.local_cloud import LocalCloud


def client(cloud: LocalCloud, service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=cloud.endpoint_url,
        region_name=cloud.region,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def test_bucket_is_made_as_the_template_says(cloud: LocalCloud) -> None:
    s3 = client(cloud, "s3")
    bucket = cloud.outputs["Bucket"]

    versioning = s3.get_bucket_versioning(Bucket=bucket)
    (notification,) = s3.get_bucket_notification_configuration(Bucket=bucket)["QueueConfigurations"]

    assert versioning["Status"] == "Enabled"
    assert notification["Events"] == ["s3:ObjectCreated:*"]
    rules = {rule["Name"].lower(): rule["Value"] for rule in notification["Filter"]["Key"]["FilterRules"]}
    assert rules == {"prefix": "inbox/", "suffix": ".json"}


def test_queue_is_made_as_the_template_says(cloud: LocalCloud) -> None:
    sqs = client(cloud, "sqs")

    attributes = sqs.get_queue_attributes(QueueUrl=cloud.outputs["Messages"], AttributeNames=["All"])[
        "Attributes"
    ]

    assert attributes["VisibilityTimeout"] == "2"
    assert '"maxReceiveCount": 2' in attributes["RedrivePolicy"]


def test_table_is_made_as_the_template_says(cloud: LocalCloud) -> None:
    dynamodb = client(cloud, "dynamodb")
    table = cloud.outputs["Jobs"]

    description = dynamodb.describe_table(TableName=table)["Table"]
    time_to_live = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]

    assert description["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}]
    assert description["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert time_to_live == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
