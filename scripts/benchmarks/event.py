"""The event that API Gateway would send for one infer request. Measured children import it: it is lean."""

import os


class Context:
    """What the handler reads of Lambda's context."""

    aws_request_id = "benchmark"

    def get_remaining_time_in_millis(self) -> int:
        return 29_000


def infer_event() -> dict[str, object]:
    with open(os.environ["BENCH_REQUEST"], encoding="utf-8") as file:  # noqa: PTH123 - pathlib costs time here
        body = file.read()
    path = f"/v2/models/{os.environ['BENCH_MODEL']}/infer"
    return {
        "version": "2.0",
        "routeKey": "ANY /v2/{path+}",
        "rawPath": path,
        "headers": {"content-type": "application/json"},
        "requestContext": {"http": {"method": "POST", "path": path}},
        "body": body,
        "isBase64Encoded": False,
    }


def tell_parent() -> None:
    """Say that the first prediction is made."""
    os.write(int(os.environ["BENCH_READY"]), b".")
