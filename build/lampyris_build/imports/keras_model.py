"""A trained Keras model, or a SavedModel of TensorFlow. Both need the extra `keras`, which is large."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from lampyris.domain.datatypes import Datatype
from lampyris.domain.signature import DYNAMIC, TensorSpec
from lampyris.domain.tensors import NUMPY_OF
from lampyris_build.data.dataset import Inputs
from lampyris_build.errors import ConversionFailed, ExtraMissing, InvalidRecipe, in_a_line
from lampyris_build.export import OPSET
from lampyris_build.imports.adaptation import Interface, adapt
from lampyris_build.imports.imported import Imported
from lampyris_build.recipe.models import KerasModel
from lampyris_build.tasks.task import Answers, Task

_DATATYPE_OF: Final[dict[str, Datatype]] = {kind.name: name for name, kind in NUMPY_OF.items()}
_SIGNATURE: Final = "serving_default"


def import_keras(model: KerasModel, task: Task, samples: Inputs) -> Imported:
    """Load a model, and convert what it computes with tf2onnx.

    Raises: ExtraMissing; InvalidRecipe if it cannot be loaded, or does not take what the dataset holds;
    ConversionFailed.
    """
    # Else TensorFlow tells on loading what it was compiled for.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    try:
        # They take many seconds to import, and most builds never need them.
        import tensorflow as tf  # noqa: PLC0415
        import tf2onnx  # noqa: PLC0415
    except ImportError as error:
        raise ExtraMissing(wanted="model.architecture keras", extra="keras") from error
    told = f"model.path {model.path}"
    call, specs = _loaded(Path(model.path).expanduser(), told)
    function = tf.function(call, input_signature=specs)
    try:
        graph, _ = tf2onnx.convert.from_function(function, input_signature=specs, opset=OPSET)
    # Its converters are hundreds, and fail in as many ways.
    except Exception as error:
        raise ConversionFailed(model=model.path, reason=in_a_line(error)) from error

    def run(inputs: Inputs) -> Answers:
        return [answer.numpy() for answer in function(*(tf.constant(inputs[spec.name]) for spec in specs))]

    outputs = function.get_concrete_function().structured_outputs
    interface = Interface(
        told=told, inputs=tuple(map(_spec, specs)), outputs=tuple(_spec(one) for one in outputs)
    )
    return Imported(graph, adapt(interface, task, run, samples), run, task)


def _loaded(path: Path, told: str) -> tuple[Callable[..., list[Any]], Sequence[Any]]:
    """Return what computes the model's outputs of its inputs, in order, and TensorFlow's specs of these."""
    import tensorflow as tf  # noqa: PLC0415 - as above

    if not path.exists():
        raise InvalidRecipe(reason=f"{told}: there is no such file or folder.")
    try:
        if path.is_dir():
            loaded = tf.saved_model.load(str(path))
            function = loaded.signatures[_SIGNATURE]
            names = list(function.structured_input_signature[1])
            specs = [
                tf.TensorSpec(spec.shape, spec.dtype, name=name)
                for name, spec in function.structured_input_signature[1].items()
            ]

            def of_signature(*tensors: Any) -> list[Any]:
                return list(function(**dict(zip(names, tensors, strict=True))).values())

            # The function lives only as long as what it was loaded with.
            of_signature.loaded = loaded  # type: ignore[attr-defined] # functions have no field for it
            return of_signature, specs
        # Layers of Python code (Lambda) are refused: they would be run.
        keras_model = tf.keras.models.load_model(path, compile=False, safe_mode=True)
    # Files can be broken in many ways.
    except Exception as error:
        raise InvalidRecipe(
            reason=f"{told} is neither a model as keras writes it (.keras) nor a SavedModel with a signature "
            f"{_SIGNATURE!r}: {in_a_line(error)}"
        ) from error

    def of_model(*tensors: Any) -> list[Any]:
        answer = keras_model(list(tensors) if len(tensors) > 1 else tensors[0], training=False)
        return answer if isinstance(answer, list) else [answer]

    return of_model, [tf.TensorSpec(one.shape, one.dtype, name=one.name) for one in keras_model.inputs]


def _spec(tensor: Any) -> TensorSpec:
    """Say the same of one of TensorFlow's tensors or specs."""
    kind = "object" if tensor.dtype.name == "string" else np.dtype(tensor.dtype.as_numpy_dtype).name
    return TensorSpec(
        name=tensor.name.partition(":")[0],
        datatype=_DATATYPE_OF[kind],
        shape=tuple(DYNAMIC if size is None else size for size in tensor.shape),
    )
