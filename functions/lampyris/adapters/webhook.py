"""Calls an address that a user named, signed, and only where nothing of the deployment's own can be reached.

The address is looked up once, looked at, and then called as it was found: a name that means another address
the second time gains nothing. No redirect is followed.
Source: Standard Webhooks 1.0, github.com/standard-webhooks/standard-webhooks.
"""

import base64
import hashlib
import hmac
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from ipaddress import ip_address
from threading import Timer
from urllib.parse import SplitResult, urlsplit

import msgspec

from lampyris.errors import NotificationFailed
from lampyris.jobs.notifications import JobEnded

_SECRET_PREFIX = "whsec_"  # noqa: S105 - every secret of the standard begins so
_TIMEOUT_S = 3.0
# By the standard, who answers this wants no more.
_GONE = 410


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    """The body, as the standard has it."""

    type: str
    timestamp: str
    data: JobEnded


class SignedWebhook:
    """A Webhook. `now_s` is the time since 1970; `is_local` allows http, and addresses on the machine.

    `within_s` is for all of a call: who answers a letter at a time is not waited for.
    """

    def __init__(
        self, secret: str, *, now_s: Callable[[], float], is_local: bool = False, within_s: float = 8.0
    ) -> None:
        self._key = base64.b64decode(secret.removeprefix(_SECRET_PREFIX))
        self._now_s = now_s
        self._is_local = is_local
        self._within_s = within_s

    def call(self, url: str, *, message_id: str, kind: str, data: JobEnded) -> str | None:
        if not self._key:
            return "the deployment has no WebhookSecret to sign it with."
        target = urlsplit(url)
        if target.hostname is None or target.scheme not in (
            {"http", "https"} if self._is_local else {"https"}
        ):
            return "its address is not an https address."
        ended_at = data.ended_at
        assert ended_at is not None  # it is told of a job that has ended
        body = msgspec.json.encode(Payload(type=kind, timestamp=ended_at.isoformat(), data=data))
        sent_s = int(self._now_s())
        headers = {
            "content-type": "application/json",
            "user-agent": "Lampyris",
            "webhook-id": message_id,
            "webhook-timestamp": str(sent_s),
            "webhook-signature": signature(self._key, message_id, sent_s, body),
        }
        try:
            found = _addresses(target)
            if not self._is_local and not all(map(is_public, found)):
                return "its host is not on the public internet."
            status = self._post(target, found[0], body, headers)
        except (OSError, HTTPException, ValueError) as error:
            raise NotificationFailed(reason=f"The webhook could not be called: {error}") from error
        if status == _GONE:
            return "it answered 410 Gone."
        if not 200 <= status < 300:  # noqa: PLR2004 - HTTP's classes
            raise NotificationFailed(reason=f"The webhook answered {status}.")
        return None

    def _post(self, target: SplitResult, address: str, body: bytes, headers: dict[str, str]) -> int:
        """Post to the host of `target` at `address`; return the status. Raises: OSError, HTTPException."""
        assert target.hostname is not None  # see `call`
        port = _port(target)
        path = (target.path or "/") + (f"?{target.query}" if target.query else "")
        with socket.create_connection((address, port), timeout=_TIMEOUT_S) as plain:
            connection: HTTPConnection
            if target.scheme == "https":
                trust = ssl.create_default_context()
                connection = HTTPSConnection(target.hostname, port, context=trust)
                connection.sock = trust.wrap_socket(
                    plain, server_hostname=target.hostname, do_handshake_on_connect=False
                )
            else:
                connection = HTTPConnection(target.hostname, port)
                connection.sock = plain
            over = Timer(self._within_s, _shut, [connection.sock])
            over.daemon = True
            over.start()
            try:
                if isinstance(connection.sock, ssl.SSLSocket):
                    connection.sock.do_handshake()
                connection.request("POST", path, body, headers)
                return connection.getresponse().status
            finally:
                over.cancel()
                connection.close()


def signature(key: bytes, message_id: str, sent_s: int, body: bytes) -> str:
    signed = f"{message_id}.{sent_s}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def is_public(address: str) -> bool:
    """Say whether an address is one of the public internet, and of no network of ours."""
    found = ip_address(address.partition("%")[0])
    # Addresses of version 4 in those of version 6 may lead anywhere.
    inner = (found.ipv4_mapped or found.sixtofour) if found.version == 6 else None  # noqa: PLR2004 - IPv6
    return all(one.is_global and not one.is_multicast for one in (found, inner) if one is not None)


def _addresses(target: SplitResult) -> list[str]:
    """Look a host up; version 4 first, which alone every function can reach. Raises: OSError, ValueError."""
    found = socket.getaddrinfo(target.hostname, _port(target), type=socket.SOCK_STREAM)
    return [str(one[4][0]) for one in sorted(found, key=lambda one: one[0] != socket.AF_INET)]


def _port(target: SplitResult) -> int:
    return target.port or (443 if target.scheme == "https" else 80)


def _shut(connected: socket.socket) -> None:
    with suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)
