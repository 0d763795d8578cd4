"""One job of AWS Batch, run by processes of this machine: a node is a process."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import Literal

from lampyris_local.cloud.environment import Machine
from lampyris_local.cloud.listening import HOST, listen
from lampyris_local.cloud.process import Process
from lampyris_local.cloud.reports import LogLine
from lampyris_local.cloud.stack import JobDefinition

# How long a job that is to end may take over it, as on AWS.
GRACE_S = 30.0
LOOK_S = 1.0

Status = Literal["RUNNABLE", "RUNNING", "SUCCEEDED", "FAILED"]


@dataclass(kw_only=True)
class BatchJob:
    """A job that was submitted, and what became of it. Times are in seconds since 1970."""

    id: str
    name: str
    queue: str
    definition: JobDefinition
    nodes: int | None
    command: Sequence[str]
    environment: Mapping[str, str]
    created_s: float = field(default_factory=time.time)
    started_s: float | None = None
    stopped_s: float | None = None
    status: Status = "RUNNABLE"
    reason: str | None = None
    ending: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def has_ended(self) -> bool:
        return self.status in ("SUCCEEDED", "FAILED")

    def end(self, reason: str) -> None:
        """Have the job end; one that does not run yet never will."""
        self.reason = self.reason or reason
        if self.status == "RUNNABLE":
            self.status, self.stopped_s = "FAILED", time.time()
        self.ending.set()


async def run_job(job: BatchJob, machine: Machine) -> None:
    """Run a job to its end. The main node, which is the first, decides what comes of it, as on AWS."""
    job.status, job.started_s = "RUNNING", time.time()
    try:
        async with AsyncExitStack() as nodes:
            port = _free_port()
            processes = [await _start(job, number, port, machine, nodes) for number in range(job.nodes or 1)]
            finding = asyncio.create_task(_find_groups(processes))
            nodes.callback(finding.cancel)
            ended = await _main_ends(job, processes)
    except OSError as error:
        ended = f"cannot be started: {error}"
    job.status = "SUCCEEDED" if ended == "exit status 0" and job.reason is None else "FAILED"
    job.reason = job.reason or f"Essential container in task exited: {ended}"
    job.stopped_s = time.time()


async def _find_groups(processes: Sequence[Process]) -> None:
    """Keep an eye on what torchrun starts, which would outlive it."""
    while True:
        for process in processes:
            process.find_groups()
        await asyncio.sleep(LOOK_S)


async def _main_ends(job: BatchJob, processes: Sequence[Process]) -> str:
    """Wait until the main node ends, or should; return how it did."""
    main = processes[0].end
    ending = asyncio.create_task(job.ending.wait())
    try:
        done, _ = await asyncio.wait(
            (main, ending), timeout=job.definition.timeout_s, return_when=asyncio.FIRST_COMPLETED
        )
        if main not in done:
            job.reason = job.reason or "Job attempt duration exceeded timeout"
            for process in processes:
                process.terminate()
            await asyncio.wait((main,), timeout=GRACE_S)
            processes[0].kill()
        return await main
    finally:
        ending.cancel()


async def _start(job: BatchJob, node: int, port: int, machine: Machine, nodes: AsyncExitStack) -> Process:
    folder = Path(mkdtemp(dir=machine.folder))
    stream = f"{job.name}/{job.id}/{node}"

    def say(line: str) -> None:
        machine.on_line(
            LogLine(
                time_s=time.time(),
                function=job.definition.logical_id,
                stream=stream,
                request_id=job.id,
                kind="LOG",
                text=line,
            )
        )

    process = await Process.spawn(
        job.command,
        folder=folder,
        variables={
            **machine.variables,
            "HOME": str(folder),
            "PATH": f"{machine.python.parent}:{machine.variables['PATH']}",  # where torchrun is
            "PYTHONPATH": ":".join(map(str, job.definition.code)),
            "TMPDIR": str(folder),
            **job.environment,
            **_node_variables(job, node, port),
        },
        guard=machine.guard,
        on_text=say,
    )
    nodes.push_async_callback(process.close)
    return process


def _node_variables(job: BatchJob, node: int, port: int) -> dict[str, str]:
    """Return what Batch tells a node; here the first is told its address too, as all are the same.

    MASTER_PORT, which Batch does not set, keeps jobs that run on one machine at once apart.
    """
    variables = {
        "AWS_BATCH_JOB_ATTEMPT": "1",
        "AWS_BATCH_JOB_ID": job.id,
        "AWS_BATCH_JQ_NAME": job.queue,
    }
    if job.nodes is None:
        return variables
    return variables | {
        "AWS_BATCH_JOB_MAIN_NODE_INDEX": "0",
        "AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS": HOST,
        "AWS_BATCH_JOB_NODE_INDEX": str(node),
        "AWS_BATCH_JOB_NUM_NODES": str(job.nodes),
        "MASTER_PORT": str(port),
    }


def _free_port() -> int:
    with listen(0) as listener:
        return int(listener.getsockname()[1])
