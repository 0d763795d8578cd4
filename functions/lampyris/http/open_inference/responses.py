"""From a prediction to the answer: each output as JSON, or as bytes behind the JSON."""

import msgspec

from lampyris.domain.signature import Signature
from lampyris.domain.tensors import Array
from lampyris.errors import InvalidTensor
from lampyris.http.open_inference.binary_data import bytes_of
from lampyris.http.open_inference.messages import (
    BinaryData,
    InferRequest,
    InferResponse,
    OutputParameters,
    WireTensor,
)
from lampyris.http.open_inference.requests import HEADER_LENGTH
from lampyris.http.reply import Reply, json_reply
from lampyris.serving.infer import Prediction

_BINARY = "application/octet-stream"
_AS_USUAL = OutputParameters()


def wanted_outputs(wire: InferRequest, signature: Signature) -> dict[str, OutputParameters]:
    """Return the outputs that a request selects, by name, with how it wants them; all where it names none.

    Raises: InvalidTensor if the model has no such output, or cannot send it so.
    """
    specs = {spec.name: spec for spec in signature.outputs}
    if not wire.outputs:
        return dict.fromkeys(specs, _AS_USUAL)
    wanted: dict[str, OutputParameters] = {}
    for output in wire.outputs:
        if output.name not in specs:
            raise InvalidTensor(
                tensor=output.name, reason=f"the model has no such output; it gives {', '.join(specs)}."
            )
        if output.name in wanted:
            raise InvalidTensor(tensor=output.name, reason="this output is asked for twice; name each once.")
        parameters = output.parameters or _AS_USUAL
        if parameters.shared_memory_region is not None:
            raise InvalidTensor(
                tensor=output.name,
                reason="it cannot be written to shared memory; leave shared_memory_region out.",
            )
        if parameters.classification and specs[output.name].datatype == "BYTES":
            raise InvalidTensor(
                tensor=output.name, reason="classification is for numbers, and this output holds strings."
            )
        wanted[output.name] = parameters
    return wanted


def infer_reply(prediction: Prediction, wire: InferRequest, wanted: dict[str, OutputParameters]) -> Reply:
    """Answer a request with its prediction."""
    signature = prediction.manifest.signature
    datatypes = {spec.name: spec.datatype for spec in signature.outputs}
    usually_binary = wire.parameters is not None and wire.parameters.binary_data_output is True
    tensors: list[WireTensor] = []
    blocks: list[bytes] = []
    for name, answered in prediction.outputs.items():
        parameters, datatype, values = wanted[name], datatypes[name], answered
        if parameters.classification:
            datatype, values = "BYTES", _classified(name, answered, parameters.classification, signature)
        if usually_binary if parameters.binary_data is None else parameters.binary_data:
            block = bytes_of(values)
            blocks.append(block)
            data, behind = None, BinaryData(binary_data_size=len(block))
        else:
            data, behind = values.ravel().tolist(), None
        tensors.append(
            WireTensor(name=name, shape=values.shape, datatype=datatype, data=data, parameters=behind)
        )
    response = InferResponse(
        model_name=prediction.manifest.model,
        model_version=str(prediction.manifest.version),
        outputs=tuple(tensors),
        id=wire.id,
    )
    if not blocks:
        return json_reply(response)
    header = msgspec.json.encode(response)
    return Reply(
        body=b"".join((header, *blocks)), media_type=_BINARY, headers={HEADER_LENGTH: str(len(header))}
    )


def _classified(output: str, values: Array, count: int, signature: Signature) -> Array:
    from lampyris.http.open_inference.classification import top_classes  # noqa: PLC0415 - few ask for it

    return top_classes(values, count, signature.labels if output == signature.outputs[0].name else None)
