"""EventBridge's default bus."""

from typing import Any

from lampyris.adapters.boto3_clients import CallFailed, calling
from lampyris.errors import NotificationFailed

# Who speaks: the function's role allows this source alone.
SOURCE = "lampyris"


class EventBridge:
    """An EventBus. `client` is boto3's for EventBridge."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def put(self, kind: str, detail: str) -> None:
        try:
            with calling():
                answer = self._client.put_events(
                    Entries=[{"Source": SOURCE, "DetailType": kind, "Detail": detail}]
                )
        except CallFailed as error:
            said = error.code or "it did not answer"
            raise NotificationFailed(reason=f"EventBridge took no event: {said}.") from error
        for entry in answer["Entries"]:
            if "ErrorCode" in entry:
                raise NotificationFailed(reason=f"EventBridge took no event: {entry['ErrorCode']}.")
