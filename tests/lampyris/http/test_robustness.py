"""Nonsense from callers and faults of the store: always a problem that says what it may, never more."""

import json
from binascii import b2a_base64
from collections.abc import Callable
from functools import partial
from io import BytesIO
from pathlib import Path
from threading import Lock
from time import perf_counter, time
from typing import Any, Literal, cast, get_args

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from lampyris.adapters.telemetry import Telemetry
from lampyris.bootstrap import read_settings, wire_loading, wire_serving
from lampyris.domain.layout import upload_key
from lampyris.domain.store import Store, Stored
from lampyris.errors import ObjectNotFound, StoreUnavailable
from lampyris.http.predict_function import PredictFunction

ROWS = [[1.0] * 8, [0.0] * 8]
TENSOR = {"name": "features", "shape": [2, 8], "datatype": "FP32", "data": ROWS}
# For each protocol a request that a model answers.
GOOD: dict[str, Any] = {
    "/v2/models/glow/infer": {"inputs": [TENSOR]},
    "/v2/models/glow/versions/1/infer": {"inputs": [TENSOR]},
    "/models/glow/predict": {"inputs": ROWS},
    "/v1/models/glow:predict": {"instances": ROWS},
    "/v1/models/glow/versions/1:predict": {"inputs": {"features": ROWS}},
    "/v1/models/glow:classify": {"examples": [{"features": ROWS[0]}]},
}
READABLE = (
    "/v2/models/glow",
    "/v2/models/glow/ready",
    "/v2/models/glow/versions/1/ready",
    "/v1/models/glow",
    "/v1/models/glow/labels/live",
    "/v1/models/glow/metadata",
)
PICTURES = ("/models/picture/predict", "/v1/models/picture:predict", "/v1/models/picture:classify")
MEMBERS = {"type", "title", "status", "detail", "code", "request_id"}

bounded = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150
)
media_types = st.sampled_from(
    [
        "application/json",
        "application/octet-stream",
        "application/x-ndjson",
        "application/x-npy",
        "application/x-www-form-urlencoded",
        "image/png",
        "image/webp",
        "multipart/form-data; boundary=b",
        "multipart/mixed",
        "text/csv; header=present",
        "text/csv",
        "",
    ]
) | st.text(max_size=20)
header_values = (
    st.text(max_size=20) | st.integers().map(str) | st.sampled_from(["gzip", "deflate", "identity", "*/*"])
)
headers = st.dictionaries(
    st.sampled_from(
        ["accept", "accept-encoding", "content-encoding", "inference-header-content-length", "x-other"]
    ),
    header_values,
    max_size=3,
)
queries = st.dictionaries(st.sampled_from(["top", "output", "upload", "other"]), header_values, max_size=2)


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """Draw what is left of a body when a piece of it is replaced."""
    start, end = sorted(draw(st.tuples(*[st.integers(0, len(whole))] * 2)))
    return whole[:start] + draw(st.binary(max_size=12)) + whole[end:]


def png() -> bytes:
    file = BytesIO()
    Image.new("L", (4, 4), 9).save(file, "PNG")
    return file.getvalue()


def bodies(path: str) -> st.SearchStrategy[bytes | str]:
    pictures = {"instances": [{"b64": b2a_base64(png(), newline=False).decode()}]}
    whole = json.dumps(GOOD.get(path, pictures)).encode()
    boundary = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1,2\r\n--b--\r\n'
    return (
        st.binary(max_size=200)
        | st.text(st.characters(exclude_categories=()), max_size=200)
        | damaged(whole)
        | damaged(png())
        | damaged(boundary)
        | damaged(
            b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 8), }".ljust(128)
        )
        | damaged(b"1,2,3,4,5,6,7,8\n" * 2)
    )


def check_problem(answer: Any) -> None:
    problem = answer.document
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem.keys() >= MEMBERS
    assert problem["status"] == answer.status
    assert problem["type"] == f"urn:lampyris:problem:{problem['code']}"
    assert problem["detail"]


@pytest.fixture
def glow(publish_linear: Any) -> str:
    """Publish the model; return the digest of its graph."""
    digest: str = publish_linear().artifact.graph.digest
    return digest


@pytest.fixture
def picture(publish_picture: Any) -> None:
    publish_picture()


@bounded
@given(data=st.data())
def test_nonsense_is_answered_with_a_problem_of_the_caller(
    glow: str, picture: None, call: Any, data: st.DataObject
) -> None:
    path = data.draw(
        st.sampled_from([*GOOD, *READABLE, *PICTURES]) | st.text("/v12models:glowpredict%", max_size=30)
    )
    method = data.draw(st.sampled_from(["POST"] * 5 + ["GET", "PUT", "DELETE", "OPTIONS", ""]))

    answer = call(
        method,
        path,
        data.draw(bodies(path)),
        content_type=data.draw(media_types),
        headers=data.draw(headers),
        query=data.draw(queries),
    )

    assert answer.status < 500
    if answer.status >= 400:
        check_problem(answer)


Fault = Literal["unavailable", "not found", "cut short", "empty", "a bit flipped"]
FAULTS: tuple[Fault, ...] = get_args(Fault)
READS = ("get", "get_if_changed", "get_range", "size_bytes", "list")
UPLOAD = "0" * 32
UPLOADED = f"/models/glow/predict?upload={UPLOAD}"
# The first of the model's weights, as its blob has it; a bit of its last byte, the exponent, tells most.
WEIGHT = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32).tobytes()[:4]
# What a caller may read where the store says, rightly for all we know, that a document is not there.
NOT_FOUND = {"model-not-found", "version-not-found", "alias-not-found", "upload-not-found"}


class FaultyStore:
    """A store whose nth read fails in one way; the others go through."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = Lock()
        self.reads = 0
        self.fails_at = 0
        self.fault: Fault = "unavailable"

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method: Callable[..., Any] = getattr(self._store, name)
        return partial(self._read, method) if name in READS else method

    def _read(self, method: Callable[..., Any], key: str, *args: Any, **options: Any) -> Any:
        with self._lock:
            self.reads += 1
            fails = self.reads == self.fails_at
        if not fails:
            return method(key, *args, **options)
        match self.fault:
            case "unavailable":
                raise StoreUnavailable(operation=f"get {key}", cause="s3://secret-bucket refused")
            case "not found":
                raise ObjectNotFound(key=key)
        found = method(key, *args, **options)
        if isinstance(found, Stored):  # a document: damaged where every reader has to notice
            return msgspec.structs.replace(found, data=self._damaged(found.data, at=0))
        if isinstance(found, memoryview):  # a part of a blob: damaged where onnxruntime would not notice
            return memoryview(self._damaged(bytes(found), at=bytes(found).index(WEIGHT) + 3))
        return found

    def _damaged(self, data: bytes, at: int) -> bytes:
        match self.fault:
            case "cut short":
                return data[: len(data) // 2]
            case "empty":
                return b""
            case _:
                return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


Reply = tuple[int, Any]
Ask = Callable[[str], Reply]


@pytest.fixture
def start(store: Store, tmp_path: Path, context: Any) -> Callable[..., tuple[FaultyStore, Ask]]:
    """Start an environment on a store that can fail; return that, and a way to ask the environment."""
    store.put(upload_key(UPLOAD), json.dumps(GOOD["/models/glow/predict"]).encode())

    def start_environment(*, alias_ttl_s: float = 60) -> tuple[FaultyStore, Ask]:
        faulty = FaultyStore(store)
        environ = {
            "LAMPYRIS_BUCKET": "secret-bucket",
            "LAMPYRIS_ALIAS_TTL_S": str(alias_ttl_s),
            "TMPDIR": str(tmp_path / "scratch"),
        }
        loading = wire_loading(read_settings(environ), cast("Store", faulty), clock=perf_counter)
        function = PredictFunction(wire_serving(loading), Telemetry("predict", now_s=time), None, init_ms=1)

        def ask(target: str) -> Reply:
            path, _, query = target.partition("?")
            body = "" if query or path not in GOOD else json.dumps(GOOD[path])
            method = "POST" if path in GOOD else "GET"
            event = {
                "rawPath": path,
                "headers": {"content-type": "application/json"},
                "queryStringParameters": dict([query.split("=")]) if query else {},
                "requestContext": {"http": {"method": method, "path": path}},
                "body": body,
            }
            response = function.handle(event, context)
            return response["statusCode"], json.loads(response["body"])

        return faulty, ask

    return start_environment


def without_secrets(document: Any, *secrets: str) -> bool:
    said = json.dumps(document)
    return not any(
        secret in said for secret in ("secret-bucket", "blobs/", "aliases/", "versions/", ".json", *secrets)
    )


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("target", [*GOOD, *READABLE])
def test_a_fault_at_any_read_is_a_problem_and_the_next_request_is_answered(
    glow: str, start: Any, tmp_path: Path, target: str, fault: Fault
) -> None:
    faulty, ask = start()
    right = ask(target)
    reads = faulty.reads

    replies = []
    for number in range(1, reads + 1):
        faulty, ask = start()
        faulty.fault, faulty.fails_at = fault, number
        replies.append(ask(target))

        assert ask(target) == right

    assert right[0] == 200
    assert reads
    for status, document in replies:
        if (status, document) != right:
            assert status in {500, 503} or (fault == "not found" and document["code"] in NOT_FOUND)
            assert document.keys() >= MEMBERS
            assert without_secrets(document, glow, str(tmp_path))
    if fault == "unavailable":
        assert {status for status, _ in replies} == {503}


@pytest.mark.parametrize(("fault", "codes"), [("unavailable", {503}), ("not found", {404, 500})])
def test_a_fault_while_an_upload_is_read_is_a_problem(
    glow: str, start: Any, tmp_path: Path, fault: Fault, codes: set[int]
) -> None:
    faulty, ask = start()
    right = ask(UPLOADED)

    for number in range(1, faulty.reads + 1):
        faulty, ask = start()
        faulty.fault, faulty.fails_at = fault, number
        status, document = ask(UPLOADED)

        assert status in codes
        assert without_secrets(document, glow, str(tmp_path))
        assert ask(UPLOADED) == right


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("target", GOOD)
def test_a_warm_environment_goes_on_answering_through_faults(
    glow: str, start: Any, target: str, fault: Fault
) -> None:
    faulty, ask = start(alias_ttl_s=0)
    right = ask(target)
    faulty.reads = 0
    again = ask(target)
    faulty.fault = fault

    for number in range(1, faulty.reads + 1):
        faulty.reads, faulty.fails_at = 0, number

        assert again == ask(target) == right


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_while_an_alias_moves_never_mixes_two_versions(
    glow: str, start: Any, publish_linear: Any, fault: Fault
) -> None:
    target = "/v2/models/glow/infer"
    faulty, ask = start(alias_ttl_s=0)
    old = ask(target)
    publish_linear(seed=1)
    _, ask_anew = start()
    new = ask_anew(target)

    for number in range(1, 4):
        faulty, ask = start(alias_ttl_s=0)
        faulty.fault = fault
        ask(target)
        faulty.reads, faulty.fails_at = 0, number
        status, document = ask(target)

        assert (status, document) in (old, new) or status >= 500
        assert ask(target) == new
