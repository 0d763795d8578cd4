"""Rows ready for a model, and those that are not: a bad row is found alone, and the others stay together."""

from collections.abc import Callable, Sequence

import msgspec
import numpy as np

from lampyris.domain.signature import Signature
from lampyris.domain.tensors import Array, check_inputs
from lampyris.errors import InvalidRequest

_DETAIL_LENGTH = 500

# Turns the rows from one place up to another into the arrays of a model's inputs.
Decode = Callable[[int, int], dict[str, Array]]


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of equal shape: their numbers in the input, 1 for the first, and the arrays of a model's inputs.

    `files` are the names of pictures, where rows are those.
    """

    numbers: Array
    inputs: dict[str, Array]
    files: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.numbers)

    def part(self, start: int, end: int) -> "Rows":
        return Rows(
            numbers=self.numbers[start:end],
            inputs={name: values[start:end] for name, values in self.inputs.items()},
            files=self.files[start:end],
        )


class FailedRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A row that has no answer, and why: a stable code, and a sentence."""

    row: int
    file: str | None = None
    code: str
    detail: str


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """Some rows of a shard, in order: those that can be predicted, and those that cannot."""

    rows: tuple[Rows, ...]
    failed: tuple[FailedRow, ...] = ()


def decode_rows(
    decode: Decode, count: int, signature: Signature, *, first_row: int, files: Sequence[str] = ()
) -> Chunk:
    """Decode `count` rows at once; where that fails, halve them until each bad row is alone."""
    good: list[tuple[list[Array], list[dict[str, Array]]]] = []
    failed: list[FailedRow] = []

    def take(start: int, end: int) -> None:
        try:
            arrays = decode(start, end)
            check_inputs(signature, arrays)
        except InvalidRequest as error:
            if end - start == 1:
                failed.append(failed_row(first_row + start, error, files[start] if files else None))
                return
            middle = (start + end) // 2
            take(start, middle)
            take(middle, end)
            return
        if not good or not _fit(good[-1][1][0], arrays):
            good.append(([], []))
        good[-1][0].append(np.arange(start, end))
        good[-1][1].append(arrays)

    if count:
        take(0, count)
    rows = [
        (np.concatenate(places), parts[0] if len(parts) == 1 else _joined(parts)) for places, parts in good
    ]
    return Chunk(
        rows=tuple(
            Rows(
                numbers=places + first_row,
                inputs=inputs,
                files=tuple(files[place] for place in places) if files else (),
            )
            for places, inputs in rows
        ),
        failed=tuple(failed),
    )


def failed_row(row: int, error: Exception, file: str | None = None) -> FailedRow:
    """Say why a row has no answer."""
    code = getattr(error, "code", "internal-error")
    return FailedRow(row=row, file=file, code=code, detail=_sentence(error))


def _sentence(error: Exception) -> str:
    """Return an error's sentence, which counts lines that are not the input's."""
    text = str(error)
    for own in ("line 2, ", "line 1, ", "line 1: ", "Line 1 "):
        text = text.replace(own, "", 1)
    return text.replace("line 2 has", "the row has", 1)[:_DETAIL_LENGTH]


def _fit(before: dict[str, Array], after: dict[str, Array]) -> bool:
    return all(before[name].shape[1:] == values.shape[1:] for name, values in after.items())


def _joined(parts: list[dict[str, Array]]) -> dict[str, Array]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
