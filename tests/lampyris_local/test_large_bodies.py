"""Large bodies against a server that has the API's routes and a bucket, and tells what came."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from lampyris_local.large_bodies import SENT_ALONG_BYTES, post

LARGE = bytes(SENT_ALONG_BYTES + 1)


class Api(BaseHTTPRequestHandler):
    """Keeps what is put under /bucket/; a request to /full is opened no place for."""

    stored: bytes
    signed: list[str]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        url = urlsplit(self.path)
        if url.path == "/uploads":
            self._answer(
                201, {"upload": "abc", "url": f"http://{self.headers['host']}/bucket/abc", "more": 1}
            )
        elif url.path == "/linked":
            self._answer(303, {}, {"location": f"http://{self.headers['host']}/bucket/answer"})
        else:
            self._answer(
                200, {"size": len(body), "query": parse_qs(url.query), "type": self.headers["x-type"]}
            )

    def do_PUT(self) -> None:
        type(self).stored = self.rfile.read(int(self.headers["content-length"]))
        type(self).signed += [self.path] * ("authorization" in self.headers)
        self._answer(200, {})

    def do_GET(self) -> None:
        type(self).signed += [self.path] * ("authorization" in self.headers)
        self._answer(200, {"answer": "from the bucket"})

    def _answer(self, status: int, document: object, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        for name, value in {"content-length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        if status == 303:
            self.send_header("server-timing", "total;dur=1.5")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
        pass


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    Api.stored, Api.signed = b"", []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    # It signs all that it does not send elsewhere, as a client of AWS does.
    url = f"http://127.0.0.1:{server.server_port}"
    with httpx.Client(base_url=url, auth=("who", "signs"), trust_env=False) as client:
        yield client
    server.shutdown()
    thread.join()
    server.server_close()


def test_small_body_is_sent_along(http: httpx.Client) -> None:
    answer = post(http, "/predict", content=b"small", params={"top": "1"}, headers={"x-type": "text/csv"})

    assert answer.json() == {"size": 5, "query": {"top": ["1"]}, "type": "text/csv"}
    assert Api.stored == b""


def test_large_body_goes_to_the_bucket_and_the_request_names_it(http: httpx.Client) -> None:
    answer = post(http, "/predict", content=LARGE, params={"top": "1"}, headers={"x-type": "text/csv"})

    assert answer.json() == {"size": 0, "query": {"top": ["1"], "upload": ["abc"]}, "type": "text/csv"}
    assert Api.stored == LARGE


def test_large_answer_is_fetched_with_the_timing_of_its_request(http: httpx.Client) -> None:
    answer = post(http, "/linked", content=b"", params={}, headers={})

    assert answer.json() == {"answer": "from the bucket"}
    assert answer.headers["server-timing"] == "total;dur=1.5"


def test_signed_addresses_get_no_second_signature(http: httpx.Client) -> None:
    post(http, "/linked", content=LARGE, params={}, headers={})

    assert Api.signed == []
