"""Clients as people write them for TensorFlow Serving, against real HTTP."""

import base64
import json
from io import BytesIO
from typing import Any
from urllib.request import Request, urlopen

import httpx
import numpy as np
import pytest
import requests
from PIL import Image


@pytest.fixture
def server(address: str, publish_half_plus_two: Any, publish_picture: Any) -> str:
    publish_half_plus_two()
    publish_picture()
    return f"http://{address}"


def test_curls_form_content_type_is_no_hindrance(server: str) -> None:
    """Curl -d says application/x-www-form-urlencoded; the documentation's calls do not say otherwise."""
    request = Request(
        f"{server}/v1/models/half_plus_two:predict", data=b'{"instances": [1.0, 2.0, 5.0]}', method="POST"
    )

    with urlopen(request) as response:
        assert json.load(response) == {"predictions": [2.5, 3.0, 4.5]}


def test_requests_gets_predictions_as_tutorials_have_it(server: str) -> None:
    data = json.dumps({"signature_name": "serving_default", "instances": np.array([1.0, 2.0, 5.0]).tolist()})
    headers = {"content-type": "application/json"}

    json_response = requests.post(
        f"{server}/v1/models/half_plus_two:predict", data=data, headers=headers, timeout=10
    )

    predictions = json.loads(json_response.text)["predictions"]
    assert predictions == [2.5, 3.0, 4.5]


def test_the_resnet_clients_picture_gets_an_answer(server: str) -> None:
    file = BytesIO()
    Image.new("RGB", (32, 32), "white").save(file, "JPEG")
    jpeg_bytes = base64.b64encode(file.getvalue()).decode("utf-8")
    predict_request = f'{{"instances" : [{{"b64": "{jpeg_bytes}"}}]}}'

    response = requests.post(f"{server}/v1/models/picture:predict", data=predict_request, timeout=10)
    response.raise_for_status()

    assert response.json()["predictions"] == [[0.0, 1.0]]


def test_httpx_walks_the_whole_api(server: str) -> None:
    with httpx.Client(base_url=server) as client:
        status = client.get("/v1/models/half_plus_two").json()
        metadata = client.get("/v1/models/half_plus_two/versions/1/metadata").json()
        encoded = client.post("/v1/models/half_plus_two%3Apredict", json={"instances": [1.0]})
        columns = client.post("/v1/models/half_plus_two/labels/live:predict", json={"inputs": {"x": [1.0]}})
        numbers = client.post("/v1/models/half_plus_two:regress", json={"examples": [{"x": 1.0}]})

    assert status["model_version_status"][0]["state"] == "AVAILABLE"
    assert metadata["model_spec"]["version"] == "1"
    assert encoded.json() == {"predictions": [2.5]}
    assert columns.json() == {"outputs": [2.5]}
    assert numbers.json() == {"results": [2.5]}


def test_an_unknown_model_is_404_with_an_error(server: str) -> None:
    response = httpx.post(f"{server}/v1/models/half:predict", json={"instances": [1.0, 5.0]})

    assert response.status_code == 404
    assert response.json()["error"] == "There is no model 'half'."
