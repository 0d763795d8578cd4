"""Calls to a deployment's API: files go out as they are, predictions come back with what the call took."""

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import msgspec

from lampyris.errors import LampyrisError
from lampyris_local import large_bodies
from lampyris_local.deployment import Deployment

# What is sent as which media type, and what can be asked for as one.
CONTENT_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".json": "application/json",
    ".webp": "image/webp",
    ".csv": "text/csv",
    ".ndjson": "application/x-ndjson",
    ".jsonl": "application/x-ndjson",
    ".npy": "application/x-npy",
}
JSON = "application/json"
# An HTTP API answers within 30 s, if only to say that it gave up.
_TIMEOUT = httpx.Timeout(35.0, connect=5.0)
_TIMING = re.compile(r"([\w-]+)\s*;[^,]*?dur=([\d.]+)")


@dataclass(eq=False, kw_only=True)
class Refused(LampyrisError):
    """The API answered with a problem (RFC 9457); `code` and the sentence are its own."""

    status: int
    problem: str
    detail: str

    @property
    def code(self) -> str:  # type: ignore[override]  # the API's code, known only from its answer
        return self.problem

    def __str__(self) -> str:
        return self.detail


@dataclass(eq=False, kw_only=True)
class NoAnswer(LampyrisError):
    code = "no-answer"
    url: str
    reason: str

    def __str__(self) -> str:
        return f"{self.url} did not answer: {self.reason}"


@dataclass(eq=False, kw_only=True)
class UnreadableFile(LampyrisError):
    code = "unreadable-file"
    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.path} {self.reason}."


@dataclass(frozen=True, kw_only=True)
class Payload:
    """A body to predict on."""

    data: bytes
    content_type: str


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A prediction. `elapsed_ms` is the whole call as the caller saw it; `parts_ms` what the server said."""

    body: bytes
    elapsed_ms: float
    parts_ms: dict[str, float]

    @property
    def document(self) -> dict[str, Any]:
        """The prediction, where it was asked for as JSON."""
        document: dict[str, Any] = msgspec.json.decode(self.body)
        return document


def read_payload(path: Path) -> Payload:
    """Read a file that a model is to answer: a picture, or rows of inputs.

    Raises: UnreadableFile.
    """
    content_type = CONTENT_TYPES.get(path.suffix.lower())
    if content_type is None:
        raise UnreadableFile(path=path, reason=f"is none of {', '.join(CONTENT_TYPES)}")
    try:
        return Payload(data=path.read_bytes(), content_type=content_type)
    except OSError as error:
        raise UnreadableFile(
            path=path, reason=f"cannot be read: {(error.strerror or str(error)).lower()}"
        ) from None


def read_pictures(paths: Sequence[Path]) -> Payload:
    """Read pictures that a model is to answer in one request, as a form (multipart/form-data).

    Raises: UnreadableFile.
    """
    files = []
    for path in paths:
        picture = read_payload(path)
        if not picture.content_type.startswith("image/"):
            raise UnreadableFile(path=path, reason="is no picture; only pictures go out together")
        files.append(("file", (path.name, picture.data, picture.content_type)))
    form = httpx.Request("POST", "http://unused", files=files)
    return Payload(data=form.read(), content_type=form.headers["content-type"])


class Client:
    """A connection to a deployment's API, or to a folder's models in this process; a context manager."""

    def __init__(self, deployment: Deployment) -> None:
        self._http = connect(deployment)
        # What stays in this process may have any size.
        self._post: Callable[..., httpx.Response] = (
            httpx.Client.post if deployment.api_url is None else large_bodies.post
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._http.close()

    def predict(
        self,
        model: str,
        payload: Payload,
        *,
        version: int | str | None = None,
        top: int | None = None,
        accept: str = JSON,
    ) -> Answer:
        """Ask a model; the version that `live` names, or one by its number or by another alias.

        `top` is how many of a classifier's labels to tell, best first; `accept` the answer's media type.
        Raises: Refused, NoAnswer.
        """
        name = model if version is None else f"{model}/versions/{version}"
        started = time.perf_counter()
        try:
            response = self._post(
                self._http,
                f"/models/{name}/predict",
                content=payload.data,
                params={} if top is None else {"top": str(top)},
                headers={"content-type": payload.content_type, "accept": accept},
            )
        except httpx.TransportError as error:
            raise NoAnswer(url=str(self._http.base_url), reason=str(error) or type(error).__name__) from None
        elapsed_ms = (time.perf_counter() - started) * 1e3
        if not response.is_success:
            raise refusal(response)
        return Answer(
            body=response.content,
            elapsed_ms=elapsed_ms,
            parts_ms=read_server_timing(response.headers.get("server-timing", "")),
        )


def connect(deployment: Deployment) -> httpx.Client:
    """Open a connection that signs what it sends, where that is needed."""
    if deployment.api_url is None:
        # onnxruntime is behind it, which a call over HTTP can do without.
        from lampyris_local.folder.predict import PredictHere  # noqa: PLC0415 - see above

        return httpx.Client(base_url="http://folder", transport=PredictHere(deployment.store))
    return httpx.Client(
        base_url=deployment.api_url,
        auth=deployment.sign,
        timeout=_TIMEOUT,
        # What needs no signature is on this machine, and a proxy in the environment leads away from it.
        trust_env=deployment.sign is not None,
    )


class _Problem(msgspec.Struct, frozen=True):
    """The parts of a problem document that are for people. API Gateway's own answers hold only `message`."""

    code: str = ""
    detail: str = ""
    message: str = ""


def refusal(response: httpx.Response) -> Refused:
    """Read why the API refused."""
    try:
        problem = msgspec.json.decode(response.content, type=_Problem)
    except msgspec.DecodeError:
        problem = _Problem()
    return Refused(
        status=response.status_code,
        problem=problem.code or f"http-{response.status_code}",
        detail=problem.detail
        or problem.message
        or f"The API answered {response.status_code} without a reason.",
    )


def read_server_timing(header: str) -> dict[str, float]:
    """Read a Server-Timing header: the milliseconds of each part, in its order."""
    return {name: float(milliseconds) for name, milliseconds in _TIMING.findall(header)}
