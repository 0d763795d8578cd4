"""AWS Batch as a template declares it: definitions of jobs that run on one machine or several.

No machine is started here: a job's nodes are processes of this one, with the local cloud's own Python and the
source roots of the function whose image they share. Compute environments are passed over.
"""

from collections.abc import Collection

from lampyris_local.cloud.intrinsics import TemplateError, text
from lampyris_local.cloud.properties import Properties
from lampyris_local.cloud.stack import Function, JobDefinition


def job_definition(
    logical_id: str, *, name: str, properties: Properties, functions: Collection[Function]
) -> JobDefinition:
    """Read a job definition. Raises: TemplateError."""
    kind = properties.text("Type")
    if kind == "multinode":
        container = _only_container(properties)
    elif kind == "container":
        container = properties.part("ContainerProperties")
    else:
        raise TemplateError(
            f"{logical_id}: the local cloud knows the types container and multinode, not {kind}."
        )
    image = container.text("Image")
    shared = next((function for function in functions if function.image == image), None)
    if shared is None:
        raise TemplateError(
            f"{container.owner}: the Image {image} is that of no function in this template; the local cloud "
            "has the source of those only."
        )
    timeout_s = properties.part("Timeout").integer("AttemptDurationSeconds", 0)
    return JobDefinition(
        logical_id=logical_id,
        name=name,
        nodes=properties.part("NodeProperties").integer("NumNodes", 1) if kind == "multinode" else None,
        command=[text(word) for word in container.sequence("Command")],
        environment={text(each["Name"]): text(each["Value"]) for each in container.sequence("Environment")},
        code=[shared.code, *shared.beside],
        timeout_s=timeout_s or None,
    )


def _only_container(properties: Properties) -> Properties:
    ranges = properties.part("NodeProperties").parts("NodeRangeProperties")
    if len(ranges) != 1:
        raise TemplateError(
            f"{properties.owner}: the local cloud runs the same on all nodes; give one NodeRangeProperties."
        )
    return ranges[0].part("Container")
