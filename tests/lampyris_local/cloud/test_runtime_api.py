import asyncio
from collections.abc import Awaitable, Callable

import httpx
import pytest

from lampyris_local.cloud.invocation import RESPONSE_LIMIT_BYTES
from lampyris_local.cloud.runtime_api import PREFIX, RuntimeApi, Work

WORK = Work(
    request_id="8476a536-e9f4-11e8-9739-2dfe598c3fcd",
    event=b'{"n": 1}',
    deadline_ms=1542409706888,
    function_arn="arn:aws:lambda:us-east-2:123456789012:function:custom-runtime",
    trace_id="Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1",
)


class Recorder:
    """Hands out one piece of work, and keeps what its runtime says."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, int]] = []

    async def next_work(self) -> Work:
        return WORK

    def answered(self, request_id: str, body: bytes) -> bool:
        self.heard.append(("answered", request_id, len(body)))
        return request_id == WORK.request_id

    def failed(self, request_id: str, body: bytes) -> bool:
        self.heard.append(("failed", request_id, len(body)))
        return request_id == WORK.request_id

    def init_failed(self, body: bytes) -> None:
        self.heard.append(("init", "", len(body)))


def converse(
    talk: Callable[[httpx.AsyncClient], Awaitable[httpx.Response]],
) -> tuple[httpx.Response, Recorder]:
    """Let a client talk to the Runtime API of one runtime."""

    async def serve() -> tuple[httpx.Response, Recorder]:
        api, runtime = RuntimeApi(), Recorder()
        await api.start()
        address = await api.open(runtime)
        async with httpx.AsyncClient(base_url=f"http://{address}{PREFIX}", trust_env=False) as client:
            response = await talk(client)
        await api.close(address)
        await api.stop()
        return response, runtime

    return asyncio.run(serve())


def test_next_hands_out_work_with_its_headers() -> None:
    response, _ = converse(lambda client: client.get("/invocation/next"))

    assert response.status_code == 200
    assert response.content == WORK.event
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Lambda-Runtime-Aws-Request-Id"] == WORK.request_id
    assert response.headers["Lambda-Runtime-Deadline-Ms"] == "1542409706888"
    assert response.headers["Lambda-Runtime-Invoked-Function-Arn"] == WORK.function_arn
    assert response.headers["Lambda-Runtime-Trace-Id"] == WORK.trace_id


@pytest.mark.parametrize(("path", "kind"), [("response", "answered"), ("error", "failed")])
def test_outcome_is_accepted(path: str, kind: str) -> None:
    response, runtime = converse(
        lambda client: client.post(f"/invocation/{WORK.request_id}/{path}", content=b"{}")
    )

    assert response.status_code == 202
    assert runtime.heard == [(kind, WORK.request_id, 2)]


def test_init_error_is_accepted() -> None:
    response, runtime = converse(lambda client: client.post("/init/error", content=b"{}"))

    assert response.status_code == 202
    assert runtime.heard == [("init", "", 2)]


@pytest.mark.parametrize("path", ["response", "error"])
def test_outcome_of_another_request_is_refused(path: str) -> None:
    response, _ = converse(lambda client: client.post(f"/invocation/other/{path}", content=b"{}"))

    assert response.status_code == 400
    assert response.json()["errorType"] == "InvalidRequestID"


def test_response_over_the_limit_is_refused() -> None:
    body = b"x" * (RESPONSE_LIMIT_BYTES + 1)

    response, _ = converse(
        lambda client: client.post(f"/invocation/{WORK.request_id}/response", content=body)
    )

    assert response.status_code == 413
    assert response.json()["errorType"] == "RequestEntityTooLarge"
