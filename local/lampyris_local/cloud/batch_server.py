"""AWS Batch's API, as far as jobs go: submit, list, describe, terminate.

Jobs run one after the other, in the order in which they were submitted: one machine is all there is.
Source: https://docs.aws.amazon.com/batch/latest/APIReference/
"""

import asyncio
import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from aiohttp import web

from lampyris_local.cloud.batch_job import BatchJob, run_job
from lampyris_local.cloud.environment import Machine
from lampyris_local.cloud.listening import HOST, listen
from lampyris_local.cloud.stack import JobDefinition, JobQueue


class BatchServer:
    """Listens on an address of its own; what runs when it stops is killed."""

    def __init__(
        self, queues: Sequence[JobQueue], definitions: Sequence[JobDefinition], machine: Machine
    ) -> None:
        self._queues = queues
        self._definitions = definitions
        self._jobs: dict[str, BatchJob] = {}
        self._waiting: asyncio.Queue[BatchJob] = asyncio.Queue()
        self._listener = listen(0)
        self.url = f"http://{HOST}:{self._listener.getsockname()[1]}"
        # Where functions and jobs find it.
        self.variables = {"AWS_ENDPOINT_URL_BATCH": self.url}
        self._machine = replace(machine, variables={**machine.variables, **self.variables})
        app = web.Application()
        app.router.add_post("/v1/submitjob", self._submit)
        app.router.add_post("/v1/listjobs", self._list)
        app.router.add_post("/v1/describejobs", self._describe)
        app.router.add_post("/v1/terminatejob", self._terminate)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)

    async def start(self) -> None:
        await self._runner.setup()
        await web.SockSite(self._runner, self._listener).start()
        self._running = asyncio.create_task(self._run())

    async def stop(self) -> None:
        await self._runner.cleanup()
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            job = await self._waiting.get()
            if not job.has_ended:
                await run_job(job, self._machine)

    async def _submit(self, request: web.Request) -> web.Response:
        asked = await request.json()
        queue = self._queue(asked["jobQueue"])
        if queue is None:
            return _refusal(f"JobQueue {asked['jobQueue']} not found.")
        definition = self._definition(asked["jobDefinition"])
        if definition is None:
            return _refusal(f"JobDefinition {asked['jobDefinition']} not found.")
        overrides = asked.get("nodeOverrides") or {}
        if overrides and definition.nodes is None:
            return _refusal("nodeOverrides are for multi-node parallel jobs only.")
        per_range = overrides.get("nodePropertyOverrides") or [{}]
        container = per_range[0].get("containerOverrides") or asked.get("containerOverrides") or {}
        job = BatchJob(
            id=str(uuid.uuid4()),
            name=asked["jobName"],
            queue=queue.name,
            definition=definition,
            nodes=definition.nodes and overrides.get("numNodes", definition.nodes),
            command=container.get("command") or definition.command,
            environment={
                **definition.environment,
                **{each["name"]: each["value"] for each in container.get("environment", [])},
            },
        )
        self._jobs[job.id] = job
        self._waiting.put_nowait(job)
        return web.json_response({"jobId": job.id, "jobName": job.name})

    def _queue(self, named: str) -> JobQueue | None:
        return next((one for one in self._queues if named in (one.name, one.arn)), None)

    def _definition(self, named: str) -> JobDefinition | None:
        """Find a definition by its name, or by its ARN, either with a revision or without."""
        name = named.rpartition("/")[2].partition(":")[0]
        return next((one for one in self._definitions if one.name == name), None)

    async def _list(self, request: web.Request) -> web.Response:
        """List jobs by their name, whatever became of them."""
        asked = await request.json()
        queue = self._queue(asked["jobQueue"])
        if queue is None:
            return _refusal(f"JobQueue {asked['jobQueue']} not found.")
        (by_name,) = asked["filters"]
        if by_name["name"] != "JOB_NAME":
            return _refusal(f"Filter {by_name['name']} is not known here.")
        found = [
            _detail(job)
            for job in self._jobs.values()
            if job.queue == queue.name and job.name in by_name["values"]
        ]
        return web.json_response({"jobSummaryList": found})

    async def _describe(self, request: web.Request) -> web.Response:
        wanted = (await request.json())["jobs"]
        found = [_detail(self._jobs[job]) for job in wanted if job in self._jobs]
        return web.json_response({"jobs": found})

    async def _terminate(self, request: web.Request) -> web.Response:
        asked = await request.json()
        if asked["jobId"] in self._jobs:  # Batch, too, says nothing of a job that it does not know
            self._jobs[asked["jobId"]].end(asked["reason"])
        return web.json_response({})


def _detail(job: BatchJob) -> dict[str, Any]:
    detail = {
        "jobId": job.id,
        "jobName": job.name,
        "jobQueue": job.queue,
        "jobDefinition": job.definition.name,
        "status": job.status,
        "statusReason": job.reason,
        "createdAt": _milliseconds(job.created_s),
        "startedAt": _milliseconds(job.started_s),
        "stoppedAt": _milliseconds(job.stopped_s),
    }
    return {name: value for name, value in detail.items() if value is not None}


def _milliseconds(at_s: float | None) -> int | None:
    return None if at_s is None else int(at_s * 1000)


def _refusal(message: str) -> web.Response:
    return web.json_response(
        {"message": message}, status=400, headers={"x-amzn-errortype": "ClientException"}
    )
