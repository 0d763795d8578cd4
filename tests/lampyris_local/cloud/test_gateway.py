import asyncio
import base64
import json
import re
from collections.abc import Sequence
from typing import Any

import pytest

from lampyris_local.cloud.gateway import BODY_LIMIT_BYTES, Gateway, HttpRequest, HttpResponse
from lampyris_local.cloud.invocation import Invocation, RequestTooLargeError, ThrottledError
from lampyris_local.cloud.reports import Report
from lampyris_local.cloud.stack import Place, Route

PLACE = Place(api_url="http://127.0.0.1:8080", endpoint_url="http://127.0.0.1:5000")
REPORT = Report(
    request_id="1",
    duration_ms=1.0,
    init_duration_ms=None,
    memory_mb=128,
    max_memory_mb=30,
    status=None,
)


def route(key: str, function: str | None = None, timeout_s: float = 30.0) -> Route:
    method, _, path = key.partition(" ")
    if key == "$default":
        return Route(function=function or key, method="ANY", path=None, timeout_s=timeout_s)
    return Route(function=function or key, method=method, path=path, timeout_s=timeout_s)


class Recorder:
    """Stands where Lambda stands: keeps what it was invoked with, answers with what it was given."""

    def __init__(self, body: bytes = b"null", function_error: str | None = None) -> None:
        self.invocation = Invocation(body=body, function_error=function_error, report=REPORT, log=())
        self.function = ""
        self.event: dict[str, Any] = {}

    async def __call__(self, function: str, event: bytes) -> Invocation:
        self.function, self.event = function, json.loads(event)
        return self.invocation


def send(lambdas: Any, routes: Sequence[Route], **request: Any) -> HttpResponse:
    gateway = Gateway(routes, lambdas, PLACE)
    return asyncio.run(gateway.handle(HttpRequest(**request)))


def answer(payload: Any, **request: Any) -> HttpResponse:
    return send(
        Recorder(json.dumps(payload).encode()), [route("$default")], method="GET", path="/", **request
    )


def event_of(keys: Sequence[str], **request: Any) -> dict[str, Any]:
    recorder = Recorder()
    send(recorder, [route(key) for key in keys], **request)
    return recorder.event


@pytest.mark.parametrize(
    ("method", "path", "key"),
    [
        # The examples of AWS's own page on routes.
        ("GET", "/pets/dog/1", "GET /pets/dog/1"),
        ("GET", "/pets/dog/2", "GET /pets/dog/{id}"),
        ("GET", "/pets/cat/1", "GET /pets/{proxy+}"),
        ("POST", "/test/5", "ANY /{proxy+}"),
        # And what follows from its rules.
        ("DELETE", "/pets/dog/1", "ANY /pets/dog/1"),
        ("GET", "/pets", "ANY /{proxy+}"),
        ("GET", "/", "$default"),
        ("PUT", "/pets/dog/1/", "ANY /{proxy+}"),
    ],
)
def test_best_matching_route_takes_the_request(method: str, path: str, key: str) -> None:
    keys = ["$default", "ANY /{proxy+}", "GET /pets/{proxy+}", "GET /pets/dog/{id}", "ANY /pets/dog/1"]
    recorder = Recorder()

    send(recorder, [route(each) for each in [*keys, "GET /pets/dog/1"]], method=method, path=path)

    assert recorder.function == key
    assert recorder.event["routeKey"] == key


@pytest.mark.parametrize(
    ("key", "path", "parameters"),
    [
        ("GET /models/{model}/predict", "/models/iris/predict", {"model": "iris"}),
        ("GET /models/{model}/versions/{n}", "/models/a%20b/versions/3", {"model": "a b", "n": "3"}),
        ("GET /v2/{rest+}", "/v2/models/iris/infer", {"rest": "models/iris/infer"}),
    ],
)
def test_path_parameters_are_decoded(key: str, path: str, parameters: dict[str, str]) -> None:
    event = event_of([key], method="GET", path=path)

    assert event["pathParameters"] == parameters


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("POST", "/models"),
        ("GET", "/models/"),
        ("GET", "/models/a/b"),
        ("GET", "/v2"),
        ("GET", "/v2/"),
    ],
)
def test_no_route_answers_404_as_aws_does(method: str, path: str) -> None:
    routes = [route(key) for key in ("GET /models", "GET /models/{model}", "GET /v2/{rest+}")]

    response = send(Recorder(), routes, method=method, path=path)

    assert response.status == 404
    assert json.loads(response.body) == {"message": "Not Found"}


def test_event_has_the_shape_that_aws_documents() -> None:
    event = event_of(
        ["$default"],
        method="POST",
        path="/my/path",
        query="parameter1=value1&parameter1=value2&parameter2=value",
        headers=[
            ("Host", "api.example.com"),
            ("Header1", "value1"),
            ("Header2", "value1"),
            ("header2", "value2"),
            ("Cookie", "cookie1=a; cookie2=b"),
            ("User-Agent", "agent"),
            ("Content-Type", "text/plain"),
        ],
        body=b"Hello from Lambda",
        source_ip="192.0.2.1",
    )

    context = event["requestContext"]
    request_id, time_text, epoch_ms = context.pop("requestId"), context.pop("time"), context.pop("timeEpoch")
    assert event == {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/my/path",
        "rawQueryString": "parameter1=value1&parameter1=value2&parameter2=value",
        "cookies": ["cookie1=a", "cookie2=b"],
        "headers": {
            "host": "api.example.com",
            "header1": "value1",
            "header2": "value1,value2",
            "user-agent": "agent",
            "content-type": "text/plain",
            "x-forwarded-for": "192.0.2.1",
            "x-forwarded-port": "8080",
            "x-forwarded-proto": "http",
        },
        "queryStringParameters": {"parameter1": "value1,value2", "parameter2": "value"},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "local",
            "domainName": "local.execute-api.us-east-1.amazonaws.com",
            "domainPrefix": "local",
            "http": {
                "method": "POST",
                "path": "/my/path",
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "agent",
            },
            "routeKey": "$default",
            "stage": "$default",
        },
        "body": "Hello from Lambda",
        "isBase64Encoded": False,
    }
    assert re.fullmatch(r"\S+", request_id)
    assert re.fullmatch(r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000", time_text)
    assert isinstance(epoch_ms, int)


def test_what_is_empty_is_absent_from_the_event() -> None:
    event = event_of(["$default"], method="GET", path="/")

    assert not {"cookies", "queryStringParameters", "pathParameters", "body", "stageVariables"} & event.keys()
    assert event["rawQueryString"] == ""
    assert event["isBase64Encoded"] is False


@pytest.mark.parametrize(
    ("path", "raw"),
    [
        ("/a%20b/%C3%A9", "/a b/é"),
        ("/RSC/%40id%2Fa.js%23x", "/RSC/@id/a.js#x"),
        ("/me%3Fadmin=true", "/me"),
        ("/a+b", "/a+b"),
    ],
)
def test_raw_path_is_decoded_as_aws_decodes_it(path: str, raw: str) -> None:
    event = event_of(["$default"], method="GET", path=path)

    assert event["rawPath"] == raw
    assert event["requestContext"]["http"]["path"] == raw


def test_query_parameters_are_decoded_and_the_raw_query_is_not() -> None:
    event = event_of(["$default"], method="GET", path="/", query="a=1%202&b=&a=x+y")

    assert event["rawQueryString"] == "a=1%202&b=&a=x+y"
    assert event["queryStringParameters"] == {"a": "1 2,x y", "b": ""}


def test_header_that_is_not_utf_8_is_made_readable() -> None:
    event = event_of(["$default"], method="GET", path="/", headers=[("x-what", "\udcc0 é")])

    assert event["headers"]["x-what"] == "\ufffd é"


@pytest.mark.parametrize(
    "media_type",
    [
        "text/plain",
        "text/csv; charset=utf-8",
        "application/json",
        "Application/JSON;charset=utf-8",
        "application/xml",
    ],
)
def test_text_body_passes_as_it_is(media_type: str) -> None:
    event = event_of(
        ["$default"], method="POST", path="/", headers=[("content-type", media_type)], body="é".encode()
    )

    assert (event["body"], event["isBase64Encoded"]) == ("é", False)


@pytest.mark.parametrize(
    "headers",
    [
        [("content-type", "image/png")],
        [("content-type", "application/octet-stream")],
        [("content-type", "application/x-www-form-urlencoded")],
        [("content-type", "application/vnd.api+json")],
        [("content-type", "application/json"), ("content-encoding", "gzip")],
        [],
    ],
)
def test_any_other_body_passes_as_base64(headers: list[tuple[str, str]]) -> None:
    event = event_of(["$default"], method="POST", path="/", headers=headers, body=b"\x89PNG\xff")

    assert event["isBase64Encoded"] is True
    assert base64.b64decode(event["body"]) == b"\x89PNG\xff"


@pytest.mark.parametrize(
    ("payload", "body"),
    [
        ({"message": "hi"}, b'{"message":"hi"}'),
        ([1, 2], b"[1,2]"),
        ("Hello from Lambda!", b"Hello from Lambda!"),
        (3, b"3"),
        (None, b"null"),
    ],
)
def test_answer_without_status_code_is_the_body_of_a_200(payload: Any, body: bytes) -> None:
    response = answer(payload)

    assert (response.status, response.body) == (200, body)
    assert ("content-type", "application/json") in response.headers


def test_answer_with_status_code_is_the_response() -> None:
    response = answer(
        {
            "statusCode": "418",
            "headers": {"X-Count": 3, "X-Flag": True, "Content-Type": "application/problem+json"},
            "cookies": ["a=1; Secure", "b=2"],
            "body": "short and stout",
        }
    )

    assert response.status == 418
    assert response.body == b"short and stout"
    assert list(response.headers) == [
        ("x-count", "3"),
        ("x-flag", "true"),
        ("content-type", "application/problem+json"),
        ("set-cookie", "a=1; Secure"),
        ("set-cookie", "b=2"),
    ]


def test_response_without_content_type_is_plain_text() -> None:
    response = answer({"statusCode": 204})

    assert response.status == 204
    assert response.body == b""
    assert ("content-type", "text/plain;charset=UTF-8") in response.headers


def test_base64_answer_is_decoded() -> None:
    response = answer({"statusCode": 200, "body": "iVBO/w==", "isBase64Encoded": True})

    assert response.body == b"\x89PN\xff"


@pytest.mark.parametrize(
    "payload",
    [
        {"statusCode": "many"},
        {"statusCode": None},
        {"statusCode": 200, "body": {"not": "text"}},
        {"statusCode": 200, "body": "!!!", "isBase64Encoded": True},
        {"statusCode": 200, "headers": ["x"]},
        {"statusCode": 200, "cookies": "a=1"},
    ],
)
def test_answer_that_makes_no_sense_is_a_500(payload: Any) -> None:
    response = answer(payload)

    assert response.status == 500
    assert json.loads(response.body) == {"message": "Internal Server Error"}


@pytest.mark.parametrize("body", [b"NaN", b"not json", b""])
def test_answer_that_is_not_json_is_a_500(body: bytes) -> None:
    response = send(Recorder(body), [route("$default")], method="GET", path="/")

    assert response.status == 500


def test_function_error_says_nothing_to_the_caller() -> None:
    recorder = Recorder(b'{"errorMessage":"secret"}', function_error="Unhandled")

    response = send(recorder, [route("$default")], method="GET", path="/")

    assert response.status == 500
    assert json.loads(response.body) == {"message": "Internal Server Error"}


def test_function_slower_than_the_route_allows_is_a_503() -> None:
    async def sleeper(_function: str, _event: bytes) -> Invocation:
        await asyncio.sleep(60)
        raise AssertionError("nobody waits that long")

    response = send(sleeper, [route("$default", timeout_s=0.05)], method="GET", path="/")

    assert response.status == 503
    assert json.loads(response.body) == {"message": "Service Unavailable"}


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (ThrottledError("Echo", 10), 503, "Service Unavailable"),
        (RequestTooLargeError(7_000_000), 413, "Request Entity Too Large"),
    ],
)
def test_lambda_that_does_not_take_the_event_is_told_in_http(
    error: Exception, status: int, message: str
) -> None:
    async def refuser(_function: str, _event: bytes) -> Invocation:
        raise error

    response = send(refuser, [route("$default")], method="GET", path="/")

    assert response.status == status
    assert json.loads(response.body) == {"message": message}


def test_body_over_ten_megabytes_is_a_413() -> None:
    recorder = Recorder()

    response = send(recorder, [route("$default")], method="POST", path="/", body=bytes(BODY_LIMIT_BYTES + 1))

    assert response.status == 413
    assert json.loads(response.body) == {"message": "Request Entity Too Large"}
    assert recorder.function == ""
