import json
from pathlib import Path

import pytest

from lampyris_local.cloud.intrinsics import TemplateError
from lampyris_local.cloud.stack import Notification, Place, Stack
from lampyris_local.cloud.template import read_stack

PLACE = Place(api_url="http://127.0.0.1:8080", endpoint_url="http://127.0.0.1:5000", stack_name="demo")
PROJECT = Path(__file__).parents[3]
FUNCTION = """
  Echo:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.13
      CodeUri: code
      Handler: toys.echo
"""
IMAGE = """
  Train:
    Type: AWS::Serverless::Function
    Metadata: { Dockerfile: Dockerfile, DockerContext: . }
    Properties:
"""
QUEUE = """
  Jobs:
    Type: AWS::SQS::Queue
"""


def read(folder: Path, text: str, **parameters: str) -> Stack:
    (folder / "code").mkdir(exist_ok=True)
    (folder / "template.yaml").write_text(text)
    return read_stack(folder / "template.yaml", parameters, PLACE)


def test_function_is_read_with_what_lambda_assumes(tmp_path: Path) -> None:
    stack = read(tmp_path, f"Resources:{FUNCTION}")

    function = stack.functions["Echo"]
    assert function.name == "demo-Echo"
    assert function.arn == "arn:aws:lambda:us-east-1:123456789012:function:demo-Echo"
    assert function.code == (tmp_path / "code").resolve()
    assert (function.timeout_s, function.memory_mb, function.reserved_concurrency) == (3, 128, None)


def test_globals_are_merged_and_the_functions_own_values_win(tmp_path: Path) -> None:
    stack = read(
        tmp_path,
        """
Globals:
  Function:
    Runtime: python3.13
    CodeUri: code
    Timeout: 9
    Environment: { Variables: { SHARED: 1, BOTH: shared, SURE: true } }
Resources:
  Echo:
    Type: AWS::Serverless::Function
    Properties:
      Handler: toys.echo
      MemorySize: "512"
      Environment: { Variables: { BOTH: own } }
""",
    )

    function = stack.functions["Echo"]
    assert function.environment == {"SHARED": "1", "BOTH": "own", "SURE": "true"}
    assert (function.timeout_s, function.memory_mb) == (9, 512)


def test_routes_come_from_the_functions_events(tmp_path: Path) -> None:
    stack = read(
        tmp_path,
        f"""
Resources:
  Api: {{ Type: AWS::Serverless::HttpApi }}
{FUNCTION}
      Events:
        One: {{ Type: HttpApi, Properties: {{ ApiId: !Ref Api, Method: post, Path: "/models/{{model}}" }} }}
        Two: {{ Type: HttpApi, Properties: {{ Path: "/v2/{{all+}}", TimeoutInMillis: 500 }} }}
        Three: {{ Type: HttpApi }}
""",
    )

    assert [route.key for route in stack.routes] == ["POST /models/{model}", "ANY /v2/{all+}", "$default"]
    assert [route.timeout_s for route in stack.routes] == [30.0, 0.5, 30.0]
    assert {route.function for route in stack.routes} == {"Echo"}


def test_queue_source_and_redrive_policy_are_read(tmp_path: Path) -> None:
    stack = read(
        tmp_path,
        f"""
Resources:
  Dead: {{ Type: AWS::SQS::Queue }}
  Jobs:
    Type: AWS::SQS::Queue
    Properties:
      VisibilityTimeout: 90
      RedrivePolicy: {{ deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 3 }}
{FUNCTION}
      Events:
        Work:
          Type: SQS
          Properties:
            Queue: !GetAtt Jobs.Arn
            BatchSize: 20
            MaximumBatchingWindowInSeconds: 2
            FunctionResponseTypes: [ReportBatchItemFailures]
            ScalingConfig: {{ MaximumConcurrency: 7 }}
""",
    )

    (source,) = stack.sources
    assert (source.function, source.batch_size, source.batching_window_s) == ("Echo", 20, 2)
    assert (source.max_concurrency, source.reports_item_failures) == (7, True)
    assert source.queue.url == "http://127.0.0.1:5000/123456789012/demo-Jobs"
    assert source.queue.visibility_timeout_s == 90
    assert json.loads(source.queue.attributes["RedrivePolicy"]) == {
        "deadLetterTargetArn": "arn:aws:sqs:us-east-1:123456789012:demo-Dead",
        "maxReceiveCount": 3,
    }


def test_bucket_notifications_are_read_with_their_filter(tmp_path: Path) -> None:
    stack = read(
        tmp_path,
        f"""
Resources:
{QUEUE}
  Bucket:
    Type: AWS::S3::Bucket
    Properties:
      BucketName: !Sub "${{AWS::StackName}}-${{AWS::AccountId}}"
      VersioningConfiguration: {{ Status: Enabled }}
      NotificationConfiguration:
        QueueConfigurations:
          - Event: s3:ObjectCreated:*
            Queue: !GetAtt Jobs.Arn
            Filter: {{ S3Key: {{ Rules: [{{ Name: prefix, Value: inbox/ }}] }} }}
""",
    )

    (bucket,) = stack.buckets
    assert (bucket.name, bucket.versioned) == ("demo-123456789012", True)
    assert bucket.notifications == [
        Notification(
            event="s3:ObjectCreated:*",
            queue_arn="arn:aws:sqs:us-east-1:123456789012:demo-Jobs",
            prefix="inbox/",
            suffix="",
        )
    ]


def test_resource_whose_condition_fails_is_not_there(tmp_path: Path) -> None:
    stack = read(
        tmp_path,
        """
Parameters: { Stage: { Type: String, Default: test } }
Conditions: { IsProd: !Equals [!Ref Stage, prod] }
Resources:
  Jobs: { Type: AWS::SQS::Queue }
  Extra: { Type: AWS::SQS::Queue, Condition: IsProd }
Outputs:
  Extra: { Condition: IsProd, Value: !Ref Extra }
""",
    )

    assert [queue.name for queue in stack.queues] == ["demo-Jobs"]
    assert stack.outputs == {}


def test_parameter_override_reaches_the_function(tmp_path: Path) -> None:
    stack = read(
        tmp_path,
        f"""
Parameters: {{ Memory: {{ Type: Number, Default: 256 }} }}
Resources:{FUNCTION}
      MemorySize: !Ref Memory
""",
        Memory="1024",
    )

    assert stack.functions["Echo"].memory_mb == 1024


def test_outputs_name_the_local_api_however_they_spell_it(tmp_path: Path) -> None:
    stack = read(
        tmp_path,
        """
Resources:
  Api: { Type: AWS::Serverless::HttpApi }
Outputs:
  Attribute: { Value: !GetAtt Api.ApiEndpoint }
  Spelt: { Value: !Sub "https://${Api}.execute-api.${AWS::Region}.${AWS::URLSuffix}/v2" }
  Joined: { Value: !Join ["", ["https://", !Ref Api, ".execute-api.", !Ref AWS::Region, ".amazonaws.com"]] }
""",
    )

    assert stack.outputs == {
        "Attribute": "http://127.0.0.1:8080",
        "Spelt": "http://127.0.0.1:8080/v2",
        "Joined": "http://127.0.0.1:8080",
    }


def test_what_matters_on_aws_only_is_passed_over(tmp_path: Path) -> None:
    stack = read(
        tmp_path,
        f"""
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties: {{ Anything: !ImportValue elsewhere }}
  Logs: {{ Type: AWS::Logs::LogGroup }}
{FUNCTION}
      Role: !GetAtt Role.Arn
      LoggingConfig: {{ LogGroup: !Ref Logs }}
      Policies: [!Transform {{ Name: x }}]
Outputs:
  Role: {{ Value: !GetAtt Role.Arn }}
  Made: {{ Value: !GetAtt EchoRole.Arn }}
  Echo: {{ Value: !Ref Echo }}
""",
    )

    assert list(stack.functions) == ["Echo"]
    assert stack.outputs == {"Echo": "demo-Echo"}


@pytest.mark.parametrize(
    ("resources", "complaint"),
    [
        (
            f"{FUNCTION}      Events: {{ Tick: {{ Type: Schedule }} }}",
            "event source Schedule .Tick.; it knows HttpApi",
        ),
        (f"{FUNCTION}      Events: {{ Tick: {{}} }}", "event source None .Tick.; it knows HttpApi"),
        ("\n  Jobs: 3", "The resource Jobs has no Type"),
        ("\n  Jobs: { Properties: {} }", "The resource Jobs has no Type"),
        (f"{QUEUE}    Properties: [x]", r"Jobs: Properties must be a map, not \['x'\]"),
        (
            f"{QUEUE}    Properties: {{ RedrivePolicy: {{ maxReceiveCount: 5 }} }}",
            "Jobs, RedrivePolicy has no deadLetterTargetArn; it needs one",
        ),
        (
            f"{FUNCTION}      Layers: [x]",
            "Echo: the local cloud runs code from a folder; Layers it cannot do",
        ),
        (f"{FUNCTION}      PackageType: Image", "Metadata must name Dockerfile and DockerContext"),
        (f"{FUNCTION}      PackageType: Jar", "PackageType must be Zip or Image, not Jar"),
        (f"{FUNCTION}      ImageUri: x", "an ImageUri goes with PackageType Image"),
        (
            f"{IMAGE}      PackageType: Image\n",
            r"Train, ImageConfig: Command must be a list of one handler, not \[\]",
        ),
        (
            f"{IMAGE}      PackageType: Image\n      ImageConfig: {{ Command: [a.b], EntryPoint: [sh] }}\n",
            "EntryPoint must end in -m awslambdaric, .* not be 'sh'",
        ),
        (
            f"{IMAGE}      PackageType: Image\n      ImageConfig: {{ Command: [a.b] }}\n",
            "has neither of the folders functions and build",
        ),
        (FUNCTION.replace("code", "nowhere"), "CodeUri is not a folder: .*nowhere"),
        (FUNCTION.replace("python3.13", "nodejs22.x"), "its Runtime is nodejs22.x"),
        (FUNCTION.replace("      Handler: toys.echo\n", ""), "Echo has no Handler"),
        (f"{FUNCTION}      MemorySize: lots", "MemorySize must be a whole number, not 'lots'"),
        (
            "\n  Old: { Type: AWS::Lambda::Function }",
            "Old is an AWS::Lambda::Function, which the local cloud does not run",
        ),
        (
            f"{QUEUE}    Properties: {{ FifoQueue: true, QueueName: jobs }}",
            "names of FIFO queues end in .fifo",
        ),
        (f"{QUEUE}    Properties: {{ QueueName: jobs.fifo }}", "names of FIFO queues end in .fifo"),
        (
            f"{QUEUE}    Properties: {{ DeduplicationScope: queue }}",
            "has DeduplicationScope, which only a FIFO queue may have",
        ),
        (
            (
                f"{QUEUE}    Properties:\n      FifoQueue: true\n      RedrivePolicy: {{ "
                "deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 1 }\n"
                "  Dead: { Type: AWS::SQS::Queue }"
            ),
            "must both be FIFO queues, or neither",
        ),
        (
            (
                f"{QUEUE}    Properties: {{ FifoQueue: true }}\n"
                "  B:\n    Type: AWS::S3::Bucket\n    Properties:\n      NotificationConfiguration:\n"
                "        QueueConfigurations: [{ Event: x, Queue: !GetAtt Jobs.Arn }]"
            ),
            "S3 does not notify FIFO queues",
        ),
        (
            (
                f"{QUEUE}    Properties: {{ FifoQueue: true }}{FUNCTION}      Events: {{ Work: {{ Type: SQS, "
                "Properties: { Queue: !GetAtt Jobs.Arn, MaximumBatchingWindowInSeconds: 1 } } }"
            ),
            "a batch of a FIFO queue holds at most 10 messages and waits for none",
        ),
        (
            "\n  Work: { Type: AWS::Batch::JobDefinition, Properties: { Type: eks } }",
            "knows the types container and multinode, not eks",
        ),
        (
            (
                "\n  Work:\n    Type: AWS::Batch::JobDefinition\n    Properties:\n      Type: container\n"
                "      ContainerProperties: { Image: theirs }"
            ),
            "the Image theirs is that of no function in this template",
        ),
        (
            "\n  Work: { Type: AWS::Batch::JobDefinition, Properties: { Type: multinode } }",
            "give one NodeRangeProperties",
        ),
        (
            "\n  Fair: { Type: AWS::Batch::SchedulingPolicy }",
            "is an AWS::Batch::SchedulingPolicy, which the local cloud does not run",
        ),
        (
            "\n  Rule: { Type: AWS::Events::Rule }",
            "Rule is an AWS::Events::Rule, which the local cloud does not",
        ),
        ("\n  Api: { Type: AWS::Serverless::HttpApi, Properties: { StageName: v1 } }", "serves .default"),
        (
            "\n  Api: { Type: AWS::Serverless::HttpApi, Properties: { DefinitionUri: x } }",
            "reads routes from",
        ),
        (
            "\n  A: { Type: AWS::Serverless::HttpApi }\n  B: { Type: AWS::Serverless::HttpApi }",
            "serves one HTTP API; the template has 2",
        ),
        (
            (
                "\n  B:\n    Type: AWS::S3::Bucket\n"
                "    Properties: { NotificationConfiguration: { LambdaConfigurations: [] } }"
            ),
            "notifies through LambdaConfigurations; the local cloud knows QueueConfigurations",
        ),
        (
            (
                f"{QUEUE}{FUNCTION}      Timeout: 60\n"
                "      Events: { Work: { Type: SQS, Properties: { Queue: !GetAtt Jobs.Arn } } }"
            ),
            r"visibility timeout \(30 s\) is less than the function's timeout \(60 s\)",
        ),
        (
            (
                f"{QUEUE}{FUNCTION}"
                "      Events: { Work: { Type: SQS, Properties: { Queue: !GetAtt Jobs.Arn, BatchSize: 50 }}}"
            ),
            "BatchSize over 10 needs a MaximumBatchingWindowInSeconds",
        ),
        (
            f"{FUNCTION}      Events: {{ Work: {{ Type: SQS, Properties: {{ Queue: x }} }} }}",
            "Arn of a queue of this",
        ),
        (
            f"{FUNCTION}      Environment: {{ Variables: {{ A: !Ref Absent }} }}",
            "refers to Absent, which is neither",
        ),
        (
            (
                f"\n  Key: {{ Type: AWS::KMS::Key }}{FUNCTION}"
                "      Environment: { Variables: { A: !GetAtt Key.Arn } }"
            ),
            "has no Key.Arn",
        ),
    ],
)
def test_what_cannot_run_here_is_refused(tmp_path: Path, resources: str, complaint: str) -> None:
    with pytest.raises(TemplateError, match=complaint):
        read(tmp_path, f"Resources:{resources}\n")


def test_same_route_twice_is_refused(tmp_path: Path) -> None:
    again = FUNCTION.replace("Echo", "Again")
    event = "      Events: { Get: { Type: HttpApi, Properties: { Method: GET, Path: /a } } }\n"

    with pytest.raises(TemplateError, match="route GET /a leads to more than one function"):
        read(tmp_path, f"Resources:{FUNCTION}{event}{again}{event}")


def test_template_that_is_no_text_is_refused(tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"\x89PNG\r\n")

    with pytest.raises(TemplateError, match="not YAML"):
        read_stack(picture, {}, PLACE)


def test_missing_template_is_told_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match=r"no template at .*absent\.yaml"):
        read_stack(tmp_path / "absent.yaml", {}, PLACE)


def test_projects_own_template_is_read_whole() -> None:
    stack = read_stack(PROJECT / "template.yaml", {"PreloadModels": "digits", "PredictMemory": "2048"}, PLACE)

    predict, publish = stack.functions["PredictFunction"], stack.functions["PublishFunction"]
    (bucket,) = stack.buckets
    sources = {source.function: source for source in stack.sources}
    assert predict.handler == "lampyris.handlers.predict.handler"
    assert predict.memory_mb == 2048
    assert predict.environment["LAMPYRIS_BUCKET"] == bucket.name
    assert publish.handler == "lampyris.handlers.publish.handler"
    assert {route.function for route in stack.routes} == {
        "PredictFunction",
        "ControlFunction",
        "KeepFunction",
    }
    assert {"PublishFunction", "ShadowFunction", "AttendFunction", "TrainFunction"} <= set(sources)
    assert stack.functions["TrainFunction"].handler == "lampyris.handlers.train.handler"
    assert stack.functions["TrainFunction"].beside == [PROJECT / "build"]
    assert all(source.reports_item_failures for source in sources.values())
    assert {notification.queue_arn for notification in bucket.notifications} <= {
        source.queue.arn for source in sources.values()
    }
    assert PLACE.api_url in stack.outputs.values()


def test_projects_template_refuses_snap_start_beside_provisioned_concurrency() -> None:
    parameters = {"SnapStart": "PublishedVersions", "ProvisionedConcurrency": "2"}

    with pytest.raises(TemplateError, match="either SnapStart or provisioned concurrency"):
        read_stack(PROJECT / "template.yaml", parameters, PLACE)


RULES = """
Parameters:
  Size: { Type: Number, Default: 1 }
  Kind: { Type: String, Default: small }
Rules:
  OnlyLargeOnesGrow:
    RuleCondition: !Equals [!Ref Kind, small]
    Assertions:
      - { Assert: !Equals [!Ref Size, 1], AssertDescription: Small ones have size 1. }
  Known:
    Assertions:
      - Assert: !Not [!Equals [!Ref Kind, odd]]
Resources: {}
"""


@pytest.mark.parametrize(
    "parameters", [{}, {"Kind": "large", "Size": "2"}], ids=["assertion holds", "rule does not apply"]
)
def test_parameters_that_go_together_are_taken(parameters: dict[str, str], tmp_path: Path) -> None:
    assert read(tmp_path, RULES, **parameters).functions == {}


@pytest.mark.parametrize(
    ("parameters", "complaint"),
    [({"Size": "2"}, "Small ones have size 1."), ({"Kind": "odd"}, "The rule Known does not hold.")],
)
def test_parameters_that_do_not_go_together_are_refused(
    parameters: dict[str, str], complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(TemplateError, match=complaint):
        read(tmp_path, RULES, **parameters)
