"""`lampyris local`: the cloud on this machine, and what its functions do as they do it."""

from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lampyris_local.cli.log import follow
from lampyris_local.cli.output import answers, new_table, program
from lampyris_local.cli.running import start_local_cloud
from lampyris_local.cli.stopping import stops_on_sigterm
from lampyris_local.cloud.faults import Faults
from lampyris_local.cloud.local_cloud import LocalCloud
from lampyris_local.cloud.reports import LogLine


def run(
    *,
    port: int,
    idle_s: float,
    preload: str,
    template: Path | None,
    time_limit_s: float | None,
    faults: Faults,
) -> None:
    console = answers()
    lines: SimpleQueue[LogLine] = SimpleQueue()
    with stops_on_sigterm(), ExitStack() as parts:
        cloud = start_local_cloud(
            parts,
            template=template,
            parameters={"PreloadModels": preload} if preload else {},
            port=port,
            idle_s=idle_s,
            time_limit_s=time_limit_s,
            faults=faults,
            on_line=lines.put,
        )
        _greet(console, cloud)
        _tell_hardships(console, time_limit_s, faults)
        follow(lines, console)


def _greet(console: Console, cloud: LocalCloud) -> None:
    console.print("The local cloud is up; Ctrl-C stops it.")
    console.print()
    console.print(_addresses_table(cloud))
    console.print()
    console.print(_routes_table(cloud))
    console.print()
    if cloud.sources:
        console.print(_queues_table(cloud))
        console.print()
    console.print("In another terminal:")
    for command in (
        f"export LAMPYRIS_ENDPOINT={cloud.api_url}",
        f"{program()} publish BUNDLE",
        f"{program()} models",
    ):
        console.print(f"  {command}", style="name", soft_wrap=True)
    console.print()


def _addresses_table(cloud: LocalCloud) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_row("API", cloud.api_url)
    table.add_row("S3, SQS", cloud.endpoint_url)
    table.add_row("bucket", cloud.outputs.get("Bucket", "none"))
    for definition in cloud.job_definitions:
        table.add_row("AWS Batch", f"{definition.logical_id}: processes of this machine, one job at a time")
    return table


def _routes_table(cloud: LocalCloud) -> Table:
    table = new_table("method", "path", "function")
    for route in cloud.routes:
        table.add_row(route.method, route.path or "(anything else)", Text(route.function, "name"))
    return table


def _queues_table(cloud: LocalCloud) -> Table:
    table = new_table("queue", "wakes", "messages at once", "functions at once")
    for source in cloud.sources:
        table.add_row(
            f"{source.queue.logical_id}{', in order' if source.queue.fifo else ''}",
            Text(source.function, "name"),
            str(source.batch_size),
            str(source.max_concurrency),
        )
    return table


def _tell_hardships(console: Console, time_limit_s: float | None, faults: Faults) -> None:
    if time_limit_s is not None:
        console.print(f"No function runs for more than {time_limit_s:g} s.")
    if faults != Faults(seed=faults.seed):
        console.print(f"Faults are injected: {faults}; each is a line below.")
