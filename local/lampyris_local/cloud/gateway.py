"""API Gateway's HTTP API without a socket: a request in, a function invoked, a response out.

Routes and events are those of payload format 2.0. Authorisation (IAM, JWT) is not checked, and so an event
has no `requestContext.authorizer`; CORS is not answered.
Sources: http-api-develop-integrations-lambda.html and http-api-develop-routes.html of
https://docs.aws.amazon.com/apigateway/latest/developerguide/; which bodies are text there, as measured:
https://github.com/ministackorg/ministack/pull/766
"""

import asyncio
import base64
import binascii
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from lampyris_local.cloud.invocation import Invocation, InvokeError, RequestTooLargeError
from lampyris_local.cloud.stack import Place, Route

log = logging.getLogger(__name__)

BODY_LIMIT_BYTES = 10 * 1024 * 1024
TEXT_TYPES = frozenset({"application/json", "application/javascript", "application/xml"})


@dataclass(frozen=True, kw_only=True)
class HttpRequest:
    """A request as it came: `path` still percent-encoded, headers with their duplicates."""

    method: str
    path: str
    query: str = ""
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    source_ip: str = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class HttpResponse:
    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes


class Gateway:
    """`invoke` takes a function's logical id and the event as JSON."""

    def __init__(
        self, routes: Sequence[Route], invoke: Callable[[str, bytes], Awaitable[Invocation]], place: Place
    ) -> None:
        self._routes = sorted(routes, key=_precedence)
        self._invoke = invoke
        self._place = place

    async def handle(self, request: HttpRequest) -> HttpResponse:
        if len(request.body) > BODY_LIMIT_BYTES:
            return TOO_LARGE
        path = decoded_path(request.path)
        for route in self._routes:
            path_parameters = match(route, request.method, path)
            if path_parameters is not None:
                break
        else:
            return _message(404, "Not Found")
        event = payload_v2(request, route, path, path_parameters, self._place)
        try:
            async with asyncio.timeout(route.timeout_s):
                invocation = await self._invoke(route.function, msgspec.json.encode(event))
        except RequestTooLargeError:
            return TOO_LARGE
        except InvokeError as error:
            log.warning("%s: %s", route.key, error)
            return _message(503, "Service Unavailable")
        except TimeoutError:
            log.warning("%s: no answer within %g s", route.key, route.timeout_s)
            return _message(503, "Service Unavailable")
        if invocation.function_error is not None:
            return _message(500, "Internal Server Error")
        try:
            return response_v2(msgspec.json.decode(invocation.body))
        except (msgspec.DecodeError, ValueError) as error:
            log.warning("%s: %s does not answer as a function should: %s", route.key, route.function, error)
            return _message(500, "Internal Server Error")


def decoded_path(path: str) -> str:
    """Decode a path as API Gateway does, which loses what follows a percent-encoded question mark."""
    return unquote(path).split("?")[0]


def _precedence(route: Route) -> tuple[Any, ...]:
    """Order routes best match first: fixed text, {one}, {all+}, $default; a method before ANY."""
    if route.path is None:
        return ((3,), True)
    ranks = []
    for segment in route.path.split("/")[1:]:
        if segment.startswith("{"):
            ranks.append(2 if segment.endswith("+}") else 1)
        else:
            ranks.append(0)
    return (tuple(ranks), route.method == "ANY")


def match(route: Route, method: str, path: str) -> dict[str, str] | None:
    """Return the path parameters if the route takes this request, else None."""
    if route.path is None:
        return {}
    if route.method not in ("ANY", method.upper()):
        return None
    pattern, segments = route.path.split("/")[1:], path.split("/")[1:]
    parameters: dict[str, str] = {}
    for position, expected in enumerate(pattern):
        rest = "/".join(segments[position:])
        if expected.startswith("{") and expected.endswith("+}"):
            return {**parameters, expected[1:-2]: rest} if rest else None
        if position >= len(segments):
            return None
        found = segments[position]
        if expected.startswith("{") and expected.endswith("}"):
            if not found:
                return None
            parameters[expected[1:-1]] = found
        elif found != expected:
            return None
    return parameters if len(pattern) == len(segments) else None


def payload_v2(
    request: HttpRequest, route: Route, path: str, path_parameters: Mapping[str, str], place: Place
) -> dict[str, Any]:
    """Shape the event for a function. What is empty is absent, as on AWS."""
    edge = urlsplit(place.api_url)
    headers = {
        "host": edge.netloc,
        **_joined((name.lower(), _readable(value)) for name, value in request.headers),
        "x-forwarded-for": request.source_ip,
        "x-forwarded-port": str(edge.port),
        "x-forwarded-proto": edge.scheme,
    }
    cookies = headers.pop("cookie", None)
    domain = place.api_url_on_aws.removeprefix("https://")
    now_s = time.time()
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route.key,
        "rawPath": path,
        "rawQueryString": request.query,
        "headers": headers,
        "requestContext": {
            "accountId": place.account_id,
            "apiId": place.api_id,
            "domainName": domain,
            "domainPrefix": place.api_id,
            "http": {
                "method": request.method.upper(),
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": request.source_ip,
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": base64.b64encode(secrets.token_bytes(11)).decode(),
            "routeKey": route.key,
            "stage": "$default",
            "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now_s)),
            "timeEpoch": int(now_s * 1000),
        },
        "isBase64Encoded": False,
    }
    if cookies:
        event["cookies"] = [cookie.strip() for cookie in cookies.split(";")]
    if request.query:
        event["queryStringParameters"] = _joined(parse_qsl(request.query, keep_blank_values=True))
    if path_parameters:
        event["pathParameters"] = path_parameters
    if request.body:
        is_text = _is_text(headers)
        event["isBase64Encoded"] = not is_text
        event["body"] = (
            request.body.decode(errors="replace") if is_text else base64.b64encode(request.body).decode()
        )
    return event


def _readable(value: str) -> str:
    """Replace bytes that are not UTF-8, which come as halves of surrogate pairs: an event is JSON."""
    return value.encode(errors="surrogateescape").decode(errors="replace")


def _joined(pairs: Any) -> dict[str, str]:
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _is_text(headers: Mapping[str, str]) -> bool:
    """Whether AWS passes such a body as text. A form is not text to it, nor a body without a type.

    Nor is what came compressed: so it is said of load balancers, whose types of text are the same.
    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html
    """
    if "content-encoding" in headers:
        return False
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    return media_type.startswith("text/") or media_type in TEXT_TYPES


def response_v2(payload: Any) -> HttpResponse:
    """Read a function's answer: with a statusCode it is a response, without one it is the body of a 200.

    Raises: ValueError for a response that API Gateway would not understand.
    """
    if not isinstance(payload, dict) or "statusCode" not in payload:
        body = payload.encode() if isinstance(payload, str) else msgspec.json.encode(payload)
        return HttpResponse(status=200, headers=[("content-type", "application/json")], body=body)
    body_text = payload.get("body") or ""
    headers = payload.get("headers") or {}
    cookies = payload.get("cookies") or []
    if not isinstance(body_text, str) or not isinstance(headers, dict) or not isinstance(cookies, list):
        raise ValueError("body must be text, headers a map, cookies a list")  # noqa: TRY004 - the caller's one error
    try:
        body = (
            base64.b64decode(body_text, validate=True)
            if payload.get("isBase64Encoded")
            else body_text.encode()
        )
        status = int(payload["statusCode"])
    except (binascii.Error, TypeError) as error:
        raise ValueError(str(error)) from error
    answered = {name.lower(): _header_text(value) for name, value in headers.items()}
    answered.setdefault("content-type", "text/plain;charset=UTF-8")
    return HttpResponse(
        status=status,
        headers=[*answered.items(), *(("set-cookie", str(cookie)) for cookie in cookies)],
        body=body,
    )


def _header_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _message(status: int, text: str) -> HttpResponse:
    return HttpResponse(
        status=status,
        headers=[("content-type", "application/json")],
        body=msgspec.json.encode({"message": text}),
    )


TOO_LARGE = _message(413, "Request Entity Too Large")
