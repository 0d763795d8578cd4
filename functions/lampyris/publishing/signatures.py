"""Read a signature from a loaded graph, and hold a bundle's own against it."""

from typing import TYPE_CHECKING

from lampyris.domain.datatypes import DATATYPE_OF_ONNX
from lampyris.domain.signature import DYNAMIC, Signature, TensorSpec
from lampyris.errors import CorruptBundle, UnsupportedModel

if TYPE_CHECKING:
    from onnxruntime import InferenceSession, NodeArg


def signature_of(session: "InferenceSession") -> Signature:
    """Read what a graph takes and gives; a dimension without a number is dynamic.

    Raises: UnsupportedModel if a value is not a tensor, or of an element type that the wire does not know.
    """
    return Signature(
        inputs=tuple(_spec("Input", value) for value in session.get_inputs()),
        outputs=tuple(_spec("Output", value) for value in session.get_outputs()),
    )


def _spec(kind: str, value: "NodeArg") -> TensorSpec:
    if value.type not in DATATYPE_OF_ONNX:
        raise UnsupportedModel(
            reason=f"{kind} {value.name!r} is a {value.type}; served are tensors of "
            f"{', '.join(dict.fromkeys(DATATYPE_OF_ONNX.values()))}. "
            "(scikit-learn's classifiers: convert with options={'zipmap': False}.)"
        )
    shape = tuple(size if isinstance(size, int) and size >= 0 else DYNAMIC for size in value.shape)
    return TensorSpec(name=value.name, datatype=DATATYPE_OF_ONNX[value.type], shape=shape)


def with_observed_shapes(signature: Signature, shapes: dict[str, tuple[int, ...]]) -> Signature:
    """Correct what a graph declares of its outputs by what a run gave: another rank, another fixed size."""
    outputs = tuple(
        TensorSpec(name=spec.name, datatype=spec.datatype, shape=_observed(spec.shape, shapes[spec.name]))
        for spec in signature.outputs
    )
    return Signature(inputs=signature.inputs, outputs=outputs)


def _observed(declared: tuple[int, ...], came: tuple[int, ...]) -> tuple[int, ...]:
    if len(declared) != len(came):
        return (DYNAMIC,) * len(came)
    return tuple(size if size == seen else DYNAMIC for size, seen in zip(declared, came, strict=True))


def check_promise(promised: Signature, graph: Signature) -> None:
    """Hold the signature in a bundle against its graph's.

    A bundle may promise fixed sizes where the graph leaves them open, never the other way for an input.
    Raises: CorruptBundle.
    """
    _check_specs("input", promised.inputs, graph.inputs)
    _check_specs("output", promised.outputs, graph.outputs)


def _check_specs(kind: str, promised: tuple[TensorSpec, ...], graph: tuple[TensorSpec, ...]) -> None:
    names, graph_names = sorted(spec.name for spec in promised), sorted(spec.name for spec in graph)
    if names != graph_names:
        raise CorruptBundle(
            reason=f"The bundle's signature has the {kind}s {', '.join(names) or '(none)'}; "
            f"its graph has {', '.join(graph_names) or '(none)'}."
        )
    by_name = {spec.name: spec for spec in graph}
    for spec in promised:
        found = by_name[spec.name]
        if spec.datatype != found.datatype or not _shapes_agree(kind, spec.shape, found.shape):
            raise CorruptBundle(
                reason=f"The bundle's signature says that {kind} {spec.name!r} is {spec.datatype} "
                f"{list(spec.shape)}; in its graph it is {found.datatype} {list(found.shape)}."
            )


def _shapes_agree(kind: str, promised: tuple[int, ...], graph: tuple[int, ...]) -> bool:
    if kind == "output" and not graph:
        return True  # onnxruntime could not infer it: the probe will tell
    if len(promised) != len(graph):
        return False
    return all(
        there in (DYNAMIC, size) or (kind == "output" and size == DYNAMIC)
        for size, there in zip(promised, graph, strict=True)
    )


def check_labels(signature: Signature, shapes: dict[str, tuple[int, ...]]) -> None:
    """Hold the labels against the last axis of the first output, as it came from a run: one for each class.

    Raises: CorruptBundle.
    """
    if signature.labels is None:
        return
    if not signature.labels or len(set(signature.labels)) < len(signature.labels):
        raise CorruptBundle(reason="The bundle's labels must name every class, each differently.")
    name = signature.outputs[0].name
    classes = shapes[name][-1] if shapes[name] else 0
    if classes != len(signature.labels):
        raise CorruptBundle(
            reason=f"The bundle has {len(signature.labels)} labels; output {name!r} has {classes} classes."
        )
