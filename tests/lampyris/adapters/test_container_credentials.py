import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from lampyris.adapters.container_credentials import ContainerCredentials
from lampyris.errors import StoreUnavailable


class Lender(BaseHTTPRequestHandler):
    """Hands out credentials as Lambda does, to whoever has the token."""

    def do_GET(self) -> None:
        allowed = self.headers["Authorization"] == "secret" and self.path == "/credentials"
        document = {
            "AccessKeyId": "key",
            "SecretAccessKey": "shh",
            "Token": "session",
            "Expiration": "2030-01-01T00:00:00Z",
        }
        self.send_response(200 if allowed else 403)
        self.end_headers()
        self.wfile.write(json.dumps(document).encode() if allowed else b"{}")

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Lender) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_credentials_come_with_their_end(address: str) -> None:
    credentials = ContainerCredentials(f"{address}/credentials", "secret")()

    assert (credentials["access_key_id"], credentials["secret_access_key"]) == ("key", "shh")
    expires_at = credentials["expires_at"]
    assert credentials["token"] == "session"
    assert expires_at is not None
    assert expires_at.year == 2030


def test_refused_credentials_are_a_store_that_cannot_be_reached(address: str) -> None:
    with pytest.raises(StoreUnavailable, match="status 403"):
        ContainerCredentials(f"{address}/credentials", "wrong")()


def test_nobody_there_is_a_store_that_cannot_be_reached() -> None:
    with pytest.raises(StoreUnavailable, match="credentials"):
        ContainerCredentials("http://127.0.0.1:9/credentials", "secret")()
