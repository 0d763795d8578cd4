"""The template as CloudFormation would see it: translated as AWS does, then linted and looked at."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Any

import pytest
from samtranslator.yaml_helper import yaml_parse

from check_template import problems, translate
from lampyris.adapters.dynamodb_table import LISTS
from lampyris.adapters.event_bus import SOURCE
from lampyris.bootstrap import read_settings
from lampyris.publishing.signing import read_trusted_keys

ROOT = Path(__file__).parent.parent
TEMPLATE = (ROOT / "template.yaml").read_text()

Resource = dict[str, Any]


@pytest.fixture(scope="module", params=["arm64", "x86_64"])
def template(request: pytest.FixtureRequest) -> dict[str, Any]:
    return translate(TEMPLATE, {"Architecture": request.param})


@pytest.fixture(scope="module")
def resources() -> dict[str, Resource]:
    translated: dict[str, Resource] = translate(TEMPLATE, {})["Resources"]
    return translated


def of_type(resources: dict[str, Resource], kind: str) -> dict[str, Any]:
    return {name: resource["Properties"] for name, resource in resources.items() if resource["Type"] == kind}


def statements(resources: dict[str, Resource]) -> Iterator[dict[str, Any]]:
    """Every statement of every policy: of roles, of managed policies, of the bucket and of the queues."""
    for resource in resources.values():
        properties = resource["Properties"]
        inline = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
        own = [properties["PolicyDocument"]] if "PolicyDocument" in properties else []
        for document in [*inline, *own]:
            yield from document["Statement"]


def allowed(resources: dict[str, Resource], role: str) -> dict[str, list[Any]]:
    """What a role may do: resources by action."""
    (policy,) = resources[role]["Properties"]["Policies"]
    found: dict[str, list[Any]] = {}
    for statement in policy["PolicyDocument"]["Statement"]:
        for action in as_list(statement["Action"]):
            found.setdefault(action, []).extend(as_list(statement["Resource"]))
    return found


def as_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_translated_template_has_nothing_for_cfn_lint_to_complain_of(template: dict[str, Any]) -> None:
    found = problems(template)

    assert found == []


def test_template_deploys_the_functions_on_python_3_13(resources: dict[str, Resource]) -> None:
    functions = of_type(resources, "AWS::Lambda::Function")

    image = functions.pop("TrainFunction")
    assert image["ImageConfig"] == {"Command": ["lampyris.handlers.train.handler"]}
    handlers = {name: function["Handler"] for name, function in functions.items()}
    assert handlers == {
        "AttendFunction": "lampyris.handlers.attend.handler",
        "BatchFunction": "lampyris.handlers.batch.handler",
        "ControlFunction": "lampyris.handlers.control.handler",
        "KeepFunction": "lampyris.handlers.control.handler",
        "PredictFunction": "lampyris.handlers.predict.handler",
        "PredictionsFunction": "lampyris.handlers.predictions.handler",
        "PublishFunction": "lampyris.handlers.publish.handler",
        "ShadowFunction": "lampyris.handlers.shadow.handler",
    }
    assert {function["Runtime"] for function in functions.values()} == {"python3.13"}


def test_nothing_that_trains_is_deployed_without_an_image(resources: dict[str, Resource]) -> None:
    conditional = {name for name, one in resources.items() if one.get("Condition") == "HasTraining"}

    assert conditional == {"TrainFunction", "TrainFunctionJobs", "TrainLogs", "TrainRole"}
    assert resources["TrainFunction"]["Properties"]["Code"] == {"ImageUri": {"Ref": "TrainImage"}}


def test_no_machine_is_started_without_a_network(resources: dict[str, Resource]) -> None:
    conditional = {
        name: one["Type"] for name, one in resources.items() if one.get("Condition") == "HasMachines"
    }

    assert conditional == {
        "MachineEnvironment": "AWS::Batch::ComputeEnvironment",
        "MachineQueue": "AWS::Batch::JobQueue",
        "MachineJob": "AWS::Batch::JobDefinition",
        "MachineSecurityGroup": "AWS::EC2::SecurityGroup",
        "MachinesReachEachOther": "AWS::EC2::SecurityGroupIngress",
        "MachineProfile": "AWS::IAM::InstanceProfile",
        "MachineLogs": "AWS::Logs::LogGroup",
        "MachineRole": "AWS::IAM::Role",
        "StartMachinesPolicy": "AWS::IAM::RolePolicy",
        "HandOverToMachinesPolicy": "AWS::IAM::RolePolicy",
    }
    assert resources["MachineEnvironment"]["Properties"]["ComputeResources"]["MinvCpus"] == 0


def test_machines_run_the_train_functions_image_with_its_rights(resources: dict[str, Resource]) -> None:
    (nodes,) = resources["MachineJob"]["Properties"]["NodeProperties"]["NodeRangeProperties"]

    assert nodes["TargetNodes"] == "0:"
    assert nodes["Container"]["Image"] == {"Ref": "TrainImage"}
    assert nodes["Container"]["JobRoleArn"] == resources["TrainFunction"]["Properties"]["Role"]
    told = {variable["Name"] for variable in nodes["Container"]["Environment"]}
    assert set(resources["TrainFunction"]["Properties"]["Environment"]["Variables"]) < told


def test_functions_run_on_arm64_unless_told_otherwise() -> None:
    template = translate(TEMPLATE, {})

    architecture = template["Parameters"]["Architecture"]
    assert architecture["Default"] == "arm64"
    assert architecture["AllowedValues"] == ["arm64", "x86_64"]
    for function in of_type(template["Resources"], "AWS::Lambda::Function").values():
        assert function["Architectures"] == [{"Ref": "Architecture"}]


def test_functions_are_told_what_their_bootstrap_reads(resources: dict[str, Resource]) -> None:
    functions = of_type(resources, "AWS::Lambda::Function")

    bucket = {"LAMPYRIS_BUCKET": {"Ref": "Bucket"}}
    jobs = {"LAMPYRIS_JOBS_TABLE": {"Ref": "JobsTable"}, "LAMPYRIS_ATTEND_QUEUE": {"Ref": "AttendQueue"}}
    dead = {"LAMPYRIS_DEAD_QUEUE": {"Ref": "JobsDeadLetters"}}
    batch = {"LAMPYRIS_BATCH_QUEUE": {"Ref": "BatchQueue"}}
    definition = {"Fn::Sub": "${AWS::StackName}-machines"}
    training = {
        "LAMPYRIS_TRAIN_QUEUE": {"Fn::If": ["HasTraining", {"Ref": "TrainQueue"}, ""]},
        "LAMPYRIS_BATCH_JOB_QUEUE": {"Fn::If": ["HasMachines", {"Ref": "MachineQueue"}, ""]},
        "LAMPYRIS_BATCH_JOB_DEFINITION": {"Fn::If": ["HasMachines", definition, ""]},
    }
    assert functions["PublishFunction"]["Environment"]["Variables"] == {
        **bucket,
        "LAMPYRIS_TRUSTED_KEYS": {"Ref": "TrustedKeys"},
        "POWERTOOLS_LOG_LEVEL": "INFO",
        "POWERTOOLS_METRICS_NAMESPACE": "Lampyris",
        "POWERTOOLS_SERVICE_NAME": "publish",
    }
    assert functions["PredictFunction"]["Environment"]["Variables"] == {
        **bucket,
        "LAMPYRIS_ALIAS_TTL_S": {"Ref": "AliasTtlSeconds"},
        "LAMPYRIS_PRELOAD": {"Ref": "PreloadModels"},
    }
    assert functions["ShadowFunction"]["Environment"]["Variables"] == bucket
    assert functions["ControlFunction"]["Environment"]["Variables"] == {
        **bucket,
        **jobs,
        **dead,
        "LAMPYRIS_PREDICT_MEMORY_MB": {"Ref": "PredictMemory"},
    }
    assert functions["KeepFunction"]["Environment"]["Variables"] == {
        **bucket,
        **jobs,
        **dead,
        "LAMPYRIS_BACKUP_BUCKET": {"Ref": "BackupBucket"},
    }
    assert functions["AttendFunction"]["Environment"]["Variables"] == {
        **bucket,
        **jobs,
        **batch,
        **dead,
        **training,
        "LAMPYRIS_JOBS_IN_ALL": {"Ref": "JobsInAll"},
        "LAMPYRIS_JOBS_BY_TENANT": {"Ref": "JobsByTenant"},
        "LAMPYRIS_JOBS_BY_MODEL": {"Ref": "JobsByModel"},
        "LAMPYRIS_WEBHOOK_SECRET": {"Ref": "WebhookSecret"},
    }
    assert functions["TrainFunction"]["Environment"]["Variables"] == {
        **bucket,
        **jobs,
        "LAMPYRIS_TRAIN_QUEUE": {"Ref": "TrainQueue"},
    }
    assert functions["BatchFunction"]["Environment"]["Variables"] == {**bucket, **jobs, **batch}
    assert functions["PredictionsFunction"]["Environment"]["Variables"] == {
        **bucket,
        "LAMPYRIS_ALIAS_TTL_S": {"Ref": "AliasTtlSeconds"},
        "LAMPYRIS_PREDICTIONS_QUEUE": {"Ref": "PredictionsQueue"},
        "LAMPYRIS_ORDERED_PREDICTIONS_QUEUE": {"Ref": "OrderedPredictionsQueue"},
    }


def test_functions_are_traced_and_log_to_groups_that_expire(resources: dict[str, Resource]) -> None:
    groups = of_type(resources, "AWS::Logs::LogGroup")

    for function in of_type(resources, "AWS::Lambda::Function").values():
        assert function["TracingConfig"] == {"Mode": "Active"}
        assert function["LoggingConfig"]["LogGroup"]["Ref"] in groups
    functions = {name.removesuffix("Function") for name in of_type(resources, "AWS::Lambda::Function")}
    assert set(groups) == {"ApiLogs", "MachineLogs", *(f"{function}Logs" for function in functions)}
    assert all(group["RetentionInDays"] == {"Ref": "LogRetentionDays"} for group in groups.values())


def test_each_function_has_a_role_of_its_own(resources: dict[str, Resource]) -> None:
    functions = of_type(resources, "AWS::Lambda::Function")

    roles = {name: function["Role"]["Fn::GetAtt"][0] for name, function in functions.items()}
    assert roles == {name: f"{name.removesuffix('Function')}Role" for name in functions}
    for role in of_type(resources, "AWS::IAM::Role").values():
        assert "ManagedPolicyArns" not in role


def test_no_statement_allows_every_action(resources: dict[str, Resource]) -> None:
    granted = [
        action
        for statement in statements(resources)
        if statement["Effect"] == "Allow"
        for action in as_list(statement["Action"])
    ]

    assert granted
    assert [action for action in granted if "*" in action] == []


def test_only_what_knows_no_resources_is_allowed_on_every_one(resources: dict[str, Resource]) -> None:
    on_everything = [
        statement["Action"]
        for statement in statements(resources)
        if statement["Effect"] == "Allow" and "*" in as_list(statement["Resource"])
    ]

    functions = of_type(resources, "AWS::Lambda::Function")
    assert on_everything == [
        *[["xray:PutTraceSegments", "xray:PutTelemetryRecords"]] * (len(functions) - 2),
        ["ecs:DiscoverPollEndpoint", "ecr:GetAuthorizationToken"],
        "batch:ListJobs",
        *[["xray:PutTraceSegments", "xray:PutTelemetryRecords"]] * 2,
    ]


def below(*prefixes: str) -> list[dict[str, str]]:
    return [{"Fn::Sub": f"${{Bucket.Arn}}/{prefix}/*"} for prefix in prefixes]


def test_predict_reads_what_it_serves_and_writes_wishes_copies_and_answers(
    resources: dict[str, Resource],
) -> None:
    predict = allowed(resources, "PredictRole")

    assert {action for action in predict if action.startswith("s3:")} == {
        "s3:AbortMultipartUpload",
        "s3:GetObject",
        "s3:ListBucket",
        "s3:PutObject",
    }
    assert predict["s3:GetObject"] == below("models", "blobs", "tuned", "uploads", "answers")
    assert predict["s3:PutObject"] == below("tuning", "shadow", "answers")


def test_the_shadow_function_reads_copies_and_writes_what_comes_of_them(
    resources: dict[str, Resource],
) -> None:
    shadow = allowed(resources, "ShadowRole")

    assert {action for action in shadow if action.startswith("s3:")} == {
        "s3:GetObject",
        "s3:ListBucket",
        "s3:PutObject",
    }
    assert shadow["s3:GetObject"] == below("shadow", "models", "blobs", "tuned")
    assert shadow["s3:PutObject"] == below("shadowed", "tuning")
    assert shadow["sqs:ReceiveMessage"] == [{"Fn::GetAtt": ["ShadowQueue", "Arn"]}]


def test_a_shadow_finds_what_the_predict_function_would_give_it(resources: dict[str, Resource]) -> None:
    functions = of_type(resources, "AWS::Lambda::Function")

    assert functions["ShadowFunction"]["MemorySize"] == functions["PredictFunction"]["MemorySize"]


HEAD = {"Fn::Sub": "${Bucket.Arn}/audit-head.json"}


def test_control_changes_documents_signs_uploads_and_deletes_nothing(resources: dict[str, Resource]) -> None:
    control = allowed(resources, "ControlRole")

    assert {action for action in control if action.startswith("s3:")} == {
        "s3:GetObject",
        "s3:ListBucket",
        "s3:PutObject",
    }
    assert control["s3:PutObject"] == [
        *below("models", "changes"),
        HEAD,
        *below("audit", "uploads", "inbox", "data"),
    ]


def test_only_the_keep_function_may_remove_what_the_bucket_would_keep(resources: dict[str, Resource]) -> None:
    roles = of_type(resources, "AWS::IAM::Role")

    removing = [name for name in roles if "s3:DeleteObjectVersion" in allowed(resources, name)]
    assert removing == ["KeepRole"]


@pytest.mark.parametrize("role", ["ControlRole", "KeepRole", "PublishRole"])
def test_who_changes_the_registry_may_add_to_the_audit_and_not_write_over_it(
    role: str, resources: dict[str, Resource]
) -> None:
    (policy,) = resources[role]["Properties"]["Policies"]
    (adding,) = (
        statement
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Resource"] in below("audit") and statement["Action"] == "s3:PutObject"
    )

    assert adding["Condition"] == {"Null": {"s3:if-none-match": "false"}}
    assert allowed(resources, role)["s3:PutObject"].count(adding["Resource"]) == 1


def test_nobody_may_remove_from_the_audit(resources: dict[str, Resource]) -> None:
    for role in of_type(resources, "AWS::IAM::Role"):
        for action, targets in allowed(resources, role).items():
            assert "Delete" not in action or below("audit")[0] not in targets


def test_backups_go_to_the_one_bucket_that_is_named_if_one_is(resources: dict[str, Resource]) -> None:
    policy = resources["KeepBackupsPolicy"]

    assert policy["Condition"] == "HasBackupBucket"
    targets = {
        target["Fn::Sub"]
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        for target in as_list(statement["Resource"])
    }
    bucket = "arn:${AWS::Partition}:s3:::${BackupBucket}"
    assert targets == {bucket, f"{bucket}/*"}


def test_publish_may_not_write_to_the_inbox_nor_delete_what_is_published(
    resources: dict[str, Resource],
) -> None:
    publish = allowed(resources, "PublishRole")

    assert publish["s3:PutObject"] == [
        *below("blobs", "models"),
        {"Fn::Sub": "${Bucket.Arn}/audit-head.json"},
        *below("changes", "reservations", "rejected", "tuned", "tuning", "audit"),
    ]
    assert publish["s3:DeleteObject"] == below("reservations")
    assert {action for action in publish if "Delete" in action} == {"s3:DeleteObject", "sqs:DeleteMessage"}
    assert publish["sqs:ReceiveMessage"] == [{"Fn::GetAtt": ["InboxQueue", "Arn"]}]


def test_parameter_for_trusted_keys_takes_what_publishing_reads(template: dict[str, Any]) -> None:
    pattern = template["Parameters"]["TrustedKeys"]["AllowedPattern"]
    keys = [base64.b64encode(bytes.fromhex("302a300506032b6570032100") + bytes([i]) * 32) for i in range(3)]
    line = b", ".join(keys).decode()

    assert len(read_trusted_keys(line)) == 3
    assert re.fullmatch(pattern, line)
    assert re.fullmatch(pattern, "")
    assert not re.fullmatch(pattern, line + "x")
    assert not re.fullmatch(pattern, base64.b64encode(bytes(44)).decode())


def test_bucket_is_encrypted_versioned_private_and_outlives_the_stack(
    resources: dict[str, Resource],
) -> None:
    bucket = resources["Bucket"]["Properties"]

    (encryption,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert encryption["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert resources["Bucket"]["DeletionPolicy"] == "Retain"
    assert resources["Bucket"]["UpdateReplacePolicy"] == "Retain"


def test_bucket_and_queues_refuse_requests_without_tls(resources: dict[str, Resource]) -> None:
    denied = [statement for statement in statements(resources) if statement["Effect"] == "Deny"]

    guarded = {str(target) for statement in denied for target in as_list(statement["Resource"])}
    assert guarded == {
        "{'Fn::GetAtt': ['Bucket', 'Arn']}",
        "{'Fn::Sub': '${Bucket.Arn}/*'}",
        *(str({"Fn::GetAtt": [queue, "Arn"]}) for queue in of_type(resources, "AWS::SQS::Queue")),
    }
    for statement in denied:
        assert statement["Principal"] == "*"
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_lifecycle_clears_what_passes_through_and_never_the_registry(resources: dict[str, Resource]) -> None:
    rules = resources["Bucket"]["Properties"]["LifecycleConfiguration"]["Rules"]

    expiring = {rule["Prefix"]: rule["ExpirationInDays"] for rule in rules if "ExpirationInDays" in rule}
    assert expiring == {
        "inbox/": 30,
        "uploads/": 1,
        "answers/": 1,
        "shadow/": 1,
        "shadowed/": 30,
        "tuning/": 1,
        "jobs/": 30,
        "predictions/": 7,
    }
    assert any("NoncurrentVersionExpiration" in rule for rule in rules)
    assert any("AbortIncompleteMultipartUpload" in rule for rule in rules)


def test_bodies_answers_copies_and_wishes_are_gone_for_good_after_a_day(
    resources: dict[str, Resource],
) -> None:
    rules = resources["Bucket"]["Properties"]["LifecycleConfiguration"]["Rules"]

    noncurrent = {
        rule["Prefix"]: rule["NoncurrentVersionExpiration"]["NoncurrentDays"]
        for rule in rules
        if rule.get("ExpirationInDays") == 1
    }
    assert noncurrent == {"uploads/": 1, "answers/": 1, "shadow/": 1, "tuning/": 1}


def test_queues_hear_of_what_publishes_of_wishes_and_copies_and_of_what_starts_jobs(
    resources: dict[str, Resource],
) -> None:
    notifications = resources["Bucket"]["Properties"]["NotificationConfiguration"]["QueueConfigurations"]

    heard = [
        (
            notification["Queue"]["Fn::GetAtt"][0],
            {rule["Name"]: rule["Value"] for rule in notification["Filter"]["S3Key"]["Rules"]},
        )
        for notification in notifications
    ]
    assert heard == [
        ("InboxQueue", {"prefix": "inbox/", "suffix": "bundle.json"}),
        ("InboxQueue", {"prefix": "inbox/", "suffix": ".onnx"}),
        ("InboxQueue", {"prefix": "tuning/"}),
        ("ShadowQueue", {"prefix": "shadow/"}),
        ("AttendQueue", {"prefix": "batch/"}),
        ("AttendQueue", {"prefix": "watch/"}),
    ]
    assert {notification["Event"] for notification in notifications} == {"s3:ObjectCreated:*"}


@pytest.mark.parametrize("queue", ["AttendQueue", "InboxQueue", "ShadowQueue"])
def test_only_this_accounts_bucket_may_send_to_a_queue(resources: dict[str, Resource], queue: str) -> None:
    policy = resources[f"{queue}Policy"]["Properties"]["PolicyDocument"]

    (send,) = [statement for statement in policy["Statement"] if statement["Effect"] == "Allow"]
    bucket_name = resources["Bucket"]["Properties"]["BucketName"]["Fn::Sub"]
    assert send["Principal"] == {"Service": "s3.amazonaws.com"}
    assert send["Action"] == "sqs:SendMessage"
    assert send["Condition"] == {
        "ArnEquals": {"aws:SourceArn": {"Fn::Sub": f"arn:${{AWS::Partition}}:s3:::{bucket_name}"}},
        "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
    }
    assert send["Resource"] == {"Fn::GetAtt": [queue, "Arn"]}
    assert f"{queue}Policy" in resources["Bucket"]["DependsOn"]


def test_queues_are_encrypted_and_every_source_queue_has_dead_letters(resources: dict[str, Resource]) -> None:
    queues = of_type(resources, "AWS::SQS::Queue")

    assert all(queue["SqsManagedSseEnabled"] for queue in queues.values())
    for source in of_type(resources, "AWS::Lambda::EventSourceMapping").values():
        queue = queues[source["EventSourceArn"]["Fn::GetAtt"][0]]
        redrive = queue["RedrivePolicy"]
        dead_letters = queues[redrive["deadLetterTargetArn"]["Fn::GetAtt"][0]]
        # A lost wake-up is a job that stands still.
        is_wake_up = source["FunctionName"]["Ref"] == "AttendFunction"
        assert redrive["maxReceiveCount"] == (100 if is_wake_up else 5)
        assert dead_letters["MessageRetentionPeriod"] == 14 * 24 * 3600
        assert dead_letters["MessageRetentionPeriod"] > queue["MessageRetentionPeriod"]


def test_messages_stay_hidden_for_six_times_the_functions_timeout(resources: dict[str, Resource]) -> None:
    sources = of_type(resources, "AWS::Lambda::EventSourceMapping").values()

    assert sources
    for source in sources:
        queue = resources[source["EventSourceArn"]["Fn::GetAtt"][0]]["Properties"]
        function = resources[source["FunctionName"]["Ref"]]["Properties"]
        assert queue["VisibilityTimeout"] >= 6 * function["Timeout"]


def test_queue_workers_report_failures_message_by_message(resources: dict[str, Resource]) -> None:
    sources = of_type(resources, "AWS::Lambda::EventSourceMapping").values()

    assert sources
    for source in sources:
        assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_no_flood_of_messages_takes_the_accounts_concurrency_away(resources: dict[str, Resource]) -> None:
    sources = of_type(resources, "AWS::Lambda::EventSourceMapping")

    most = {name: source["ScalingConfig"]["MaximumConcurrency"] for name, source in sources.items()}
    by_parameter = {name: one["Ref"] for name, one in most.items() if isinstance(one, dict)}
    assert by_parameter == {
        "BatchFunctionShards": "BatchConcurrency",
        "TrainFunctionJobs": "TrainConcurrency",
    }
    assert all(one <= 5 for name, one in most.items() if name not in by_parameter)


def test_a_dead_letter_raises_an_alarm(resources: dict[str, Resource]) -> None:
    alarms = of_type(resources, "AWS::CloudWatch::Alarm").values()

    watched = [dimension["Value"] for alarm in alarms for dimension in alarm["Dimensions"]]
    letters = [queue for queue in of_type(resources, "AWS::SQS::Queue") if queue.endswith("DeadLetters")]
    assert watched == [{"Fn::GetAtt": [queue, "QueueName"]} for queue in letters]
    for alarm in alarms:
        assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (0, "GreaterThanThreshold")


def test_every_route_asks_for_a_signature(resources: dict[str, Resource]) -> None:
    paths = resources["Api"]["Properties"]["Body"]["paths"]

    assert {path: list(methods) for path, methods in paths.items()} == {
        "/v2": ["x-amazon-apigateway-any-method"],
        "/v2/{path+}": ["x-amazon-apigateway-any-method"],
        "/v1/{path+}": ["x-amazon-apigateway-any-method"],
        "/uploads": ["x-amazon-apigateway-any-method"],
        "/openapi.json": ["x-amazon-apigateway-any-method"],
        "/models": ["x-amazon-apigateway-any-method"],
        "/models/{path+}": ["x-amazon-apigateway-any-method"],
        "/rejected": ["x-amazon-apigateway-any-method"],
        "/rejected/{path+}": ["x-amazon-apigateway-any-method"],
        "/audit": ["x-amazon-apigateway-any-method"],
        "/audit/verify": ["x-amazon-apigateway-any-method"],
        "/jobs": ["x-amazon-apigateway-any-method"],
        "/jobs/{path+}": ["x-amazon-apigateway-any-method"],
        "/jobs/{job}": ["delete"],
        "/data": ["x-amazon-apigateway-any-method"],
        "/gc": ["x-amazon-apigateway-any-method"],
        "/backup": ["x-amazon-apigateway-any-method"],
        "/restore": ["x-amazon-apigateway-any-method"],
        "/models/{model}": ["delete"],
        "/models/{model}/predict": ["post"],
        "/models/{model}/versions/{version}/predict": ["post"],
        "$default": ["x-amazon-apigateway-any-method"],
    }
    for methods in paths.values():
        for operation in methods.values():
            assert operation["security"] == [{"AWS_IAM": []}]
            assert operation["x-amazon-apigateway-integration"]["payloadFormatVersion"] == "2.0"


def test_api_is_throttled_and_writes_access_logs(resources: dict[str, Resource]) -> None:
    (stage,) = of_type(resources, "AWS::ApiGatewayV2::Stage").values()

    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] > 0
    assert stage["AccessLogSettings"]["DestinationArn"] == {"Fn::GetAtt": ["ApiLogs", "Arn"]}


def test_function_gives_up_before_the_api_does(resources: dict[str, Resource]) -> None:
    timeout_s = resources["PredictFunction"]["Properties"]["Timeout"]

    assert timeout_s < 30


def test_predictions_go_to_the_published_version(resources: dict[str, Resource]) -> None:
    paths = resources["Api"]["Properties"]["Body"]["paths"]

    integration = paths["/models/{model}/predict"]["post"]["x-amazon-apigateway-integration"]
    alias = resources["PredictFunctionAliaslive"]["Properties"]
    (version,) = (name for name in resources if name.startswith("PredictFunctionVersion"))
    assert "${PredictFunctionAliaslive}" in integration["uri"]["Fn::Sub"]
    assert alias["FunctionVersion"] == {"Fn::GetAtt": [version, "Version"]}


def test_every_parameter_that_the_predict_function_depends_on_makes_a_new_version(
    resources: dict[str, Resource],
) -> None:
    (version,) = of_type(resources, "AWS::Lambda::Version").values()

    used = parameters_in(resources["PredictFunction"]["Properties"])
    assert used == {
        "AliasTtlSeconds",
        "Architecture",
        "PredictMemory",
        "PredictStorage",
        "PreloadModels",
        "SnapStart",
    }
    assert used == parameters_in(version["Description"])


def parameters_in(node: Any) -> set[str]:
    """The parameters that a part of a template depends on."""
    declared = set(yaml_parse(TEMPLATE)["Parameters"])
    return {name for name in declared if re.search(rf"\b{name}\b", json.dumps(node))}


def test_description_of_a_version_holds_the_longest_values() -> None:
    parameters = yaml_parse(TEMPLATE)["Parameters"]
    pattern, _ = yaml_parse(TEMPLATE)["Resources"]["PredictFunction"]["Properties"]["VersionDescription"][
        "Fn::Sub"
    ]

    longest = {
        **{name: parameter["MaxValue"] for name, parameter in parameters.items() if "MaxValue" in parameter},
        "Architecture": "x86_64",
        "SnapStart": "PublishedVersions",
        "PreloadModels": "m" * parameters["PreloadModels"]["MaxLength"],
        "Storage": parameters["PredictStorage"]["MaxValue"],
    }
    assert len(Template(pattern).substitute(longest)) <= 256


def test_snap_start_leaves_the_storage_that_aws_allows_beside_it(resources: dict[str, Resource]) -> None:
    function = resources["PredictFunction"]["Properties"]

    assert function["SnapStart"] == {"ApplyOn": {"Ref": "SnapStart"}}
    assert function["EphemeralStorage"] == {
        "Size": {"Fn::If": ["HasSnapStart", 512, {"Ref": "PredictStorage"}]}
    }


def test_warm_environments_are_kept_where_a_number_of_them_is_given(resources: dict[str, Resource]) -> None:
    alias = resources["PredictFunctionAliaslive"]["Properties"]

    condition, then, otherwise = alias["ProvisionedConcurrencyConfig"]["Fn::If"]
    assert condition == "HasProvisionedConcurrency"
    assert then == {"ProvisionedConcurrentExecutions": {"Ref": "ProvisionedConcurrency"}}
    assert otherwise == {"Ref": "AWS::NoValue"}


def test_machine_job_that_never_fits_does_not_block_the_queue(resources: dict[str, Resource]) -> None:
    actions = resources["MachineQueue"]["Properties"]["JobStateTimeLimitActions"]

    assert {one["Reason"] for one in actions} == {
        "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE",
        "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
    }
    assert all((one["Action"], one["State"]) == ("CANCEL", "RUNNABLE") for one in actions)


def test_who_attends_stops_machines_and_whoever_trains_does_not(resources: dict[str, Resource]) -> None:
    def granted(policy: str) -> dict[str, Any]:
        statements = resources[policy]["Properties"]["PolicyDocument"]["Statement"]
        return {one["Action"]: one["Resource"] for one in statements}

    jobs = "arn:${AWS::Partition}:batch:${AWS::Region}:${AWS::AccountId}:job/*"
    assert granted("StartMachinesPolicy")["batch:TerminateJob"] == {"Fn::Sub": jobs}
    assert set(granted("HandOverToMachinesPolicy")) == {"batch:SubmitJob"}


def test_outputs_name_what_a_client_needs() -> None:
    outputs = translate(TEMPLATE, {})["Outputs"]

    assert outputs["Api"]["Value"] == {"Fn::GetAtt": ["Api", "ApiEndpoint"]}
    assert outputs["Bucket"]["Value"] == {"Ref": "Bucket"}
    assert set(outputs) == {
        "Api",
        "Bucket",
        "ControlPolicy",
        "InboxDeadLetters",
        "InboxQueue",
        "InvokePolicy",
        "OrderedPredictionsQueue",
        "PredictionsQueue",
    }


def test_who_attends_tells_events_in_our_name_alone(resources: dict[str, Resource]) -> None:
    (policy,) = resources["AttendRole"]["Properties"]["Policies"]
    (telling,) = (one for one in policy["PolicyDocument"]["Statement"] if one["Action"] == "events:PutEvents")

    bus = "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/default"
    assert telling["Resource"] == {"Fn::Sub": bus}
    assert telling["Condition"] == {"StringEquals": {"events:source": SOURCE}}


def test_workers_write_below_jobs_and_what_they_publish_through_the_inbox(
    resources: dict[str, Resource],
) -> None:
    train, batch = allowed(resources, "TrainRole"), allowed(resources, "BatchRole")

    assert train["s3:PutObject"] == below("jobs", "inbox")
    assert train["s3:DeleteObject"] == below("jobs")
    assert batch["s3:PutObject"] == below("jobs", "tuning")
    assert allowed(resources, "PredictionsRole")["s3:PutObject"] == below("predictions", "tuning")
    assert "s3:DeleteObject" not in batch


def test_who_deals_with_messages_reads_what_it_needs_alone(resources: dict[str, Resource]) -> None:
    attend, predictions = allowed(resources, "AttendRole"), allowed(resources, "PredictionsRole")
    roles = of_type(resources, "AWS::IAM::Role")

    assert attend["s3:GetObject"] == below("watch", "jobs")
    assert predictions["s3:GetObject"] == below("models", "blobs", "tuned")
    putting_off = {
        name: allowed(resources, name)["sqs:ChangeMessageVisibility"]
        for name in roles
        if "sqs:ChangeMessageVisibility" in allowed(resources, name)
    }
    assert putting_off == {
        "AttendRole": attend["sqs:DeleteMessage"],
        "PredictionsRole": predictions["sqs:DeleteMessage"],
    }


def test_function_that_puts_messages_off_knows_the_queues_that_it_takes_them_from(
    resources: dict[str, Resource],
) -> None:
    variables = resources["PredictionsFunction"]["Properties"]["Environment"]["Variables"]
    sources = of_type(resources, "AWS::Lambda::EventSourceMapping").values()

    queues = {
        one["EventSourceArn"]["Fn::GetAtt"][0]
        for one in sources
        if one["FunctionName"] == {"Ref": "PredictionsFunction"}
    }
    assert queues == {"PredictionsQueue", "OrderedPredictionsQueue"}
    assert variables["LAMPYRIS_PREDICTIONS_QUEUE"] == {"Ref": "PredictionsQueue"}
    assert variables["LAMPYRIS_ORDERED_PREDICTIONS_QUEUE"] == {"Ref": "OrderedPredictionsQueue"}


def test_only_the_keep_function_forgets_jobs(resources: dict[str, Resource]) -> None:
    roles = of_type(resources, "AWS::IAM::Role")

    forgetting = [name for name in roles if "dynamodb:DeleteItem" in allowed(resources, name)]
    assert forgetting == ["KeepRole"]


def test_table_of_jobs_is_encrypted_and_can_be_restored_and_costs_nothing_while_nothing_happens(
    resources: dict[str, Resource],
) -> None:
    table = resources["JobsTable"]["Properties"]

    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["SSESpecification"] == {"SSEEnabled": True}
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_the_index_of_lists_is_the_one_that_the_table_is_asked_for(resources: dict[str, Resource]) -> None:
    (index,) = resources["JobsTable"]["Properties"]["GlobalSecondaryIndexes"]

    assert index["IndexName"] == LISTS
    assert index["Projection"] == {"ProjectionType": "KEYS_ONLY"}


def test_defaults_of_the_limits_are_those_of_the_settings() -> None:
    parameters = yaml_parse(TEMPLATE)["Parameters"]
    settings = read_settings({"LAMPYRIS_BUCKET": "b"})

    assert parameters["JobsInAll"]["Default"] == settings.jobs_in_all
    assert parameters["JobsByTenant"]["Default"] == settings.jobs_by_tenant
    assert parameters["JobsByModel"]["Default"] == settings.jobs_by_model


def test_parameter_for_the_webhooks_secret_takes_what_the_standard_says_and_is_shown_to_nobody() -> None:
    parameter = yaml_parse(TEMPLATE)["Parameters"]["WebhookSecret"]

    assert parameter["NoEcho"] is True
    for length in range(24, 65):
        secret = "whsec_" + base64.b64encode(bytes(length)).decode()
        assert re.fullmatch(parameter["AllowedPattern"], secret)
    assert re.fullmatch(parameter["AllowedPattern"], "")
    assert not re.fullmatch(parameter["AllowedPattern"], "whsec_short")
    # What is no base64 would end the function that attends before it did anything for any job.
    assert not re.fullmatch(parameter["AllowedPattern"], "whsec_" + "A" * 33)
    assert not re.fullmatch(parameter["AllowedPattern"], "whsec_" + "A" * 34 + "=")
    assert not re.fullmatch(parameter["AllowedPattern"], base64.b64encode(bytes(32)).decode())


def test_predictions_whose_order_matters_fail_into_a_queue_that_keeps_it(
    resources: dict[str, Resource],
) -> None:
    queues = of_type(resources, "AWS::SQS::Queue")

    ordered = {name for name, queue in queues.items() if queue.get("FifoQueue")}
    assert ordered == {"OrderedPredictionsQueue", "OrderedPredictionsDeadLetters"}
    for name in ordered - {"OrderedPredictionsDeadLetters"}:
        letters = queues[name]["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
        assert letters in ordered
