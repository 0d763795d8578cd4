"""What wakes a function, as the Events of its declaration say."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from lampyris_local.cloud.intrinsics import TemplateError, text
from lampyris_local.cloud.properties import Properties
from lampyris_local.cloud.stack import Function, Queue, QueueSource, Route

LARGEST_BATCH = 10_000
LARGEST_BATCH_WITHOUT_WINDOW = 10
# As many batches as Lambda polls for at first, where the template sets no MaximumConcurrency.
POLLERS = 5

Declared = Sequence[tuple[Function, Mapping[str, Any]]]


def check_api(properties: Properties) -> None:
    """Refuse an HTTP API whose routes stand elsewhere than in the functions' Events."""
    for key in ("DefinitionBody", "DefinitionUri"):
        if key in properties:
            raise TemplateError(
                f"{properties.owner} has a {key}; the local cloud reads routes from the functions' Events."
            )
    stage = properties.text("StageName", "$default")
    if stage != "$default":
        raise TemplateError(f"{properties.owner} has the stage {stage}; the local cloud serves $default.")


def routes(declared: Declared) -> list[Route]:
    found = [_route(function, properties) for function, properties in _of_type(declared, "HttpApi")]
    keys = [route.key for route in found]
    for key in keys:
        if keys.count(key) > 1:
            raise TemplateError(f"The route {key} leads to more than one function; it may lead to one.")
    return found


def queue_sources(declared: Declared, queues: Collection[Queue]) -> list[QueueSource]:
    by_arn = {queue.arn: queue for queue in queues}
    return [
        _queue_source(function, properties, by_arn)
        for function, properties in _of_type(declared, "SQS")
        if properties.get("Enabled") in (None, True, "true")
    ]


def _of_type(declared: Declared, kind: str) -> Iterator[tuple[Function, Properties]]:
    for function, events in declared:
        for name, event in events.items():
            declared_kind = event.get("Type") if isinstance(event, Mapping) else None
            if declared_kind not in ("HttpApi", "SQS"):
                raise TemplateError(
                    f"{function.logical_id}: the local cloud does not know the event source {declared_kind} "
                    f"({name}); it knows HttpApi and SQS."
                )
            if declared_kind == kind:
                owner = f"{function.logical_id}, event {name}"
                yield function, Properties(owner, event.get("Properties") or {}, lambda value: value)


def _route(function: Function, properties: Properties) -> Route:
    if properties.text("PayloadFormatVersion", "2.0") != "2.0":
        raise TemplateError(f"{properties.owner}: the local cloud speaks payload format 2.0 only.")
    path = properties.get("Path")
    if path is not None and not path.startswith("/"):
        raise TemplateError(f"{properties.owner}: Path must begin with a slash, not be {path!r}.")
    return Route(
        function=function.logical_id,
        method=properties.text("Method", "ANY").upper(),
        path=None if path in (None, "/$default") else path,
        timeout_s=properties.integer("TimeoutInMillis", 30_000) / 1000,
    )


def _queue_source(function: Function, properties: Properties, queues: Mapping[str, Queue]) -> QueueSource:
    queue = queues.get(properties.text("Queue"))
    if queue is None:
        raise TemplateError(f"{properties.owner}: Queue must be the Arn of a queue of this template.")
    if queue.visibility_timeout_s < function.timeout_s:
        raise TemplateError(
            f"{properties.owner}: the queue's visibility timeout ({queue.visibility_timeout_s} s) is less "
            f"than the function's timeout ({function.timeout_s} s); AWS refuses that, and advises six times "
            "as long."
        )
    if "FilterCriteria" in properties:
        raise TemplateError(f"{properties.owner}: the local cloud does not know FilterCriteria.")
    batch_size = properties.integer("BatchSize", 10)
    window_s = properties.integer("MaximumBatchingWindowInSeconds", 0)
    if not 1 <= batch_size <= LARGEST_BATCH:
        raise TemplateError(f"{properties.owner}: BatchSize must be 1 to {LARGEST_BATCH}, not {batch_size}.")
    if queue.fifo and (batch_size > LARGEST_BATCH_WITHOUT_WINDOW or window_s > 0):
        raise TemplateError(
            f"{properties.owner}: a batch of a FIFO queue holds at most {LARGEST_BATCH_WITHOUT_WINDOW} "
            "messages and waits for none; leave MaximumBatchingWindowInSeconds out."
        )
    if batch_size > LARGEST_BATCH_WITHOUT_WINDOW and window_s == 0:
        raise TemplateError(
            f"{properties.owner}: a BatchSize over {LARGEST_BATCH_WITHOUT_WINDOW} needs a "
            "MaximumBatchingWindowInSeconds of at least 1."
        )
    scaling = properties.mapping("ScalingConfig")
    response_types = [text(kind) for kind in properties.sequence("FunctionResponseTypes")]
    return QueueSource(
        function=function.logical_id,
        queue=queue,
        batch_size=batch_size,
        batching_window_s=window_s,
        max_concurrency=int(scaling.get("MaximumConcurrency") or POLLERS),
        reports_item_failures="ReportBatchItemFailures" in response_types,
    )
