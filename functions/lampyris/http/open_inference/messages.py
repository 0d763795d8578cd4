"""The messages of the protocol, as JSON carries them.

Of `parameters` we know those that stand here. Any other is accepted and means nothing: `sequence_id`,
`priority` and `timeout` are for servers with queues; `content_type` (MLServer's) repeats the datatype, and
strings that it calls base64 reach the model as they are.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from lampyris.domain.datatypes import Datatype
from lampyris.domain.signature import Signature
from lampyris.domain.tensors import Array, Tensor, tensor_of


class BinaryData(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`parameters` of a tensor: its values stand behind the JSON, as so many bytes."""

    binary_data_size: int | None = None


class WireTensor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An input or output; its values are in `data` or, if that is None, behind the JSON."""

    name: str
    shape: tuple[int, ...]
    datatype: Datatype
    data: list[Any] | None = None
    parameters: BinaryData | None = None


class OutputParameters(msgspec.Struct, frozen=True, kw_only=True):
    """`parameters` of a requested output.

    `binary_data` says how it shall come, if not as the request says; `classification` asks for so many of
    its highest values, with labels. A region of shared memory cannot be written, and is refused.
    """

    binary_data: bool | None = None
    classification: Annotated[int, msgspec.Meta(ge=0)] = 0
    shared_memory_region: str | None = None


class RequestedOutput(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    parameters: OutputParameters | None = None


class RequestParameters(msgspec.Struct, frozen=True, kw_only=True):
    """`parameters` of a request: `binary_data_output` is for every output that does not say itself."""

    binary_data_output: bool | None = None


class InferRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The JSON of `POST /v2/models/{model}/infer`."""

    inputs: tuple[WireTensor, ...]
    outputs: tuple[RequestedOutput, ...] | None = None
    id: str | None = None
    parameters: RequestParameters | None = None


class InferResponse(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Its answer. Numbers that JSON cannot carry (NaN, infinity) are null in it; bytes keep them."""

    model_name: str
    model_version: str
    outputs: tuple[WireTensor, ...]
    id: str | None = None


def output_tensors(signature: Signature, outputs: Mapping[str, Array]) -> tuple[Tensor, ...]:
    """Put outputs on the wire, in the order in which they were asked for."""
    specs = {spec.name: spec for spec in signature.outputs}
    return tuple(tensor_of(specs[name], values) for name, values in outputs.items())
