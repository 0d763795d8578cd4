"""The messages of the protocol, as JSON carries them."""

from collections.abc import Mapping
from typing import Any

import msgspec

from lampyris.domain.manifest import Manifest
from lampyris.domain.signature import Signature, TensorSpec
from lampyris.domain.tensors import Array, Tensor, array_of, tensor_of
from lampyris.errors import InvalidTensor
from lampyris.http.json_body import decode_body
from lampyris.serving.infer import Prediction

PLATFORM = "onnxruntime_onnx"


class RequestedOutput(msgspec.Struct, frozen=True, kw_only=True):
    name: str


class InferRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `POST /v2/models/{model}/infer`."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[RequestedOutput, ...] = ()
    id: str | None = None

    def arrays(self) -> dict[str, Array]:
        """Return the inputs by name. Raises: InvalidTensor."""
        arrays = {tensor.name: array_of(tensor) for tensor in self.inputs}
        if len(arrays) < len(self.inputs):
            raise InvalidTensor(tensor=self.inputs[0].name, reason="an input is named twice; name each once.")
        return arrays

    def wanted(self, signature: Signature) -> tuple[str, ...]:
        """Return the names of the selected outputs. Raises: InvalidTensor if the model has no such one."""
        known = [spec.name for spec in signature.outputs]
        for output in self.outputs:
            if output.name not in known:
                raise InvalidTensor(
                    tensor=output.name, reason=f"the model has no such output; it gives {', '.join(known)}."
                )
        return tuple(output.name for output in self.outputs)


class InferResponse(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Its answer."""

    model_name: str
    model_version: str
    outputs: tuple[Tensor, ...]
    id: str | None = None


class ModelMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `GET /v2/models/{model}`."""

    name: str
    versions: tuple[str, ...]
    platform: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


_decode = msgspec.json.Decoder(InferRequest).decode


def infer_request(body: str | bytes) -> InferRequest:
    """Parse a request. Raises: MalformedRequest saying where it departs from the protocol."""
    return decode_body(_decode, body)


def infer_response(prediction: Prediction, request_id: str | None) -> InferResponse:
    return InferResponse(
        model_name=prediction.manifest.model,
        model_version=str(prediction.manifest.version),
        outputs=output_tensors(prediction.manifest.signature, prediction.outputs),
        id=request_id,
    )


def output_tensors(signature: Signature, outputs: Mapping[str, Array]) -> tuple[Tensor, ...]:
    """Put outputs on the wire, in the order in which they were asked for."""
    specs = {spec.name: spec for spec in signature.outputs}
    return tuple(tensor_of(specs[name], values) for name, values in outputs.items())


def model_metadata(manifest: Manifest, versions: list[int]) -> ModelMetadata:
    return ModelMetadata(
        name=manifest.model,
        versions=tuple(str(version) for version in versions),
        platform=PLATFORM,
        inputs=manifest.signature.inputs,
        outputs=manifest.signature.outputs,
    )


def server_metadata(version: str) -> dict[str, Any]:
    return {"name": "lampyris", "version": version, "extensions": []}
