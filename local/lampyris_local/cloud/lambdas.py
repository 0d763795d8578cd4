"""Lambda: which environment runs a request, when one is started, and when one is stopped."""

import asyncio
import uuid
from collections.abc import Mapping

from lampyris_local.cloud.environment import Environment, Machine
from lampyris_local.cloud.invocation import (
    REQUEST_LIMIT_BYTES,
    Invocation,
    RequestTooLargeError,
    ThrottledError,
    UnknownFunctionError,
)
from lampyris_local.cloud.stack import Function


class _Pool:
    """One function's environments. `idle` has the one used last at its end; each has a timer that ends it."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.idle: dict[Environment, asyncio.TimerHandle] = {}
        self.busy: set[Environment] = set()
        self.retired: set[Environment] = set()
        self.under_way: set[asyncio.Task[Invocation]] = set()


class Lambdas:
    """Invokes functions, each request in an environment of its own for as long as it runs.

    `concurrency` limits the requests under way in all functions; an environment idle for `idle_s` ends.
    """

    def __init__(
        self,
        functions: Mapping[str, Function],
        machine: Machine,
        *,
        concurrency: int,
        idle_s: float,
    ) -> None:
        self._pools = {logical_id: _Pool(function) for logical_id, function in functions.items()}
        self._machine = machine
        self._concurrency = concurrency
        self._idle_s = idle_s
        self._stopping: set[asyncio.Task[None]] = set()

    async def invoke(self, function: str, event: bytes) -> Invocation:
        """Run a function and return its answer, also where that is an error.

        A caller that gives up does not stop the function, as on AWS.
        Raises: UnknownFunctionError, RequestTooLargeError, ThrottledError.
        """
        pool = self._pool(function)
        if len(event) > REQUEST_LIMIT_BYTES:
            raise RequestTooLargeError(len(event))
        self._admit(pool)
        task = asyncio.create_task(self._run(pool, event))
        pool.under_way.add(task)
        task.add_done_callback(pool.under_way.discard)
        return await asyncio.shield(task)

    async def stop_environments(self, function: str | None = None) -> None:
        """Stop what is idle now, and what is busy when it is done: the next request is a cold start."""
        for pool in self._pools.values() if function is None else [self._pool(function)]:
            pool.retired |= pool.busy
            while pool.idle:
                environment, timer = pool.idle.popitem()
                timer.cancel()
                self._stop(environment)
        await asyncio.gather(*self._stopping)

    async def close(self) -> None:
        """Stop everything; requests under way fail."""
        under_way = [task for pool in self._pools.values() for task in pool.under_way]
        for task in under_way:
            task.cancel()
        for pool in self._pools.values():
            pool.retired |= pool.busy
        await asyncio.gather(*under_way, return_exceptions=True)
        await self.stop_environments()

    def _pool(self, function: str) -> _Pool:
        if function not in self._pools:
            raise UnknownFunctionError(function, list(self._pools))
        return self._pools[function]

    def _admit(self, pool: _Pool) -> None:
        reserved = pool.function.reserved_concurrency
        if reserved is not None and len(pool.under_way) >= reserved:
            raise ThrottledError(pool.function.logical_id, reserved)
        if sum(len(each.under_way) for each in self._pools.values()) >= self._concurrency:
            raise ThrottledError(pool.function.logical_id, self._concurrency)

    async def _run(self, pool: _Pool, event: bytes) -> Invocation:
        environment = self._take_warm(pool) or Environment(pool.function, self._machine)
        pool.busy.add(environment)
        try:
            return await environment.invoke(str(uuid.uuid4()), event)
        finally:
            self._release(pool, environment)

    def _take_warm(self, pool: _Pool) -> Environment | None:
        while pool.idle:
            environment, timer = pool.idle.popitem()
            timer.cancel()
            if environment.alive:
                return environment
            self._stop(environment)
        return None

    def _release(self, pool: _Pool, environment: Environment) -> None:
        pool.busy.discard(environment)
        if environment.alive and environment not in pool.retired:
            expire = asyncio.get_running_loop().call_later(self._idle_s, self._expire, pool, environment)
            pool.idle[environment] = expire
        else:
            pool.retired.discard(environment)
            self._stop(environment)

    def _expire(self, pool: _Pool, environment: Environment) -> None:
        del pool.idle[environment]
        self._stop(environment)

    def _stop(self, environment: Environment) -> None:
        task = asyncio.create_task(environment.stop())
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)
