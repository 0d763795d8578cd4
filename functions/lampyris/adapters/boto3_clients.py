"""Clients of AWS, for those who keep jobs going: who waits for one waits for seconds, not for minutes.

boto3 takes a quarter of a second to import, so that only who makes a client does.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_CONNECT_TIMEOUT_S = 2
_READ_TIMEOUT_S = 5
_ATTEMPTS = 5


def aws_client(service: str, *, region: str | None = None, endpoint: str | None = None) -> Any:
    """Make a client, which threads may share. None leaves it to the environment, as credentials are."""
    import boto3  # noqa: PLC0415 - see the module
    from botocore.config import Config  # noqa: PLC0415 - as above

    return boto3.client(
        service,
        region_name=region,
        endpoint_url=endpoint,
        config=Config(
            connect_timeout=_CONNECT_TIMEOUT_S,
            read_timeout=_READ_TIMEOUT_S,
            # Waits between attempts at random, longer each time, also when AWS throttles.
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        ),
    )


class CallFailed(Exception):
    """A call of AWS failed for good; `code` is AWS's own, "" if no answer came. Adapters raise their own."""

    def __init__(self, code: str, cause: str) -> None:
        super().__init__(cause)
        self.code = code
        self.cause = cause


@contextmanager
def calling() -> Iterator[None]:
    """Raise CallFailed for whatever boto3 raises."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - see the module

    try:
        yield
    except ClientError as error:
        raise CallFailed(error.response.get("Error", {}).get("Code", ""), str(error)) from error
    except BotoCoreError as error:
        raise CallFailed("", str(error)) from error
