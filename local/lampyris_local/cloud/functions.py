"""Functions as a template declares them: a folder of code, or a container image that is built from one.

No image is built here. Its function runs with the local cloud's own Python and the source roots of its
DockerContext, and what the image would install must be installed there.
"""

from pathlib import Path

from lampyris_local.cloud.intrinsics import TemplateError, text
from lampyris_local.cloud.properties import Properties
from lampyris_local.cloud.stack import Function

# Folders of a DockerContext that hold packages which its image has on its path.
SOURCE_ROOTS = ("functions", "build")
NOT_LOCAL = ("InlineCode", "Layers", "FileSystemConfigs", "FunctionUrlConfig", "DurableConfig")
RUNTIME_CLIENT = ["-m", "awslambdaric"]


def function(
    logical_id: str, *, name: str, arn: str, properties: Properties, metadata: Properties, folder: Path
) -> Function:
    """Read a function; `folder` is where the template stands. Raises: TemplateError."""
    for key in NOT_LOCAL:
        if key in properties:
            raise TemplateError(f"{logical_id}: the local cloud runs code from a folder; {key} it cannot do.")
    package = properties.text("PackageType", "Zip")
    runtime: str | None
    if package == "Zip":
        handler, runtime, roots = _handler_in_folder(properties, folder)
    elif package == "Image":
        handler, runtime, roots = _handler_in_image(properties, metadata, folder)
    else:
        raise TemplateError(f"{logical_id}: PackageType must be Zip or Image, not {package}.")
    reserved = properties.get("ReservedConcurrentExecutions")
    variables = properties.mapping("Environment").get("Variables") or {}
    return Function(
        logical_id=logical_id,
        name=name,
        arn=arn,
        handler=handler,
        runtime=runtime,
        code=roots[0],
        beside=roots[1:],
        image=properties.text("ImageUri", "") or None,
        memory_mb=properties.integer("MemorySize", 128),
        timeout_s=properties.integer("Timeout", 3),
        environment={variable: text(value) for variable, value in variables.items()},
        reserved_concurrency=None if reserved is None else int(reserved),
    )


def _handler_in_folder(properties: Properties, folder: Path) -> tuple[str, str, list[Path]]:
    if "ImageUri" in properties:
        raise TemplateError(f"{properties.owner}: an ImageUri goes with PackageType Image.")
    runtime = properties.text("Runtime")
    if not runtime.startswith("python3."):
        raise TemplateError(f"{properties.owner}: the local cloud runs Python; its Runtime is {runtime}.")
    code = folder / properties.text("CodeUri")
    if not code.is_dir():
        raise TemplateError(f"{properties.owner}: its CodeUri is not a folder: {code}")
    return properties.text("Handler"), runtime, [code.resolve()]


def _handler_in_image(
    properties: Properties, metadata: Properties, folder: Path
) -> tuple[str, None, list[Path]]:
    if "Dockerfile" not in metadata or "DockerContext" not in metadata:
        raise TemplateError(
            f"{properties.owner}: the local cloud runs an image's function from the source that the image is "
            "built from; its Metadata must name Dockerfile and DockerContext."
        )
    configuration = properties.part("ImageConfig")
    command = configuration.sequence("Command")
    if len(command) != 1:
        raise TemplateError(f"{configuration.owner}: Command must be a list of one handler, not {command!r}.")
    entry_point = [text(word) for word in configuration.sequence("EntryPoint")]
    if entry_point and entry_point[-2:] != RUNTIME_CLIENT:
        raise TemplateError(
            f"{configuration.owner}: EntryPoint must end in {' '.join(RUNTIME_CLIENT)}, which is what the "
            f"local cloud runs, not be {' '.join(entry_point)!r}."
        )
    context = folder / metadata.text("DockerContext")
    roots = [context / root for root in SOURCE_ROOTS if (context / root).is_dir()]
    if not roots:
        raise TemplateError(
            f"{metadata.owner}: the DockerContext {context} has neither of the folders "
            f"{' and '.join(SOURCE_ROOTS)}, from which the local cloud runs an image's function."
        )
    return text(command[0]), None, [root.resolve() for root in roots]
