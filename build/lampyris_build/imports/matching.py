"""Which of a model's inputs takes which of the dataset's, and which of its outputs is the task's answer."""

from collections.abc import Sequence

import numpy as np

from lampyris.domain.signature import DYNAMIC, TensorSpec
from lampyris.domain.tensors import NUMPY_OF
from lampyris_build.errors import InvalidRecipe


def match_inputs(
    told: str, sent: Sequence[TensorSpec], taken: Sequence[TensorSpec]
) -> tuple[TensorSpec, ...]:
    """Return the model's inputs in the order of the dataset's: by name, or the only one for the only one.

    Columns of numbers may also be those of a matrix, in their order: then it alone is returned.

    Raises: InvalidRecipe if one is missing, or takes another type or shape.
    """
    if _is_matrix_of(taken, sent):
        return tuple(taken)
    by_name = {spec.name: spec for spec in taken}
    if len(sent) == len(taken) == 1:
        by_name = {sent[0].name: taken[0]}
    if {spec.name for spec in sent} != set(by_name):
        raise InvalidRecipe(
            reason=f"{told} takes {_listed(taken)}, but the dataset gives {_listed(sent)}: "
            "the names must be the same."
        )
    for one in sent:
        other = by_name[one.name]
        if not np.can_cast(NUMPY_OF[one.datatype], NUMPY_OF[other.datatype], "safe") or not _fits(one, other):
            raise InvalidRecipe(
                reason=f"{told} takes {_told(other)}, but the dataset gives {_told(one)}. Export it so that "
                "it takes what callers send, with what turns the one into the other as its first layers."
            )
        if other.shape[0] != DYNAMIC:
            raise InvalidRecipe(
                reason=f"{told} takes exactly {other.shape[0]} samples at once in {other.name!r}; "
                "export it with a first axis of any size (dynamic)."
            )
    return tuple(by_name[one.name] for one in sent)


def _is_matrix_of(taken: Sequence[TensorSpec], columns: Sequence[TensorSpec]) -> bool:
    if len(taken) != 1 or len(columns) == 1:
        return False
    numbers = all(one.datatype == "FP32" and one.shape == (DYNAMIC,) for one in columns)
    (matrix,) = taken
    floats = NUMPY_OF[matrix.datatype].kind == "f" and matrix.datatype != "FP16"
    return numbers and floats and matrix.shape in {(DYNAMIC, len(columns)), (DYNAMIC, DYNAMIC)}


def match_answer(told: str, answer: TensorSpec, given: Sequence[TensorSpec | None]) -> int:
    """Find the place of the output that is the answer: by its name, or the only one of its shape.

    Raises: InvalidRecipe if there is none, or more than one.
    """
    places = [place for place, one in enumerate(given) if one is not None and _answers(one, answer)]
    named = [place for place in places if (one := given[place]) is not None and one.name == answer.name]
    if len(named or places) == 1:
        return (named or places)[0]
    found = _listed([one for one in given if one is not None]) or "no tensor"
    many = f"; more than one could be meant: name one {answer.name!r}" if places else ""
    raise InvalidRecipe(reason=f"{told} gives {found}, where {_told(answer)} is wanted{many}.")


def _answers(one: TensorSpec, answer: TensorSpec) -> bool:
    if NUMPY_OF[one.datatype].kind != "f":
        return False
    # (N, 1) for (N,); and the probability of the second of two classes.
    return _fits(answer, one) or (answer.shape[1:] == (2,) and one.shape[1:] == (1,))


def _fits(one: TensorSpec, other: TensorSpec) -> bool:
    """Tell whether shapes are the same, but for sizes that may be any and a last axis of 1."""
    ours, theirs = one.shape[1:], other.shape[1:]
    if ours == () and theirs in {(1,), (DYNAMIC,)}:
        return True
    return len(ours) == len(theirs) and all(
        DYNAMIC in pair or pair[0] == pair[1] for pair in zip(ours, theirs, strict=True)
    )


def _told(spec: TensorSpec) -> str:
    sizes = ", ".join("any" if size == DYNAMIC else str(size) for size in spec.shape[1:])
    return f"{spec.name!r} {spec.datatype} (N{', ' + sizes if sizes else ''})"


def _listed(specs: Sequence[TensorSpec]) -> str:
    return ", ".join(map(_told, specs))
