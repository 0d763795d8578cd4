"""The paths of the API in OpenAPI's words, protocol by protocol.

A protocol's function gets `ref`, which refers to the schema of one of its messages, and returns path items.
"""

from collections.abc import Callable
from typing import Any

from lampyris.http.control.operations import (
    BINARY,
    JSON,
    Schema,
    in_path,
    named,
    operation,
    response,
)
from lampyris.http.control.uploads import Upload
from lampyris.http.open_inference import messages as open_inference_messages
from lampyris.http.open_inference import metadata as open_inference_metadata
from lampyris.http.predictions.answers import PredictResponse
from lampyris.http.predictions.media_types import CSV, FORMS, IMAGES, NDJSON, NPY
from lampyris.http.predictions.rows import PredictRequest
from lampyris.http.tensorflow_serving import messages as tensorflow_messages

Ref = Callable[[Any], Schema]
PathItems = dict[str, dict[str, Schema]]

# The messages of each protocol, by the prefix of their schemas' names.
MESSAGES: dict[str, tuple[Any, ...]] = {
    "": (PredictRequest, PredictResponse, Upload),
    "OpenInference": (
        open_inference_messages.InferRequest,
        open_inference_messages.InferResponse,
        open_inference_metadata.ModelMetadata,
        list[open_inference_metadata.IndexedVersion],
    ),
    "TensorFlowServing": (
        tensorflow_messages.PredictRequest,
        tensorflow_messages.RowPredictResponse,
        tensorflow_messages.ColumnPredictResponse,
        tensorflow_messages.ExamplesRequest,
        tensorflow_messages.ClassifyResponse,
        tensorflow_messages.RegressResponse,
        tensorflow_messages.ModelStatus,
        tensorflow_messages.ModelMetadata,
    ),
}
_TEXT: Schema = {"type": "string"}
_OBJECT: Schema = {"type": "object"}


def _members(**types: str) -> Schema:
    """An object with these members, all of them."""
    return {
        "type": "object",
        "properties": {name: {"type": type_} for name, type_ in types.items()},
        "required": list(types),
    }


def predictions(ref: Ref) -> PathItems:
    """`/models/{model}/predict`, by media type."""
    form = {
        "type": "object",
        "description": "One file, or several images in their order.",
        "minProperties": 1,
    }
    takes = {
        JSON: ref(PredictRequest),
        **dict.fromkeys(IMAGES, BINARY),
        CSV: _TEXT,
        NDJSON: _TEXT,
        NPY: BINARY,
        **dict.fromkeys(FORMS, form),
    }
    answers = {JSON: ref(PredictResponse), CSV: _TEXT, NDJSON: _TEXT, NPY: BINARY}
    places = {
        "/models/{model}/predict": ("predict", ["model"]),
        "/models/{model}/versions/{version}/predict": ("predictWithVersion", ["model", "version"]),
    }
    return {
        path: {
            "post": operation(
                operation_id,
                "predictions",
                "Predict, on what the Content-Type says; the answer is what Accept asks for",
                takes=takes,
                answers=answers,
                parameters=[*in_path(*names), *named("top", "output")],
            )
        }
        for path, (operation_id, names) in places.items()
    }


def open_inference(ref: Ref) -> PathItems:
    """The Open Inference Protocol, `/v2`."""
    tag, binary = "open inference protocol", "application/octet-stream"

    def get(operation_id: str, summary: str, schema: Schema, *names: str) -> dict[str, Schema]:
        described = operation(operation_id, tag, summary, answers={JSON: schema}, parameters=in_path(*names))
        return {"get": described}

    items: PathItems = {
        "/v2": get(
            "serverMetadata",
            "What the server is, and which extensions it has",
            _members(name="string", version="string", extensions="array"),
        ),
        "/v2/health/live": get("serverLive", "Whether the server runs", _members(live="boolean")),
        "/v2/health/ready": get("serverReady", "Whether the server answers", _members(ready="boolean")),
        "/v2/repository/index": {
            "post": operation(
                "repositoryIndex",
                tag,
                "Which versions of which models there are",
                answers={JSON: ref(list[open_inference_metadata.IndexedVersion])},
            )
        },
    }
    for suffix, path, names in (
        ("", "/v2/models/{model}", ["model"]),
        ("WithVersion", "/v2/models/{model}/versions/{version}", ["model", "version"]),
    ):
        metadata = ref(open_inference_metadata.ModelMetadata)
        ready = _members(name="string", ready="boolean")
        config = _members(name="string", platform="string", backend="string", input="array", output="array")
        items |= {
            path: get(f"modelMetadata{suffix}", "What a model takes and gives", metadata, *names),
            f"{path}/ready": get(f"modelReady{suffix}", "Load a model, and say that it is", ready, *names),
            f"{path}/config": get(f"modelConfig{suffix}", "A model as Triton describes it", config, *names),
            f"{path}/infer": {
                "post": operation(
                    f"infer{suffix}",
                    tag,
                    "Predict on tensors, in JSON or as bytes behind it",
                    takes={JSON: ref(open_inference_messages.InferRequest), binary: BINARY},
                    answers={JSON: ref(open_inference_messages.InferResponse), binary: BINARY},
                    parameters=[*in_path(*names), *named("header-length")],
                    headers=["Inference-Header-Content-Length"],
                )
            },
        }
    return items


def tensorflow_serving(ref: Ref) -> PathItems:
    """TensorFlow Serving's REST API, `/v1`."""
    tag = "tensorflow serving"
    rows = ref(tensorflow_messages.RowPredictResponse)
    columns = ref(tensorflow_messages.ColumnPredictResponse)
    examples = ref(tensorflow_messages.ExamplesRequest)
    methods: dict[str, tuple[str, Schema, Schema]] = {
        "predict": (
            "Predict on instances, or on inputs by column",
            ref(tensorflow_messages.PredictRequest),
            {"anyOf": [rows, columns]},
        ),
        "classify": ("Score each label", examples, ref(tensorflow_messages.ClassifyResponse)),
        "regress": ("Predict a number", examples, ref(tensorflow_messages.RegressResponse)),
    }
    items: PathItems = {}
    for suffix, path, names in (
        ("", "/v1/models/{model}", ["model"]),
        ("WithVersion", "/v1/models/{model}/versions/{number}", ["model", "number"]),
        ("WithLabel", "/v1/models/{model}/labels/{label}", ["model", "label"]),
    ):
        for operation_id, below, summary, schema in (
            ("tfModelStatus", "", "Whether a model is there", tensorflow_messages.ModelStatus),
            ("tfModelMetadata", "/metadata", "What a model takes", tensorflow_messages.ModelMetadata),
        ):
            items[path + below] = {
                "get": operation(
                    operation_id + suffix,
                    tag,
                    summary,
                    answers={JSON: ref(schema)},
                    parameters=in_path(*names),
                )
            }
        for method, (summary, request, answer) in methods.items():
            items[f"{path}:{method}"] = {
                "post": operation(
                    f"tf{method.capitalize()}{suffix}",
                    tag,
                    summary,
                    takes={JSON: request},
                    answers={JSON: answer},
                    parameters=in_path(*names),
                )
            }
    return items


def control(ref: Ref) -> PathItems:
    """What is asked of the deployment."""
    problems = {name: {"$ref": "#/components/responses/Problem"} for name in ("4XX", "5XX")}
    opened = response("Where to put the body.", {JSON: ref(Upload)}, ["Location"])
    return {
        "/uploads": {
            "post": {
                "operationId": "openUpload",
                "tags": ["deployment"],
                "summary": "Get an address for a body that is too large for a request",
                "responses": {"201": opened, **problems},
            }
        },
        "/openapi.json": {
            "get": {
                "operationId": "openapi",
                "tags": ["deployment"],
                "summary": "This document",
                "responses": {"200": response("It.", {JSON: _OBJECT}), **problems},
            }
        },
    }
