"""From the API's JSON values, binary ones among them, to arrays, and from arrays to JSON values.

`{"b64": "..."}` stands for bytes: for a string of an input with BYTES; for a picture of an input that takes
pictures, in the place of its (height, width, channels) pixels. What is not finite becomes null: TensorFlow
Serving writes NaN and Infinity, which are not JSON.
"""

import binascii
from typing import Any, TypeGuard

import numpy as np

from lampyris.domain.signature import ImageSpec, Signature, TensorSpec
from lampyris.domain.tensors import Array, values_of
from lampyris.errors import InvalidImage, InvalidTensor

BASE64_KEY = "b64"
# TensorFlow has one type for text and bytes; by this ending an output says that it means bytes.
_BYTES_SUFFIX = "_bytes"
_MAX_RANK = 32


def is_base64(value: Any) -> TypeGuard[dict[str, str]]:
    """Tell whether a JSON value stands for bytes; any other object has values by name."""
    return type(value) is dict and len(value) == 1 and type(value.get(BASE64_KEY)) is str


def array_of_rows(signature: Signature, spec: TensorSpec, rows: list[Any]) -> Array:
    """Turn the values of an input, one for each instance, into an array with an instance to each row.

    Raises: InvalidTensor naming the instance that does not fit; what `decode_images` raises.
    """
    try:
        return array_of_value(signature, spec, rows)
    except InvalidTensor as error:
        raise _first_misfit(spec, rows) or error from None


def array_of_value(signature: Signature, spec: TensorSpec, value: Any) -> Array:
    """Turn the whole value of an input into an array of its datatype, shaped as the value is nested.

    Raises: InvalidTensor if a value does not fit the datatype, or if rows differ in length; what
        `decode_images` raises.
    """
    image = signature.image
    if image is not None and is_base64(value):
        return _pictures(image, [value]).squeeze(0)
    if image is not None and type(value) is list and any(type(item) is dict for item in value):
        return _pictures(image, value)
    return _tensor(spec, value)


def _tensor(spec: TensorSpec, value: Any) -> Array:
    if spec.datatype == "BYTES":
        value = _with_text(spec.name, value)
    if type(value) is not list:
        return values_of(spec.name, spec.datatype, [value]).reshape(())
    return values_of(spec.name, spec.datatype, value)


def _first_misfit(spec: TensorSpec, rows: list[Any]) -> InvalidTensor | None:
    """Look for the row that cannot be read, or that is shaped unlike the first."""
    first: tuple[int, ...] | None = None
    for index, row in enumerate(rows):
        try:
            shape = _tensor(spec, [row]).shape[1:]
        except InvalidTensor as error:
            return InvalidTensor(tensor=spec.name, reason=f"instance {index}: {error.reason}")
        if first is None:
            first = shape
        if shape != first:
            return InvalidTensor(
                tensor=spec.name,
                reason=f"instance {index} has shape {list(shape)}, instance 0 has {list(first)}; "
                "all must have the same.",
            )
    return None


def _pictures(image: ImageSpec, values: list[Any]) -> Array:
    """Decode pictures into one array, (N, height, width, channels)."""
    from lampyris.domain.images import decode_images  # noqa: PLC0415 - Pillow is for who sends pictures

    files = []
    for place, value in enumerate(values, start=1):
        if not is_base64(value):
            raise InvalidImage(
                reason=f"Image {place} is none, as others are; "
                f'send {{"{BASE64_KEY}": "..."}} for each, or pixels for each.'
            )
        try:
            files.append(_decoded(value))
        except ValueError:
            raise InvalidImage(reason=f"Image {place} is not base64 (RFC 4648, section 4).") from None
    return decode_images(files, image)


def _with_text(name: str, value: Any, depth: int = 0) -> Any:
    """Put text in the place of base64; deeper than a tensor can be nested, leave values to who converts."""
    if type(value) is list and depth < _MAX_RANK:
        return [_with_text(name, item, depth + 1) for item in value]
    if not is_base64(value):
        return value
    try:
        return _decoded(value).decode()
    except UnicodeDecodeError:
        reason = "a b64 value is not UTF-8, and onnxruntime's strings are; send text."
    except ValueError:
        reason = "a b64 value is not base64 (RFC 4648, section 4)."
    raise InvalidTensor(tensor=name, reason=reason)


def _decoded(value: dict[str, str]) -> bytes:
    """Decode base64, with or without padding and line breaks, as TensorFlow Serving does.

    Raises: ValueError, which binascii.Error is, and so is what it says of text outside of ASCII.
    """
    text = "".join(value[BASE64_KEY].split())
    return binascii.a2b_base64(text + "=" * (-len(text) % 4), strict_mode=True)


def json_of(name: str, values: Array) -> Any:
    """Turn an output into nested lists, or into one value if it has no dimensions."""
    if values.dtype.kind == "O" and name.endswith(_BYTES_SUFFIX):
        encoded = np.empty(values.shape, values.dtype)
        encoded.ravel()[:] = [
            {BASE64_KEY: binascii.b2a_base64(text.encode(), newline=False).decode()}
            for text in values.ravel().tolist()
        ]
        return encoded.tolist()
    return values.tolist()
