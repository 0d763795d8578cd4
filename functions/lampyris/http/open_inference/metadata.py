"""What the protocol tells of the server and its models."""

from typing import Any

import msgspec

import lampyris
from lampyris.bootstrap import Serving
from lampyris.domain.manifest import Manifest
from lampyris.domain.names import LIVE
from lampyris.domain.signature import TensorSpec
from lampyris.errors import RouteNotFound
from lampyris.http.event import Request
from lampyris.registry.documents import list_models

PLATFORM = "onnxruntime_onnx"
EXTENSIONS = ("binary_tensor_data", "classification", "model_configuration")


class ModelMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `GET /v2/models/{model}`."""

    name: str
    versions: tuple[str, ...]
    platform: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


class IndexedVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A line of `POST /v2/repository/index`. What is published can be asked, so all is ready."""

    name: str
    version: str
    state: str = "READY"
    reason: str = ""


def about(request: Request, serving: Serving, path: list[str]) -> Any:
    """Answer what stands below `/v2` and is no inference.

    Raises: RouteNotFound, MethodNotAllowed; what resolving or loading a model raises.
    """
    match path:
        case ["repository", "index"]:
            request.expect("POST")
            return repository_index(serving)
        case ["models", model, "versions", version, *rest]:
            return _about_model(request, serving, model, version, rest)
        case ["models", model, *rest]:
            return _about_model(request, serving, model, LIVE, rest)
    request.expect("GET")
    match path:
        case []:
            return server_metadata()
        case ["health", "live"]:
            return {"live": True}
        case ["health", "ready"]:
            return {"ready": True}
        case _:
            raise RouteNotFound(method=request.method, path=request.path)


def _about_model(request: Request, serving: Serving, model: str, version: str, path: list[str]) -> Any:
    request.expect("GET")
    if path not in ([], ["ready"], ["config"]):
        raise RouteNotFound(method=request.method, path=request.path)
    manifest = serving.resolve(model, version, request.trace)
    if path == ["ready"]:  # which it is once its session is made
        serving.inference.load(manifest, deadline_s=request.deadline_s)
        return {"name": model, "ready": True}
    if path == ["config"]:
        return model_configuration(manifest)
    return model_metadata(manifest, serving.living.versions(model))


def server_metadata() -> dict[str, Any]:
    return {"name": "lampyris", "version": lampyris.__version__, "extensions": EXTENSIONS}


def model_metadata(manifest: Manifest, versions: list[int]) -> ModelMetadata:
    return ModelMetadata(
        name=manifest.model,
        versions=tuple(str(version) for version in versions),
        platform=PLATFORM,
        inputs=manifest.signature.inputs,
        outputs=manifest.signature.outputs,
    )


def model_configuration(manifest: Manifest) -> dict[str, Any]:
    """Describe a model as Triton's configuration does, for clients that look there for its inputs.

    `max_batch_size` 0 says that `dims` are whole shapes, rows included.
    Source: Triton's model configuration extension, and model_config.proto.
    """
    return {
        "name": manifest.model,
        "platform": PLATFORM,
        "backend": "onnxruntime",
        "max_batch_size": 0,
        "input": [_configured(spec) for spec in manifest.signature.inputs],
        "output": [_configured(spec) for spec in manifest.signature.outputs],
    }


def _configured(spec: TensorSpec) -> dict[str, Any]:
    datatype = "STRING" if spec.datatype == "BYTES" else spec.datatype
    return {"name": spec.name, "data_type": f"TYPE_{datatype}", "dims": spec.shape}


def repository_index(serving: Serving) -> list[IndexedVersion]:
    return [
        IndexedVersion(name=model, version=str(version))
        for model in list_models(serving.store)
        for version in serving.living.versions(model)
    ]
