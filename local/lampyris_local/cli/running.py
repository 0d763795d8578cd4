"""Commands that keep the local cloud up: how it starts, and how it stops and leaves no process behind."""

import errno
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from lampyris.errors import LampyrisError
from lampyris_local.assets import asset
from lampyris_local.cloud.faults import Faults
from lampyris_local.cloud.intrinsics import TemplateError
from lampyris_local.cloud.listening import listen
from lampyris_local.cloud.local_cloud import LocalCloud
from lampyris_local.cloud.reports import LogLine


@dataclass(eq=False, kw_only=True)
class InvalidTemplate(LampyrisError):
    code = "invalid-template"
    template: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.template} cannot run here: {self.reason}"


@dataclass(eq=False, kw_only=True)
class PortTaken(LampyrisError):
    code = "port-taken"
    port: int

    def __str__(self) -> str:
        return (
            f"Port {self.port} is taken, or kept for the system; give another with --port, or --port 0 for "
            "any that is free."
        )


def check_port(port: int) -> None:
    """Say that a port is not to be had before the work that would be lost by it.

    Raises: PortTaken.
    """
    with _port_taken_told(port):
        listen(port).close()


@contextmanager
def _port_taken_told(port: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise
        raise PortTaken(port=port) from None


def start_local_cloud(
    parts: ExitStack,
    *,
    on_line: Callable[[LogLine], None],
    template: Path | None = None,
    parameters: Mapping[str, str] | None = None,
    port: int = 0,
    idle_s: float = 300.0,
    time_limit_s: float | None = None,
    faults: Faults | None = None,
) -> LocalCloud:
    """Start the local cloud; it stops when `parts` is left. Without a template it is Lampyris' own.

    Raises: InvalidTemplate, PortTaken.
    """
    template = template or asset("template.yaml")
    if not template.is_file():
        raise InvalidTemplate(template=template, reason="there is no such file.")
    cloud = LocalCloud(
        template,
        parameters=parameters,
        port=port,
        idle_s=idle_s,
        time_limit_s=time_limit_s,
        faults=faults,
        on_line=on_line,
    )
    try:
        with _port_taken_told(port):
            return parts.enter_context(cloud)
    except TemplateError as error:
        raise InvalidTemplate(template=template, reason=str(error)) from None
