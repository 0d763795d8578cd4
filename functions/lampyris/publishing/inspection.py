"""Look into an uploaded file before onnxruntime may: is it ONNX, whole, in one file, of known operators?

onnxruntime is no sandbox: a tensor that points at another file would be read from wherever it points.
"""

import mmap
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError, Message  # type: ignore[import-untyped]  # has no stubs

from lampyris.errors import ExternalData, NotOnnx, UnsupportedModel
from lampyris.printable import printable

DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})

# What people upload instead, by the bytes at an offset.
_LOOK_ALIKES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"PK\x03\x04", "it is a zip archive, as torch.save writes; export the model with torch.onnx.export."),
    (0, b"\x80", "it is a pickle, as joblib and torch.save write; export the model to ONNX."),
    (0, b"\x89HDF", "it is HDF5, as Keras writes; convert it with tf2onnx."),
    (4, b"TFL3", "it is a TensorFlow Lite model; convert it with tf2onnx."),
    (4, b"ORTM", "it is in onnxruntime's own format; upload the .onnx that it was made from."),
    (0, b"GGUF", "it is GGUF, which onnxruntime does not read."),
    (8, b'{"', "it is a safetensors file: weights without a graph; export the model to ONNX."),
    (0, b"\x1f\x8b", "it is compressed with gzip; upload the .onnx itself."),
    (0, b"BZh", "it is compressed with bzip2; upload the .onnx itself."),
    (0, b"\xfd7zXZ", "it is compressed with xz; upload the .onnx itself."),
    (257, b"ustar", "it is a tar archive; upload the .onnx that is in it."),
    (0, b"\x93NUMPY", "it is an array of numpy's; export the model to ONNX."),
    (0, b"version https://git-lfs", "it is a Git LFS pointer; fetch the file itself with: git lfs pull"),
    (0, b"<", "it is HTML or XML, perhaps a download's error page."),
    (0, b"{", "it is JSON; upload the model file itself."),
)
_HEAD_BYTES = 264
_REASON_LENGTH = 400


def inspect(path: Path) -> None:
    """Refuse what is not an ONNX model of one file, in the standard's words.

    Raises: NotOnnx, ExternalData, UnsupportedModel.
    """
    _check_head(path)
    try:
        _check_contents(_parse(path))
        onnx.checker.check_model(str(path))
    except UnicodeDecodeError:
        raise NotOnnx(reason="a name in it is not text; it may be damaged.") from None
    except onnx.checker.ValidationError as error:
        raise UnsupportedModel(
            reason=f"The model breaks the ONNX standard: {printable(str(error), longest=_REASON_LENGTH)}"
        ) from None


def _check_head(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head:
        raise NotOnnx(reason="it is empty.")
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    for offset, magic, what in _LOOK_ALIKES:
        if head.startswith(magic, offset) or (offset == 0 and text.startswith(magic)):
            raise NotOnnx(reason=what)


def _parse(path: Path) -> onnx.ModelProto:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        # Mapped, not read: parsing copies every tensor once, and once is enough.
        view = memoryview(mapped)
        try:
            model: onnx.ModelProto = onnx.ModelProto.FromString(view)
        except DecodeError:
            raise NotOnnx(reason="it cannot be parsed; it may be cut short or damaged.") from None
        finally:
            view.release()
    if not model.ir_version or not model.graph.output:
        raise NotOnnx(reason="it holds no graph with an output.")
    return model


def _check_contents(model: onnx.ModelProto) -> None:
    functions = {(function.domain, function.name) for function in model.functions}
    for message in _messages(model):
        if isinstance(message, onnx.TensorProto):
            if message.data_location == onnx.TensorProto.EXTERNAL or message.external_data:
                raise ExternalData(tensor=message.name)
        elif isinstance(message, onnx.NodeProto) and (message.domain, message.op_type) not in functions:
            _check_domain(message)
    for value in chain(model.graph.input, model.graph.output):
        if value.type.HasField("tensor_type") and not value.type.tensor_type.HasField("shape"):
            raise UnsupportedModel(
                reason=f"Tensor {value.name!r} declares no shape; give it one, if of named dimensions."
            )


def _check_domain(node: onnx.NodeProto) -> None:
    if node.domain not in DOMAINS:
        raise UnsupportedModel(
            reason=f"Operator {node.op_type!r} is of domain {node.domain!r}; "
            "only those of ai.onnx, ai.onnx.ml and com.microsoft are served."
        )


def _messages(model: Message) -> Iterator[Message]:
    """Yield every message in a model, wherever it hides; tensors are not entered, so no data is copied."""
    waiting: list[Message] = [model]
    while waiting:
        message = waiting.pop()
        yield message
        if isinstance(message, onnx.TensorProto):
            continue
        fields = (value for field, value in message.ListFields() if field.message_type is not None)
        waiting.extend(
            chain.from_iterable([value] if isinstance(value, Message) else value for value in fields)
        )
