"""`sam local start-api` against the local cloud: the same HTTP requests, the same answers.

Binary bodies are left to test_invoke.py: start-api answers them with 502 whatever the function says.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from obstore.store import S3Store

from lampyris_local.cloud.gateway import HttpRequest
from lampyris_local.cloud.local_cloud import LocalCloud

pytestmark = pytest.mark.sam


@dataclass(frozen=True)
class Call:
    """A request, and the status that it must get."""

    status: int
    method: str
    path: str
    body: str = ""
    media_type: str = "application/json"

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.status}"


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        """The body without the request's id, which is another each time."""
        return {name: value for name, value in json.loads(self.body).items() if name != "request_id"}


def ask_sam(api: str, call: Call) -> Answer:
    headers = {"content-type": call.media_type}
    response = httpx.request(call.method, api + call.path, headers=headers, content=call.body, timeout=60)
    return Answer(status=response.status_code, headers=response.headers, body=response.content)


def ask_local_cloud(cloud: LocalCloud, call: Call) -> Answer:
    path, _, query = call.path.partition("?")
    response = cloud.request(
        HttpRequest(
            method=call.method,
            path=path,
            query=query,
            headers=[("content-type", call.media_type)],
            body=call.body.encode(),
        )
    )
    headers = {name.lower(): value for name, value in response.headers}
    return Answer(status=response.status, headers=headers, body=response.body)


IMAGE = {"name": "image", "shape": [1, 4, 4, 1], "datatype": "UINT8", "data": list(range(16))}
INFER = json.dumps({"id": "a", "inputs": [IMAGE]})
SHORT = json.dumps({"inputs": [{**IMAGE, "data": [1, 2]}]})
MISNAMED = json.dumps({"inputs": [{**IMAGE, "name": "imgae"}]})
WRONG_TYPE = json.dumps({"inputs": [{**IMAGE, "datatype": "FP32"}]})
ROWS = json.dumps({"inputs": [[[[pixel] for pixel in range(4)]] * 4]})
TABLE = ",".join(map(str, range(16))) + "\n"
INSTANCES = json.dumps({"instances": [[[[pixel] for pixel in range(4)]] * 4]})
CALLS = [
    Call(200, "GET", "/v2"),
    Call(200, "GET", "/v2/health/live"),
    Call(200, "GET", "/v2/health/ready"),
    Call(200, "GET", "/v2/models/glow"),
    Call(200, "GET", "/v2/models/glow/ready"),
    Call(200, "GET", "/v2/models/glow/versions/1"),
    Call(200, "POST", "/v2/models/glow/infer", INFER),
    Call(200, "POST", "/v2/models/glow/versions/1/infer", INFER),
    Call(200, "POST", "/models/glow/predict", ROWS),
    Call(200, "POST", "/models/glow/predict", TABLE, "text/csv"),
    Call(200, "POST", "/models/glow/versions/live/predict?output=probabilities", ROWS),
    Call(200, "POST", "/v1/models/glow:predict", INSTANCES),
    Call(200, "POST", "/v1/models/glow/labels/live:predict", INSTANCES),
    Call(200, "GET", "/v1/models/glow"),
    Call(200, "GET", "/v1/models/glow/versions/1/metadata"),
    Call(200, "GET", "/openapi.json"),
    Call(400, "POST", "/models/glow/predict?upload=x"),
    Call(404, "POST", "/models/glow/predict?upload=0123456789abcdef0123456789abcdef"),
    Call(400, "POST", "/v2/models/glow/infer", "{"),
    Call(404, "POST", "/v2/models/dusk/infer", INFER),
    Call(404, "POST", "/v2/models/glow/versions/9/infer", INFER),
    Call(404, "GET", "/nowhere"),
    Call(405, "DELETE", "/models/glow/predict"),
    Call(405, "GET", "/uploads"),
    Call(415, "POST", "/models/glow/predict", "<rows/>", "text/xml"),
    Call(422, "POST", "/v2/models/glow/infer", SHORT),
    Call(422, "POST", "/v2/models/glow/infer", MISNAMED),
    Call(422, "POST", "/v2/models/glow/infer", WRONG_TYPE),
]


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_api_answers_as_under_the_local_cloud(
    call: Call, sam_api: str, local_cloud: LocalCloud, local_bucket: S3Store
) -> None:
    by_sam = ask_sam(sam_api, call)
    locally = ask_local_cloud(local_cloud, call)

    assert by_sam.status == locally.status == call.status
    assert by_sam.headers["content-type"] == locally.headers["content-type"]
    assert ("server-timing" in by_sam.headers) == ("server-timing" in locally.headers)
    assert by_sam.document == locally.document


def test_upload_travels_through_the_bucket(sam_api: str, sam_bucket: S3Store) -> None:
    opened = httpx.post(f"{sam_api}/uploads", timeout=60)
    upload = opened.json()
    httpx.put(upload["url"], content=ROWS).raise_for_status()

    answer = httpx.post(
        f"{sam_api}/models/glow/predict",
        params={"upload": upload["upload"]},
        headers={"content-type": "application/json"},
        timeout=60,
    )

    assert opened.status_code == 201
    assert answer.status_code == 200
    assert len(answer.json()["outputs"][0]["data"]) == 3
