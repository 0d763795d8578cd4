"""Run the artifact before anyone depends on it: on a bundle's probe, or, for a bare model, on zeros."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from lampyris.domain.bundle import PROBE_FILE, Probe
from lampyris.domain.signature import DYNAMIC, Signature
from lampyris.domain.tensors import NUMPY_OF, Array, array_of, check_inputs
from lampyris.errors import CorruptBundle, InvalidTensor, ProbeDisagrees, UnsupportedModel
from lampyris.publishing.runtime import refusing

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


@dataclass(frozen=True, kw_only=True)
class Observed:
    """A run: what went in, and the shapes of what came out."""

    inputs: dict[str, Array]
    shapes: dict[str, tuple[int, ...]]


def read_probe(document: bytes) -> Probe:
    """Read a `probe.json`.

    Raises: CorruptBundle.
    """
    try:
        probe = msgspec.json.decode(document, type=Probe)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CorruptBundle(reason=f"{PROBE_FILE} cannot be read: {error}") from None
    if not probe.outputs or probe.rtol < 0 or probe.atol < 0:
        raise CorruptBundle(
            reason=f"{PROBE_FILE} must hold an output to compare, and tolerances of 0 or more."
        )
    return probe


def run_probe(session: "InferenceSession", probe: Probe, signature: Signature) -> Observed:
    """Ask the graph what the build asked it, and compare the answers.

    Raises: ProbeDisagrees; CorruptBundle if the probe does not fit the signature; UnsupportedModel;
        MemoryError.
    """
    try:
        inputs = {tensor.name: array_of(tensor) for tensor in probe.inputs}
        check_inputs(signature, inputs)
        expected = {tensor.name: array_of(tensor) for tensor in probe.outputs}
    except InvalidTensor as error:
        raise CorruptBundle(reason=f"{PROBE_FILE} does not fit the signature. {error}") from None
    answers = run(session, inputs)
    for name, output in expected.items():
        if name not in answers:
            raise CorruptBundle(
                reason=f"{PROBE_FILE} has an output {name!r}; the model gives {', '.join(answers)}."
            )
        _compare(name, answers[name], output, rtol=probe.rtol, atol=probe.atol)
    return _observed(inputs, answers)


def _compare(name: str, answer: Array, output: Array, *, rtol: float, atol: float) -> None:
    if answer.dtype != output.dtype or answer.shape != output.shape:
        raise ProbeDisagrees(
            output=name,
            reason=f"it is {answer.dtype} {list(answer.shape)}, where the build saw "
            f"{output.dtype} {list(output.shape)}.",
        )
    if output.dtype.kind not in "fiu":
        differing = int(np.count_nonzero(answer != output))
        if differing:
            raise ProbeDisagrees(output=name, reason=f"{differing:,} of {output.size:,} elements differ.")
        return
    answer, output = answer.astype(np.float64), output.astype(np.float64)
    difference = np.abs(answer - output)
    beyond = ~(difference <= atol + rtol * np.abs(output))  # a NaN disagrees with everything
    if beyond.any():
        worst = np.unravel_index(np.argmax(np.where(beyond, difference, -1)), difference.shape)
        raise ProbeDisagrees(
            output=name,
            reason=f"{np.count_nonzero(beyond):,} of {output.size:,} elements differ by more than "
            f"{atol:g} + {rtol:g} * |output|; the biggest difference is {difference[worst]:g} at "
            f"{[int(index) for index in worst]}, {answer[worst]:g} where the build saw {output[worst]:g}.",
        )


def run_on_zeros(session: "InferenceSession", signature: Signature) -> Observed | None:
    """Run a model that has no probe once, every open dimension being 1.

    None if it cannot run on zeros: that is for its callers to know.
    Raises: MemoryError.
    """
    try:
        inputs = {
            spec.name: np.full(
                tuple(1 if size == DYNAMIC else size for size in spec.shape),
                "" if spec.datatype == "BYTES" else 0,
                dtype=NUMPY_OF[spec.datatype],
            )
            for spec in signature.inputs
        }
    except ValueError as error:  # numpy's word for more bytes than an address has
        raise MemoryError(str(error)) from error
    try:
        answers = run(session, inputs)
    except UnsupportedModel:
        return None
    return _observed(inputs, answers)


def run(session: "InferenceSession", inputs: dict[str, Array]) -> dict[str, Array]:
    """Return every output by name.

    Raises: UnsupportedModel, MemoryError.
    """
    names = [value.name for value in session.get_outputs()]
    with refusing("run the model"):
        answers = session.run(names, inputs)
    return dict(zip(names, (np.asarray(answer) for answer in answers), strict=True))


def _observed(inputs: dict[str, Array], answers: dict[str, Array]) -> Observed:
    return Observed(inputs=inputs, shapes={name: answer.shape for name, answer in answers.items()})
