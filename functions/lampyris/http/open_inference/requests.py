"""From the body of an infer request to arrays: JSON, then the binary tensors that it names."""

from math import prod

import msgspec

from lampyris.domain.signature import DYNAMIC, Signature
from lampyris.domain.tensors import NUMPY_OF, Array, Tensor, array_of
from lampyris.errors import InvalidTensor, MalformedRequest
from lampyris.http.event import Request
from lampyris.http.json_body import decode_body
from lampyris.http.open_inference.binary_data import array_of_bytes
from lampyris.http.open_inference.messages import InferRequest, RequestParameters, WireTensor

HEADER_LENGTH = "inference-header-content-length"

_MAX_DIGITS = 10

_decode = msgspec.json.Decoder(InferRequest).decode


def read_request(request: Request, signature: Signature) -> tuple[InferRequest, dict[str, Array]]:
    """Return a request with its inputs by name.

    Raises: MalformedRequest saying where it departs from the protocol; InvalidTensor.
    """
    if HEADER_LENGTH not in request.headers:
        wire = _decode_whole(request.body)
        return wire, _arrays(wire.inputs, memoryview(b""))
    body = request.content
    length = _header_length(request, body)
    if length == 0:
        return _raw_request(body, signature)
    wire = decode_body(_decode, body[:length])
    return wire, _arrays(wire.inputs, memoryview(body)[length:])


def _decode_whole(body: str | bytes) -> InferRequest:
    try:
        return decode_body(_decode, body)
    except MalformedRequest as error:
        if isinstance(body, bytes) and b'"binary_data_size"' in body:
            hint = "Where binary tensors follow, Inference-Header-Content-Length says how long the JSON is."
            raise MalformedRequest(reason=f"{error} {hint}") from None
        raise


def _header_length(request: Request, body: bytes) -> int:
    came = request.headers[HEADER_LENGTH].strip()
    digits = came if came.isascii() and came.isdecimal() and len(came) <= _MAX_DIGITS else "-1"
    if not 0 <= int(digits) <= len(body):
        raise MalformedRequest(
            reason=f"The header Inference-Header-Content-Length is {came[:40]!r}; "
            f"it must be the length of the JSON, which is at most the body's {len(body):,} bytes."
        )
    if isinstance(request.body, str) and int(digits) < len(body):  # API Gateway has decoded it as UTF-8
        raise MalformedRequest(
            reason=f"Binary tensors came with Content-Type {request.media_type!r}, which is for text, "
            "and may be damaged; send application/octet-stream."
        )
    return int(digits)


def _arrays(tensors: tuple[WireTensor, ...], binary: memoryview) -> dict[str, Array]:
    arrays: dict[str, Array] = {}
    at = 0
    for tensor in tensors:
        name = tensor.name
        if name in arrays:
            raise InvalidTensor(tensor=name, reason="this input is given twice; give each once.")
        size_bytes = tensor.parameters.binary_data_size if tensor.parameters is not None else None
        if tensor.data is not None and size_bytes is None:
            arrays[name] = array_of(
                Tensor(name=name, shape=tensor.shape, datatype=tensor.datatype, data=tensor.data)
            )
        elif tensor.data is None and size_bytes is not None:
            if not 0 <= size_bytes <= len(binary) - at:
                raise InvalidTensor(
                    tensor=name,
                    reason=f"binary_data_size is {size_bytes:,}, but {len(binary) - at:,} bytes are left "
                    "behind the JSON. The header Inference-Header-Content-Length says where it ends.",
                )
            arrays[name] = array_of_bytes(name, tensor.datatype, tensor.shape, binary[at : at + size_bytes])
            at += size_bytes
        else:
            raise InvalidTensor(
                tensor=name,
                reason="give its values as data, or behind the JSON with the parameter binary_data_size; "
                "one of both.",
            )
    if at < len(binary):
        raise MalformedRequest(
            reason=f"The inputs' binary_data_size add up to {at:,}; {len(binary):,} bytes follow the JSON."
        )
    return arrays


def _raw_request(body: bytes, signature: Signature) -> tuple[InferRequest, dict[str, Array]]:
    """Read a body without JSON: the only input's bytes. Its shape follows where one size at most is open.

    A string comes without its length. Outputs are sent as bytes, as they are by Triton.
    """
    sizes = signature.inputs[0].shape if len(signature.inputs) == 1 else (DYNAMIC, DYNAMIC)
    if sizes.count(DYNAMIC) > 1:
        raise MalformedRequest(
            reason="A body without JSON (Inference-Header-Content-Length: 0) is for models with one input, "
            "of which one size at most is open. Send JSON that names the inputs and their shapes."
        )
    (spec,) = signature.inputs
    data = body
    if spec.datatype == "BYTES":
        data = len(body).to_bytes(4, "little") + body
        open_size = 1
    else:
        row_bytes = NUMPY_OF[spec.datatype].itemsize * prod(size for size in sizes if size != DYNAMIC)
        open_size = len(body) // max(1, row_bytes)
    shape = tuple(open_size if size == DYNAMIC else size for size in sizes)
    wire = InferRequest(inputs=(), parameters=RequestParameters(binary_data_output=True))
    return wire, {spec.name: array_of_bytes(spec.name, spec.datatype, shape, memoryview(data))}
