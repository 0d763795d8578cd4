"""What API Gateway and Lambda hand to a handler. Measured children import it: it is lean."""

import os
from collections.abc import Callable
from time import perf_counter
from typing import Any

Event = dict[str, Any]


class Context:
    """What handlers and their libraries read of Lambda's context."""

    aws_request_id = "benchmark"
    function_name = "benchmark"
    function_version = "1"
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:benchmark"
    memory_limit_in_mb = 1769

    def get_remaining_time_in_millis(self) -> int:
        return 29_000


Handler = Callable[[Event, Context], Any]


def request_body() -> str:
    """Read the body that the benchmark names: one infer request in JSON."""
    with open(os.environ["BENCH_REQUEST"], encoding="utf-8") as file:  # noqa: PTH123 - pathlib costs time here
        return file.read()


def infer_event() -> Event:
    """Make the event that the benchmark asks for."""
    return json_event(f"/v2/models/{os.environ['BENCH_MODEL']}/infer", request_body())


def pixels_event() -> Event:
    """Make the event of the same request with the pixels of one picture as a binary tensor."""
    with open(os.environ["BENCH_TENSOR"], "rb") as file:  # noqa: PTH123 - as above
        tensor = file.read()
    shape = os.environ["BENCH_SHAPE"]
    head = (
        f'{{"inputs": [{{"name": "{os.environ["BENCH_INPUT"]}", "shape": {shape}, "datatype": "UINT8", '
        f'"parameters": {{"binary_data_size": {len(tensor)}}}}}]}}'
    )
    return binary_event(f"/v2/models/{os.environ['BENCH_MODEL']}/infer", head.encode(), tensor)


def json_event(path: str, body: str) -> Event:
    return _event(path, body, {"content-type": "application/json"}, is_base64=False)


def binary_event(path: str, head: bytes, tensor: bytes) -> Event:
    """Make the event of an infer request with a binary tensor after its JSON, in base64 as bytes come."""
    from binascii import b2a_base64  # noqa: PLC0415 - not for a cold start

    headers = {"content-type": "application/octet-stream", "inference-header-content-length": str(len(head))}
    return _event(path, b2a_base64(head + tensor, newline=False).decode(), headers, is_base64=True)


def _event(path: str, body: str, headers: dict[str, str], *, is_base64: bool) -> Event:
    return {
        "version": "2.0",
        "routeKey": f"ANY /{path.split('/')[1]}/{{path+}}",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "localhost", **headers},
        "requestContext": {
            "http": {"method": "POST", "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"},
            "requestId": "benchmark",
            "stage": "$default",
        },
        "body": body,
        "isBase64Encoded": is_base64,
    }


def check(response: Any) -> None:
    """End the process if a handler did not predict."""
    if response["statusCode"] != 200:  # noqa: PLR2004 - HTTP's own number
        raise SystemExit(response["body"])


def answer_parent(line: str = "null") -> None:
    """Write a line of JSON to who measures; without one, it says that the first prediction is made."""
    os.write(int(os.environ["BENCH_ANSWERS"]), f"{line}\n".encode())


def take_turns(handler: Handler) -> None:
    """Answer the event as often as each line of standard input says; write the durations, in seconds."""
    import sys  # noqa: PLC0415 - as above

    event, context = infer_event(), Context()
    check(handler(event, context))
    for line in sys.stdin:
        durations = []
        for _ in range(int(line)):
            started_s = perf_counter()
            handler(event, context)
            durations.append(perf_counter() - started_s)
        answer_parent(str(durations))
