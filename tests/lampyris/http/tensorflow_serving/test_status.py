from datetime import UTC, datetime
from typing import Any

import pytest

from lampyris.domain.store import Store
from lampyris.registry.aliases import publish_to_alias
from lampyris.registry.changes import Author


def available(version: str) -> dict[str, Any]:
    return {"version": version, "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}


def test_the_status_of_a_model_lists_its_versions_highest_first(
    publish_half_plus_two: Any, call: Any
) -> None:
    for _ in range(11):
        publish_half_plus_two()

    answer = call("GET", "/v1/models/half_plus_two")

    assert answer.document == {
        "model_version_status": [available(str(version)) for version in range(11, 0, -1)]
    }


def test_the_status_of_a_version_or_a_label_is_one(
    publish_half_plus_two: Any, call: Any, store: Store
) -> None:
    first = publish_half_plus_two()
    publish_half_plus_two()
    publish_to_alias(
        store,
        first,
        alias="canary",
        author=Author(key="to test", by="a test"),
        now=datetime(2026, 1, 1, tzinfo=UTC),
    )

    documents = [
        call("GET", f"/v1/models/half_plus_two/{place}").document
        for place in ("versions/2", "labels/live", "labels/canary")
    ]

    assert documents == [{"model_version_status": [available(version)]} for version in ("2", "2", "1")]


def test_metadata_tells_inputs_and_outputs(publish_half_plus_two: Any, call: Any) -> None:
    publish_half_plus_two()

    def tensor(name: str) -> dict[str, Any]:
        dimensions = [{"size": "-1", "name": ""}]
        return {"dtype": "DT_FLOAT", "tensor_shape": {"dim": dimensions, "unknown_rank": False}, "name": name}

    answer = call("GET", "/v1/models/half_plus_two/metadata")

    assert answer.document == {
        "model_spec": {"name": "half_plus_two", "signature_name": "", "version": "1"},
        "metadata": {
            "signature_def": {
                "signature_def": {
                    "serving_default": {
                        "inputs": {"x": tensor("x")},
                        "outputs": {"y": tensor("y")},
                        "method_name": "tensorflow/serving/predict",
                    }
                }
            }
        },
    }


def test_metadata_may_be_of_a_version_or_a_label(publish_half_plus_two: Any, call: Any) -> None:
    publish_half_plus_two()
    publish_half_plus_two()

    versions = [
        call("GET", f"/v1/models/half_plus_two{place}/metadata").document["model_spec"]["version"]
        for place in ("", "/versions/1", "/labels/live")
    ]

    assert versions == ["2", "1", "2"]


def test_a_model_or_a_label_may_be_called_metadata(publish_echo: Any, call: Any, store: Store) -> None:
    manifest = publish_echo("FP32", (-1,), name="metadata")
    publish_to_alias(
        store,
        manifest,
        alias="metadata",
        author=Author(key="to test", by="a test"),
        now=datetime(2026, 1, 1, tzinfo=UTC),
    )

    for path in ("metadata", "metadata/labels/metadata"):
        assert call("GET", f"/v1/models/{path}").document == {"model_version_status": [available("1")]}
        assert "model_spec" in call("GET", f"/v1/models/{path}/metadata").document


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/models/nope", 404),
        ("/v1/models/nope/metadata", 404),
        ("/v1/models/NOPE", 400),
        ("/v1/models", 404),
        ("/v1/models/half_plus_two/versions", 404),
        ("/v1/models/half_plus_two/versions/2", 404),
        ("/v1/models/half_plus_two/versions/01", 404),
        ("/v1/models/half_plus_two/versions/live", 400),
        ("/v1/models/half_plus_two/labels/1", 400),
        ("/v1/models/half_plus_two/labels/canary", 404),
        ("/v1/models/half_plus_two/metadata/more", 404),
    ],
)
def test_what_is_not_there_is_told(publish_half_plus_two: Any, call: Any, path: str, status: int) -> None:
    publish_half_plus_two()

    answer = call("GET", path)

    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
