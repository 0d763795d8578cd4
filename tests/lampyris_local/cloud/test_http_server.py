import gzip
from collections.abc import Iterator

import httpx
import pytest

from lampyris_local.cloud.gateway import BODY_LIMIT_BYTES, HttpRequest
from lampyris_local.cloud.local_cloud import LocalCloud


@pytest.fixture
def http(cloud: LocalCloud) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=cloud.api_url, trust_env=False) as client:
        yield client


def test_request_reaches_the_function_as_it_was_sent(http: httpx.Client) -> None:
    response = http.put(
        "/echo/a%20b/c?x=1%202&x=3",
        content=b'{"n": 1}',
        headers=[
            ("Content-Type", "application/json"),
            ("X-Twice", "1"),
            ("X-Twice", "2"),
            ("Cookie", "k=v; l=w"),
        ],
    )

    event = response.json()
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert event["routeKey"] == "ANY /echo/{rest+}"
    assert event["rawPath"] == "/echo/a b/c"
    assert event["rawQueryString"] == "x=1%202&x=3"
    assert event["pathParameters"] == {"rest": "a b/c"}
    assert event["requestContext"]["http"]["method"] == "PUT"
    assert event["requestContext"]["http"]["sourceIp"] == "127.0.0.1"
    assert event["headers"]["x-twice"] == "1,2"
    assert event["headers"]["host"] == http.base_url.netloc.decode()
    assert event["cookies"] == ["k=v", "l=w"]
    assert event["body"] == '{"n": 1}'


def test_binary_body_comes_back_unharmed(http: httpx.Client) -> None:
    picture = bytes(range(256)) * 1000

    response = http.post("/binary", content=picture, headers={"Content-Type": "image/png"})

    assert response.status_code == 201
    assert response.content == picture
    assert response.headers["content-type"] == "application/octet-stream"
    assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]


def test_compressed_body_stays_compressed(http: httpx.Client) -> None:
    packed = gzip.compress(b"much ado")

    response = http.post(
        "/binary", content=packed, headers={"Content-Type": "image/png", "Content-Encoding": "gzip"}
    )

    assert response.content == packed


def test_head_is_answered_without_a_body(http: httpx.Client) -> None:
    response = http.head("/echo/x")

    assert response.status_code == 200
    assert response.content == b""


def test_function_error_and_unknown_route_are_answered_as_aws_does(http: httpx.Client) -> None:
    failed = http.get("/fail")
    unknown = http.get("/nowhere")

    assert (failed.status_code, failed.json()) == (500, {"message": "Internal Server Error"})
    assert (unknown.status_code, unknown.json()) == (404, {"message": "Not Found"})


def test_limits_on_bodies_are_those_of_the_gateway_and_of_lambda(http: httpx.Client) -> None:
    headers = {"Content-Type": "image/png"}

    fits = http.post("/binary", content=bytes(4_400_000), headers=headers)
    over_lambda = http.post("/binary", content=bytes(4_800_000), headers=headers)
    over_gateway = http.post("/binary", content=bytes(BODY_LIMIT_BYTES + 1), headers=headers)

    assert fits.status_code == 201
    assert (over_lambda.status_code, over_gateway.status_code) == (413, 413)
    assert over_lambda.json() == over_gateway.json() == {"message": "Request Entity Too Large"}


def test_same_request_without_a_socket_gives_the_same_answer(cloud: LocalCloud, http: httpx.Client) -> None:
    sent = http.post("/binary", content=b"\x00\x01", headers={"Content-Type": "image/png"})

    passed = cloud.request(
        HttpRequest(method="POST", path="/binary", headers=[("Content-Type", "image/png")], body=b"\x00\x01")
    )

    assert (passed.status, passed.body) == (sent.status_code, sent.content)


def test_outputs_are_told_with_endpoint_and_region(cloud: LocalCloud, http: httpx.Client) -> None:
    outputs = http.get("/_local/outputs").json()

    assert outputs == {**cloud.outputs, "endpoint": cloud.endpoint_url, "region": cloud.region}
    assert outputs["Url"] == cloud.api_url


def test_health_is_told(http: httpx.Client) -> None:
    response = http.get("/_local/health")

    assert (response.status_code, response.json()) == (200, {"status": "ok"})


def test_path_may_hold_line_ends(http: httpx.Client) -> None:
    event = http.get("/echo/a%0Ab%0D%0Ac").json()

    assert event["rawPath"] == "/echo/a\nb\r\nc"
