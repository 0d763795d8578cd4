"""Reads a SAM template into a Stack.

Functions, the HTTP API, queues, buckets, tables, event buses and jobs of AWS Batch are read; a resource that
nothing local depends on (a role, a log group, an alarm) is passed over; one that would run or wake something
in a way that the local cloud does not know is refused, with a sentence that says so.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lampyris_local.cloud import batch, events, functions, stores
from lampyris_local.cloud.intrinsics import (
    NO_VALUE,
    Intrinsics,
    NotMadeLocallyError,
    TemplateError,
    load,
    text,
)
from lampyris_local.cloud.parameters import parameter_values
from lampyris_local.cloud.properties import Properties
from lampyris_local.cloud.stack import Function, JobQueue, Place, Queue, Stack

FUNCTION = "AWS::Serverless::Function"
HTTP_API = "AWS::Serverless::HttpApi"
QUEUE = "AWS::SQS::Queue"
BUCKET = "AWS::S3::Bucket"
TABLE = "AWS::DynamoDB::Table"
EVENT_BUS = "AWS::Events::EventBus"
COMPUTE_ENVIRONMENT = "AWS::Batch::ComputeEnvironment"
JOB_QUEUE = "AWS::Batch::JobQueue"
JOB_DEFINITION = "AWS::Batch::JobDefinition"
MADE_LOCALLY = {
    FUNCTION,
    HTTP_API,
    QUEUE,
    BUCKET,
    TABLE,
    EVENT_BUS,
    COMPUTE_ENVIRONMENT,
    JOB_QUEUE,
    JOB_DEFINITION,
}
# These run or wake something on AWS: without them the local cloud would do less than the template says.
REFUSED = (
    "AWS::ApiGateway",
    "AWS::Batch::",
    "AWS::Events::",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::Function",
    "AWS::Lambda::LayerVersion",
    "AWS::Lambda::Url",
    "AWS::Pipes::",
    "AWS::Scheduler::",
    "AWS::Serverless::",
    "AWS::StepFunctions::",
)
# The property that names a resource, where the template gives a name.
NAME_PROPERTY = {
    FUNCTION: "FunctionName",
    QUEUE: "QueueName",
    BUCKET: "BucketName",
    TABLE: "TableName",
    EVENT_BUS: "Name",
    COMPUTE_ENVIRONMENT: "ComputeEnvironmentName",
    JOB_QUEUE: "JobQueueName",
    JOB_DEFINITION: "JobDefinitionName",
}
# What Ref makes of the resources of AWS Batch.
BATCH_ARNS = {
    COMPUTE_ENVIRONMENT: "compute-environment/{}",
    JOB_QUEUE: "job-queue/{}",
    JOB_DEFINITION: "job-definition/{}:1",
}


def read_stack(template: Path, parameters: Mapping[str, str], place: Place) -> Stack:
    """Read `template` as it would be deployed to `place` with these parameters.

    Raises: TemplateError if it is missing, broken, or asks for what the local cloud cannot do.
    """
    if not template.is_file():
        raise TemplateError(f"There is no template at {template}; name a SAM template.")
    document = load(template.read_bytes())
    return _Reader(document, template.resolve().parent, parameters, place).stack()


class _Reader:
    def __init__(
        self, document: Mapping[str, Any], folder: Path, parameters: Mapping[str, str], place: Place
    ) -> None:
        self._folder = folder
        self._place = place
        self._globals: Mapping[str, Any] = document.get("Globals") or {}
        self._outputs: Mapping[str, Any] = document.get("Outputs") or {}
        self._values: dict[str, Any] = {
            "AWS::Region": place.region,
            "AWS::AccountId": place.account_id,
            "AWS::StackName": place.stack_name,
            "AWS::StackId": place.arn("cloudformation", f"stack/{place.stack_name}/local"),
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::NotificationARNs": [],
            "AWS::NoValue": NO_VALUE,
            **parameter_values(document.get("Parameters") or {}, parameters),
        }
        self._intrinsics = Intrinsics(
            mappings=document.get("Mappings") or {},
            conditions=document.get("Conditions") or {},
            ref=self._ref,
            attribute=self._attribute,
            finish=lambda made: made.replace(place.api_url_on_aws, place.api_url),
        )
        self._check_rules(document.get("Rules") or {})
        self._declared: Mapping[str, Any] = document["Resources"]
        for logical_id, resource in self._declared.items():
            if not isinstance(resource, Mapping) or not isinstance(resource.get("Type"), str):
                raise TemplateError(f"The resource {logical_id} has no Type; it needs one.")
        self._resources = {
            logical_id: resource
            for logical_id, resource in self._declared.items()
            if "Condition" not in resource or self._intrinsics.condition(resource["Condition"])
        }

    def _check_rules(self, rules: Mapping[str, Any]) -> None:
        """Refuse parameters that do not go together, as the section Rules says."""
        for name, rule in rules.items():
            if "RuleCondition" in rule and not self._intrinsics.holds(rule["RuleCondition"]):
                continue
            for assertion in rule["Assertions"]:
                if not self._intrinsics.holds(assertion["Assert"]):
                    raise TemplateError(assertion.get("AssertDescription", f"The rule {name} does not hold."))

    def stack(self) -> Stack:
        for logical_id, resource in self._resources.items():
            self._refuse_unknown(logical_id, resource["Type"])
        queues = {logical_id: self._queue(logical_id) for logical_id in self._of_type(QUEUE)}
        stores.check_redrive(queues.values())
        made = {logical_id: self._function(logical_id) for logical_id in self._of_type(FUNCTION)}
        apis = [self._ref(logical_id) for logical_id in self._of_type(HTTP_API)]
        for logical_id in self._of_type(HTTP_API):
            events.check_api(self._properties(logical_id, "HttpApi"))
        if len(apis) > 1:
            raise TemplateError(f"The local cloud serves one HTTP API; the template has {len(apis)}.")
        declared_events = [
            (function, self._properties(logical_id, "Function").mapping("Events"))
            for logical_id, function in made.items()
        ]
        return Stack(
            functions=made,
            routes=events.routes(declared_events),
            sources=events.queue_sources(declared_events, queues.values()),
            queues=list(queues.values()),
            buckets=[
                stores.bucket(self._ref(logical_id), self._properties(logical_id), queues.values())
                for logical_id in self._of_type(BUCKET)
            ],
            tables=[
                stores.table(self._ref(logical_id), self._properties(logical_id))
                for logical_id in self._of_type(TABLE)
            ],
            event_buses=[self._ref(logical_id) for logical_id in self._of_type(EVENT_BUS)],
            job_queues=[
                JobQueue(name=self._physical_name(logical_id, JOB_QUEUE), arn=self._ref(logical_id))
                for logical_id in self._of_type(JOB_QUEUE)
            ],
            job_definitions=[
                batch.job_definition(
                    logical_id,
                    name=self._physical_name(logical_id, JOB_DEFINITION),
                    properties=self._properties(logical_id),
                    functions=made.values(),
                )
                for logical_id in self._of_type(JOB_DEFINITION)
            ],
            outputs=self._resolved_outputs(),
        )

    @staticmethod
    def _refuse_unknown(logical_id: str, kind: str) -> None:
        if kind not in MADE_LOCALLY and kind.startswith(REFUSED):
            raise TemplateError(
                f"{logical_id} is an {kind}, which the local cloud does not run; it runs "
                f"{', '.join(sorted(MADE_LOCALLY))}."
            )

    def _of_type(self, kind: str) -> list[str]:
        return [logical_id for logical_id, resource in self._resources.items() if resource["Type"] == kind]

    def _properties(self, logical_id: str, section: str | None = None) -> Properties:
        own = self._declared[logical_id].get("Properties") or {}
        if not isinstance(own, Mapping):
            raise TemplateError(f"{logical_id}: Properties must be a map, not {own!r}.")
        merged = _merge(self._globals.get(section) or {}, own) if section else own
        return Properties(logical_id, merged, self._intrinsics.resolve)

    def _queue(self, logical_id: str) -> Queue:
        name = self._physical_name(logical_id, QUEUE)
        return stores.queue(
            name,
            arn=self._attribute(logical_id, "Arn"),
            url=self._ref(logical_id),
            properties=self._properties(logical_id),
        )

    def _function(self, logical_id: str) -> Function:
        metadata = self._declared[logical_id].get("Metadata") or {}
        return functions.function(
            logical_id,
            name=self._ref(logical_id),
            arn=self._attribute(logical_id, "Arn"),
            properties=self._properties(logical_id, "Function"),
            metadata=Properties(f"{logical_id}, Metadata", metadata, self._intrinsics.resolve),
            folder=self._folder,
        )

    def _resolved_outputs(self) -> dict[str, str]:
        """Outputs about what exists on AWS only are left out."""
        outputs = {}
        for name, output in self._outputs.items():
            if "Condition" in output and not self._intrinsics.condition(output["Condition"]):
                continue
            try:
                outputs[name] = text(self._intrinsics.resolve(output["Value"]))
            except NotMadeLocallyError:
                continue
        return outputs

    def _physical_name(self, logical_id: str, kind: str) -> str:
        generated = f"{self._place.stack_name}-{logical_id}"
        properties = self._properties(logical_id)
        if kind == BUCKET:
            generated = generated.lower()
        elif kind == QUEUE and stores.is_fifo(properties):
            generated += stores.FIFO_SUFFIX
        key = NAME_PROPERTY.get(kind)
        return properties.text(key, generated) if key else generated

    def _ref(self, name: str) -> Any:
        if name in self._values:
            return self._values[name]
        kind = self._kind(name)
        if kind == HTTP_API:
            return self._place.api_id
        physical = self._physical_name(name, kind)
        if kind == QUEUE:
            return f"{self._place.endpoint_url}/{self._place.account_id}/{physical}"
        if kind in BATCH_ARNS:
            return self._place.arn("batch", BATCH_ARNS[kind].format(physical))
        return physical

    def _attribute(self, logical_id: str, attribute: str) -> str:
        kind = self._kind(logical_id)
        place = self._place
        name = self._physical_name(logical_id, kind)
        ref = text(self._ref(logical_id))
        known = {
            (FUNCTION, "Arn"): place.arn("lambda", f"function:{name}"),
            (QUEUE, "Arn"): place.arn("sqs", name),
            (QUEUE, "QueueName"): name,
            (QUEUE, "QueueUrl"): ref,
            (BUCKET, "Arn"): f"arn:aws:s3:::{name}",
            (BUCKET, "DomainName"): f"{name}.s3.amazonaws.com",
            (BUCKET, "RegionalDomainName"): f"{name}.s3.{place.region}.amazonaws.com",
            (TABLE, "Arn"): place.arn("dynamodb", f"table/{name}"),
            (EVENT_BUS, "Arn"): place.arn("events", f"event-bus/{name}"),
            (EVENT_BUS, "Name"): name,
            (COMPUTE_ENVIRONMENT, "ComputeEnvironmentArn"): ref,
            (JOB_QUEUE, "JobQueueArn"): ref,
            (HTTP_API, "ApiEndpoint"): place.api_url,
            (HTTP_API, "ApiId"): place.api_id,
        }
        if (kind, attribute) not in known:
            raise NotMadeLocallyError(f"The local cloud has no {logical_id}.{attribute} ({kind}).")
        return known[kind, attribute]

    def _kind(self, logical_id: str) -> str:
        if logical_id in self._declared:
            return text(self._declared[logical_id]["Type"])
        for owner, resource in self._declared.items():
            # SAM makes these itself: FunctionRole, ApiApiGatewayDefaultStage and the like.
            if resource["Type"].startswith("AWS::Serverless::") and logical_id.startswith(owner):
                raise NotMadeLocallyError(f"The local cloud has no {logical_id}, which SAM makes on AWS.")
        raise TemplateError(
            f"The template refers to {logical_id}, which is neither a parameter nor a resource."
        )


def _merge(shared: Any, own: Any) -> Any:
    """Merge a section of Globals into a resource as SAM does: maps deeply, lists end to end."""
    if isinstance(shared, Mapping) and isinstance(own, Mapping):
        merged = dict(shared)
        for key, value in own.items():
            merged[key] = _merge(shared[key], value) if key in shared else value
        return merged
    if isinstance(shared, list) and isinstance(own, list):
        return shared + own
    return own
