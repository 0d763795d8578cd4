"""The messages of the API. Unknown members of requests are passed over, as in TensorFlow Serving."""

from typing import Any

import msgspec

from lampyris.errors import MalformedRequest

SERVING_DEFAULT = "serving_default"
METHOD_PREFIX = "tensorflow/serving/"


class PredictRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `:predict`: inputs by row or by column.

    `instances` has a value for each row, or an object of values by input name. `inputs` is the value of the
    one input, or an object of values by input name. A value is nested as its tensor is shaped.
    """

    signature_name: str = SERVING_DEFAULT
    instances: list[Any] | msgspec.UnsetType = msgspec.UNSET
    inputs: Any = msgspec.UNSET


class RowPredictResponse(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to `instances`: for each row a value, or an object of values by output name."""

    predictions: list[Any]


class ColumnPredictResponse(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to `inputs`: the value of the one output, or an object of values by output name."""

    outputs: Any


class ExamplesRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `:classify` and `:regress`: features by input name.

    A feature is a value, or a flat list of values. Those of `context` belong to every example.
    """

    examples: list[dict[str, Any]]
    signature_name: str = SERVING_DEFAULT
    context: dict[str, Any] = {}


class ClassifyResponse(msgspec.Struct, frozen=True, kw_only=True):
    """For each example a score for each label, in the order of the model's labels."""

    results: list[list[tuple[str, float | None]]]


class RegressResponse(msgspec.Struct, frozen=True, kw_only=True):
    """For each example a number."""

    results: list[float | None]


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What hinders a version: nothing."""

    error_code: str = "OK"
    error_message: str = ""


class ModelVersionStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A version that exists answers requests, be it loaded yet or not."""

    version: str
    state: str = "AVAILABLE"
    status: Status = Status()


class ModelStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The status of the version that was named, or of all, highest first."""

    model_version_status: list[ModelVersionStatus]


class Dimension(msgspec.Struct, frozen=True, kw_only=True):
    """A dimension; "-1" is any size. protobuf's JSON has 64-bit integers as strings."""

    size: str
    name: str = ""


class TensorShape(msgspec.Struct, frozen=True, kw_only=True):
    dim: list[Dimension]
    unknown_rank: bool = False


class TensorInfo(msgspec.Struct, frozen=True, kw_only=True):
    """An input or output: `dtype` is TensorFlow's, DT_FLOAT and so on."""

    dtype: str
    tensor_shape: TensorShape
    name: str


class SignatureDef(msgspec.Struct, frozen=True, kw_only=True):
    """What a model takes and gives, by name."""

    inputs: dict[str, TensorInfo]
    outputs: dict[str, TensorInfo]
    method_name: str = f"{METHOD_PREFIX}predict"


class SignatureDefMap(msgspec.Struct, frozen=True, kw_only=True):
    """Signatures by name; a model has one, `serving_default`."""

    signature_def: dict[str, SignatureDef]


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    signature_def: SignatureDefMap


class ModelSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Which version of which model."""

    name: str
    version: str
    signature_name: str = ""


class ModelMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `/metadata`."""

    model_spec: ModelSpec
    metadata: Metadata


def check_signature_name(name: str, method: str) -> None:
    """Take a model's one signature by its name, or by that of its method, as `regress` is called in examples.

    Raises: MalformedRequest, as TensorFlow Serving refuses a signature that a model does not have.
    """
    if name not in {"", SERVING_DEFAULT, METHOD_PREFIX + method}:
        raise MalformedRequest(
            reason=f"signature_name is {name!r}; the model has one signature, {SERVING_DEFAULT!r}. "
            "Name that one, or none."
        )
