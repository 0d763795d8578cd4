"""`:classify` and `:regress`: examples of features in, scores by label or one number for each out."""

from typing import Any

from lampyris.domain.manifest import Manifest
from lampyris.domain.signature import Signature
from lampyris.domain.tensors import Array
from lampyris.errors import MalformedRequest, TaskNotSupported
from lampyris.http.tensorflow_serving.messages import ClassifyResponse, ExamplesRequest, RegressResponse
from lampyris.http.tensorflow_serving.predict import columns_of, inputs_of_rows, spec_named
from lampyris.http.tensorflow_serving.values import is_base64

_FLOATS = ("FP16", "FP32", "FP64")


def example_inputs(request: ExamplesRequest, signature: Signature) -> dict[str, Array]:
    """Turn examples into arrays by input name; a flat list of values takes the shape that its input wants.

    Raises: MalformedRequest, InvalidTensor, and what `decode_images` raises.
    """
    if not request.examples:
        raise MalformedRequest(reason="examples holds nothing; send one example at least.")
    for index, example in enumerate(request.examples):
        both = sorted(example.keys() & request.context.keys())
        if both:
            raise MalformedRequest(
                reason=f"Example {index} has {both[0]!r}, and so has context; send it in one of them."
            )
    columns = columns_of("Example", [request.context | example for example in request.examples])
    arrays = inputs_of_rows(
        signature, {name: [_feature(value, signature) for value in rows] for name, rows in columns.items()}
    )
    return {name: _shaped(values, spec_named(signature, name).shape) for name, values in arrays.items()}


def _feature(value: Any, signature: Signature) -> Any:
    """Make a list of a lone value, as it is the same feature; a picture stands alone, also out of a list."""
    values = value if type(value) is list else [value]
    is_picture = signature.image is not None and len(values) == 1 and is_base64(values[0])
    return values[0] if is_picture else values


def _shaped(values: Array, shape: tuple[int, ...]) -> Array:
    try:
        return values.reshape(len(values), *shape[1:])
    except ValueError:  # the check against the signature says what would be right
        return values


def check_classifies(manifest: Manifest) -> None:
    """Raises: TaskNotSupported unless the model has labels."""
    if manifest.signature.labels is None:
        raise TaskNotSupported(model=manifest.model, task="classify", reason="it has no labels")


def check_regresses(manifest: Manifest) -> None:
    """Raises: TaskNotSupported unless the model gives one floating-point number for each row."""
    outputs = manifest.signature.outputs
    if len(outputs) == 1:
        (output,) = outputs
        if output.datatype in _FLOATS and output.shape and all(size == 1 for size in output.shape[1:]):
            return
    gives = ", ".join(f"{output.name} ({output.datatype} {list(output.shape)})" for output in outputs)
    raise TaskNotSupported(
        model=manifest.model, task="regress", reason=f"it gives {gives}, not one float for each row"
    )


def classify_response(manifest: Manifest, scores: Array, examples: int) -> ClassifyResponse:
    """Pair scores, (N, labels), with labels. Raises: TaskNotSupported if they are not N rows."""
    labels = manifest.signature.labels or ()
    rows = scores.reshape(-1, len(labels)).tolist()
    _check_rows(manifest, "classify", len(rows), examples)
    return ClassifyResponse(results=[list(zip(labels, row, strict=True)) for row in rows])


def regress_response(manifest: Manifest, numbers: Array, examples: int) -> RegressResponse:
    """List one number for each example. Raises: TaskNotSupported if they are not as many."""
    _check_rows(manifest, "regress", numbers.size, examples)
    return RegressResponse(results=numbers.ravel().tolist())


def _check_rows(manifest: Manifest, task: str, rows: int, examples: int) -> None:
    if rows != examples:
        raise TaskNotSupported(
            model=manifest.model, task=task, reason=f"it gave {rows} rows for {examples} examples"
        )
