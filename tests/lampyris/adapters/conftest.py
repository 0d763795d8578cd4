"""Every store that the contract is held against, and an S3 that does what moto does not."""

import base64
import hashlib
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from moto.server import ThreadedMotoServer

from lampyris.adapters.folder_store import FolderStore
from lampyris.adapters.memory_store import MemoryStore
from lampyris.adapters.object_store import ObjectStore, s3_store
from lampyris.domain.store import Store

# Long enough for moto, short enough to wait for in a test.
TIMEOUT_S = 2.0
CHECKSUMS: dict[str, Callable[[bytes], bytes]] = {
    "content-md5": lambda body: hashlib.md5(body).digest(),
    "x-amz-checksum-sha256": lambda body: hashlib.sha256(body).digest(),
    "x-amz-checksum-crc32": lambda body: zlib.crc32(body).to_bytes(4, "big"),
}
REFUSALS: dict[str | None, tuple[int, str]] = {
    "conflict": (409, "ConditionalRequestConflict"),
    "slow down": (503, "SlowDown"),
    "denied": (403, "AccessDenied"),
}
_bucket_numbers = count(1)


@dataclass
class Fault:
    """What happens to requests of a method, `times` times: see `_Handler._answer` for each kind."""

    kind: str
    method: str
    times: int = 1


@dataclass
class Weather:
    """What the layer before S3 does on purpose, and what came through it.

    While `is_rough`, every eleventh request is told to slow down, unless it was told so before; and of two
    conditional writes to one key at the same time one is told that there is a conflict, as S3 may.
    """

    faults: list[Fault] = field(default_factory=list)
    is_rough: bool = False
    requests: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)  # answers that are late come now
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _slowed: set[tuple[str, str]] = field(default_factory=set)
    _conditional: set[str] = field(default_factory=set)

    def fail(self, kind: str, method: str, times: int = 1) -> None:
        self.faults.append(Fault(kind, method, times))

    def draw(self, method: str, target: str, headers: dict[str, str]) -> str | None:
        """Note a request, and say what becomes of it."""
        with self._lock:
            self.requests.append(f"{method} {target}")
            self.headers.append(headers)
            for fault in self.faults:
                if fault.method == method and fault.times:
                    fault.times -= 1
                    return fault.kind
            if not self.is_rough or len(self.requests) % 11 or (method, target) in self._slowed:
                return None
            self._slowed.add((method, target))
            return "slow down"

    @contextmanager
    def conditional(self, path: str, *, is_conditional: bool) -> Iterator[bool]:
        """Say whether a write may go on beside the others that are under way."""
        with self._lock:
            is_free = not (self.is_rough and is_conditional and path in self._conditional)
            if is_free and is_conditional:
                self._conditional.add(path)
        try:
            yield is_free
        finally:
            if is_free and is_conditional:
                with self._lock:
                    self._conditional.discard(path)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    weather: Weather
    upstream: str


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._upstream = HTTPConnection(self.server.upstream)

    def finish(self) -> None:
        self._upstream.close()
        with suppress(OSError):
            super().finish()

    def handle_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        kind = self.server.weather.draw(self.command, self.path, headers)
        is_conditional = bool({"if-match", "if-none-match"} & headers.keys()) and self.command == "PUT"
        with self.server.weather.conditional(self.path, is_conditional=is_conditional) as is_free:
            self._answer(kind if is_free else "conflict", body, headers)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any  # noqa: N815 - the base class names them

    def _answer(self, kind: str | None, body: bytes, headers: dict[str, str]) -> None:
        if kind in REFUSALS:
            return self._refuse(*REFUSALS[kind])
        if kind == "unreachable":
            return self._hang_up()
        if kind == "flipped":
            body = bytes([body[0] ^ 1]) + body[1:]
        if not _is_intact(body, headers):
            return self._refuse(400, "BadDigest")
        status, answer_headers, answer = self._forward(body, headers)
        match kind:
            case "lost":
                return self._hang_up()
            case "late":
                self.server.weather.over.wait(10 * TIMEOUT_S)
                return self._hang_up()
            case "broken after":
                return self._refuse(500, "InternalError")
            case "not all":
                failed = b"<Error><Key>a/key</Key><Code>InternalError</Code><Message/></Error>"
                answer = b"<DeleteResult>" + failed + b"</DeleteResult>"
        return self._send(status, answer_headers, answer)

    def _forward(self, body: bytes, headers: dict[str, str]) -> tuple[int, list[tuple[str, str]], bytes]:
        self._upstream.request(self.command, self.path, body, headers)
        response = self._upstream.getresponse()
        answer = response.read()
        return response.status, response.getheaders(), answer

    def _refuse(self, status: int, code: str) -> None:
        said = f"<Error><Code>{code}</Code><Message>On purpose.</Message></Error>".encode()
        self._send(status, [("content-type", "application/xml")], said)

    def _send(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in {"connection", "transfer-encoding", "content-length"}:
                self.send_header(name, value)
        length = {name.lower(): value for name, value in headers}.get("content-length", "0")
        self.send_header("content-length", length if self.command == "HEAD" else str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def handle(self) -> None:
        with suppress(OSError, HTTPException):  # whoever gave up waiting is gone
            super().handle()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
        pass


def _is_intact(body: bytes, headers: dict[str, str]) -> bool:
    """Hold a body against every checksum that came with it, as S3 does."""
    signed = headers.get("x-amz-content-sha256", "")
    if len(signed) == 64 and hashlib.sha256(body).hexdigest() != signed:
        return False
    sent = {name: digest for name, digest in CHECKSUMS.items() if name in headers}
    return all(base64.b64decode(headers[name]) == digest(body) for name, digest in sent.items())


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    """Where moto answers as S3 does."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="session")
def layer(moto: str) -> Iterator[_Server]:
    server = _Server(("127.0.0.1", 0), _Handler)
    server.upstream = urlsplit(moto).netloc
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def weather(layer: _Server) -> Iterator[Weather]:
    layer.weather = Weather()
    yield layer.weather
    layer.weather.over.set()


@pytest.fixture(scope="session")
def client(moto: str) -> Any:
    return boto3.client("s3", endpoint_url=moto)


@pytest.fixture
def plain_bucket(client: Any) -> str:
    """Return the name of a new bucket."""
    name = f"registry-{next(_bucket_numbers)}"
    client.create_bucket(Bucket=name)
    return name


@pytest.fixture
def bucket(client: Any, plain_bucket: str) -> str:
    """Return the name of a new bucket that keeps versions, as the template's does."""
    client.put_bucket_versioning(Bucket=plain_bucket, VersioningConfiguration={"Status": "Enabled"})
    return plain_bucket


@pytest.fixture
def s3(moto: str, bucket: str) -> ObjectStore:
    return s3_store(bucket, endpoint=moto)


@pytest.fixture
def faulty(layer: _Server, weather: Weather, bucket: str) -> ObjectStore:
    """A bucket behind the layer, which is fair until the test says otherwise."""
    return s3_store(bucket, endpoint=f"http://127.0.0.1:{layer.server_port}", timeout_s=TIMEOUT_S)


@pytest.fixture
def rough(layer: _Server, weather: Weather, plain_bucket: str) -> ObjectStore:
    """A bucket without versions behind the layer, which is rough."""
    weather.is_rough = True
    return s3_store(plain_bucket, endpoint=f"http://127.0.0.1:{layer.server_port}")


@pytest.fixture(params=["memory", "folder", "s3", "rough"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def store(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if kind == "memory":
        return MemoryStore()
    if kind == "folder":
        return FolderStore(tmp_path / "registry")
    bucket: ObjectStore = request.getfixturevalue(kind)
    return bucket
