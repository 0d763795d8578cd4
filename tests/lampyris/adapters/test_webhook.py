"""Webhooks against a real server, with and without TLS."""

import base64
import hashlib
import hmac
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lampyris.adapters import webhook
from lampyris.adapters.webhook import SignedWebhook, is_public
from lampyris.errors import NotificationFailed
from lampyris.jobs.job import Failure
from lampyris.jobs.notifications import JobEnded

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ENDED = JobEnded(
    id="job_j_1",
    job="j",
    kind="train",
    state="failed",
    model="glow",
    by="ana",
    created_at=NOW,
    started_at=None,
    ended_at=NOW,
    cost_usd=0.25,
    failure=Failure(code="bad-recipe", detail="It names no data."),
    summary={},
)


@dataclass
class Received:
    """What came to the server, and what it answers."""

    status: int = 204
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    received: Received


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        received = self.server.received
        received.paths.append(self.path)
        received.headers.append({name.lower(): value for name, value in self.headers.items()})
        received.bodies.append(self.rfile.read(int(self.headers["content-length"])))
        self.send_response_only(received.status)
        self.send_header("location", "/elsewhere")
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
        pass


def _serve(server: _Server) -> Iterator[_Server]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def received() -> Received:
    return Received()


@pytest.fixture
def url(received: Received) -> Iterator[str]:
    server = _Server(("127.0.0.1", 0), _Handler)
    server.received = received
    for _ in _serve(server):
        yield f"http://127.0.0.1:{server.server_port}/hook?x=1"


@pytest.fixture
def call() -> Callable[[str], str | None]:
    """Return what calls an address from the local cloud."""
    caller = SignedWebhook(SECRET, now_s=lambda: 1_700_000_000.9, is_local=True)
    return lambda url: caller.call(url, message_id="job_j_1", kind="job.failed", data=ENDED)


def test_whoever_knows_the_secret_can_verify_a_webhook(
    url: str, received: Received, call: Callable[[str], str | None]
) -> None:
    assert call(url) is None

    (headers,), (body,) = received.headers, received.bodies
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("job_j_1", "1700000000")
    assert headers["content-type"] == "application/json"
    assert received.paths == ["/hook?x=1"]
    told = json.loads(body)
    assert (told["type"], told["timestamp"]) == ("job.failed", "2026-01-01T00:00:00+00:00")
    assert told["data"]["failure"] == {"code": "bad-recipe", "detail": "It names no data."}


def test_signature_is_that_of_the_standards_own_example() -> None:
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'

    signed = webhook.signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)

    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("status", [301, 307, 400, 404, 429, 500])
def test_whoever_does_not_take_it_is_called_again_and_no_redirect_is_followed(
    status: int, url: str, received: Received, call: Callable[[str], str | None]
) -> None:
    received.status = status

    with pytest.raises(NotificationFailed, match=str(status)):
        call(url)
    assert len(received.paths) == 1


def test_who_wants_no_more_is_not_called_again(
    url: str, received: Received, call: Callable[[str], str | None]
) -> None:
    received.status = 410

    assert call(url) == "it answered 410 Gone."


def test_who_does_not_listen_is_called_again(call: Callable[[str], str | None]) -> None:
    with pytest.raises(NotificationFailed, match="could not be called"):
        call("http://127.0.0.1:9/")


def test_without_a_secret_nobody_is_called(url: str, received: Received) -> None:
    caller = SignedWebhook("", now_s=lambda: 0.0, is_local=True)

    refused = caller.call(url, message_id="m", kind="job.failed", data=ENDED)

    assert refused == "the deployment has no WebhookSecret to sign it with."
    assert received.paths == []


@pytest.mark.parametrize(
    "target",
    [
        "https://127.0.0.1:{port}/",
        "https://localhost:{port}/",
        "https://[::1]:{port}/",
        "https://2130706433:{port}/",
        "https://0x7f.1:{port}/",
        "https://169.254.169.254/latest/meta-data/",
        "https://10.0.0.1/",
    ],
)
def test_nothing_inside_is_called(target: str, url: str, received: Received) -> None:
    caller = SignedWebhook(SECRET, now_s=lambda: 0.0)
    port = urlsplit(url).port

    refused = caller.call(target.format(port=port), message_id="m", kind="job.failed", data=ENDED)

    assert refused == "its host is not on the public internet."
    assert received.paths == []


@pytest.mark.parametrize("target", ["http://example.com/", "ftp://example.com", "https:///path", "nonsense"])
def test_only_https_is_called(target: str) -> None:
    caller = SignedWebhook(SECRET, now_s=lambda: 0.0)

    refused = caller.call(target, message_id="m", kind="job.failed", data=ENDED)

    assert refused == "its address is not an https address."


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("93.184.215.14", True),
        ("2606:4700::1111", True),
        ("10.1.2.3", False),
        ("100.64.0.1", False),
        ("169.254.170.2", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("fd00:ec2::254", False),
        ("fe80::1%eth0", False),
        ("ff02::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:169.254.169.254", False),
        ("2002:a00:1::", False),
        ("2002:a9fe:a9fe::1", False),
    ],
)
def test_only_addresses_of_the_public_internet_are_public(address: str, *, expected: bool) -> None:
    assert is_public(address) is expected


def _certificate(folder: Path) -> Path:
    """Make a certificate for 127.0.0.1 that nobody trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def secure(received: Received, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Return the address of a server with TLS, and its certificate."""
    path = _certificate(tmp_path)
    server = _Server(("127.0.0.1", 0), _Handler)
    server.received = received
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a refused handshake is expected
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    for _ in _serve(server):
        yield f"https://127.0.0.1:{server.server_port}/hook", path


def test_a_server_whose_certificate_nobody_trusts_is_told_nothing(
    secure: tuple[str, Path], received: Received, call: Callable[[str], str | None]
) -> None:
    with pytest.raises(NotificationFailed, match="certificate"):
        call(secure[0])
    assert received.paths == []


def test_a_server_whose_certificate_is_trusted_is_told(
    secure: tuple[str, Path],
    received: Received,
    call: Callable[[str], str | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(secure[1]))

    assert call(secure[0]) is None
    assert received.headers[0]["host"] == secure[0].split("/")[2]


def test_who_answers_a_letter_at_a_time_is_not_waited_for() -> None:
    caller = SignedWebhook(SECRET, now_s=lambda: 0.0, is_local=True, within_s=0.2)
    over = threading.Event()

    class Slow(_Handler):
        def do_POST(self) -> None:
            for letter in b"HTTP/1.1 204 " + b"x" * 60:
                if over.wait(0.05):
                    return
                self.wfile.write(bytes([letter]))

    server = _Server(("127.0.0.1", 0), Slow)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # the caller hangs up
    for _ in _serve(server):
        with pytest.raises(NotificationFailed):
            caller.call(
                f"http://127.0.0.1:{server.server_port}/", message_id="m", kind="job.failed", data=ENDED
            )
        over.set()
