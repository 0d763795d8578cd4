"""The client against a server that answers as the model's name says; cli/test_predict.py asks the API."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lampyris.adapters.object_store import memory_store
from lampyris_local.client import (
    Client,
    NoAnswer,
    Payload,
    Refused,
    UnreadableFile,
    read_payload,
    read_pictures,
    read_server_timing,
)
from lampyris_local.deployment import Deployment

PAYLOAD = Payload(data=b"\x89PNG", content_type="image/png")


class Echo(BaseHTTPRequestHandler):
    """Answers with what came, or as the model's name says."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        match self.path.split("/")[2]:
            case "refusing":
                problem = {"code": "invalid-image", "detail": "The body is not an image.", "status": 422}
                self._answer(422, json.dumps(problem).encode())
            case "forbidden":
                self._answer(403, b'{"message":"Forbidden"}')
            case "broken":
                self._answer(502, b"<html>")
            case _:
                came = {
                    "path": self.path,
                    "type": self.headers["content-type"],
                    "accept": self.headers["accept"],
                    "size": len(body),
                }
                self._answer(200, json.dumps(came).encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("server-timing", "run;dur=0.250, total;dur=1.5")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
        pass


def deployment_at(api_url: str) -> Deployment:
    return Deployment(store=memory_store(), api_url=api_url, open_bucket=lambda _: memory_store())


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    api_url = f"http://127.0.0.1:{server.server_port}"
    with Client(deployment_at(api_url)) as client:
        yield client
    server.shutdown()
    thread.join()
    server.server_close()


def test_payload_is_sent_as_it_is_to_the_models_address(client: Client) -> None:
    answer = client.predict("digits", PAYLOAD)

    assert answer.document == {
        "path": "/models/digits/predict",
        "type": "image/png",
        "accept": "application/json",
        "size": 4,
    }


def test_what_is_wanted_is_asked_for(client: Client) -> None:
    answer = client.predict("digits", PAYLOAD, version=3, top=2, accept="text/csv")

    assert answer.document["path"] == "/models/digits/versions/3/predict?top=2"
    assert answer.document["accept"] == "text/csv"


def test_answer_tells_what_the_call_and_its_parts_took(client: Client) -> None:
    answer = client.predict("digits", PAYLOAD)

    assert answer.parts_ms == {"run": 0.25, "total": 1.5}
    assert answer.elapsed_ms > 0


def test_problem_keeps_its_code_and_sentence(client: Client) -> None:
    with pytest.raises(Refused, match="The body is not an image") as caught:
        client.predict("refusing", PAYLOAD)

    assert (caught.value.code, caught.value.status) == ("invalid-image", 422)


@pytest.mark.parametrize(
    ("model", "code", "sentence"),
    [
        ("forbidden", "http-403", "Forbidden"),
        ("broken", "http-502", "The API answered 502 without a reason."),
    ],
)
def test_answer_that_is_no_problem_document_is_told_too(
    client: Client, model: str, code: str, sentence: str
) -> None:
    with pytest.raises(Refused) as caught:
        client.predict(model, PAYLOAD)

    assert (caught.value.code, str(caught.value)) == (code, sentence)


def test_api_that_is_gone_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        api_url = f"http://127.0.0.1:{free.getsockname()[1]}"

    with (
        Client(deployment_at(api_url)) as client,
        pytest.raises(NoAnswer, match=api_url),
    ):
        client.predict("digits", PAYLOAD)


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("a.png", "image/png"),
        ("b.JPG", "image/jpeg"),
        ("c.jpeg", "image/jpeg"),
        ("d.json", "application/json"),
        ("e.webp", "image/webp"),
        ("f.csv", "text/csv"),
        ("g.ndjson", "application/x-ndjson"),
        ("h.jsonl", "application/x-ndjson"),
        ("i.npy", "application/x-npy"),
    ],
)
def test_suffix_tells_what_a_file_is(tmp_path: Path, name: str, content_type: str) -> None:
    file = tmp_path / name
    file.write_bytes(b"data")

    assert read_payload(file) == Payload(data=b"data", content_type=content_type)


def test_pictures_that_go_together_are_a_form_in_their_order(tmp_path: Path) -> None:
    pictures = [tmp_path / name for name in ("b.png", "a.webp")]
    for picture in pictures:
        picture.write_bytes(picture.name.encode())

    form = read_pictures(pictures)

    assert form.content_type.startswith("multipart/form-data; boundary=")
    assert form.data.index(b"b.png") < form.data.index(b"a.webp")
    assert b"Content-Type: image/webp\r\n\r\na.webp\r\n" in form.data


def test_only_pictures_go_together(tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    table.write_text("1,2")

    with pytest.raises(UnreadableFile, match=r"rows\.csv is no picture; only pictures go out together"):
        read_pictures([table, table])


def test_folder_is_not_sent(tmp_path: Path) -> None:
    folder = tmp_path / "folder.png"
    folder.mkdir()

    with pytest.raises(UnreadableFile, match=r"folder.png cannot be read: is a directory"):
        read_payload(folder)


def test_server_timing_keeps_order_and_skips_descriptions() -> None:
    header = 'init;desc="cold";dur=310.5, fetch;dur=4, cache, run;dur=0.5'

    assert list(read_server_timing(header).items()) == [("init", 310.5), ("fetch", 4.0), ("run", 0.5)]
