"""The file of a shard's answers, in the order of its rows; the same answers are always the same bytes.

- ndjson: an object on each line, with its row's number in the input (1 for the first), and for pictures the
  `file`. A classifier's has label, probability and probabilities, as `/models/{model}/predict` gives them;
  any other model's has its outputs by name.
- csv: the same in columns, below a header.
- npy: the first output alone, a row for each row of the shard; those that failed are NaN, or 0 where there is
  no NaN.
"""

from typing import BinaryIO, Protocol

import msgspec
import numpy as np

from lampyris.batch.plan import AnswerFormat, Shard
from lampyris.batch.rows import Rows
from lampyris.domain.signature import DYNAMIC, Signature
from lampyris.domain.tensors import NUMPY_OF, Array
from lampyris.errors import InvalidInput
from lampyris.http.predictions.answers import ranked, rows_of
from lampyris.http.predictions.csv_table import class_table, output_table
from lampyris.serving.infer import Prediction

MEDIA_TYPES: dict[AnswerFormat, str] = {
    "ndjson": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8; header=present",
    "npy": "application/x-npy",
}
_NPY_HEADER_BYTES = 128
_encode_lines = msgspec.json.Encoder().encode_lines


class _ClassAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    row: int
    file: str | None = None
    label: str
    probability: float
    probabilities: msgspec.Struct


class Answers(Protocol):
    """A file of answers that is being written."""

    def write(self, rows: Rows, prediction: Prediction) -> None:
        """Add what was said of some rows, which come in their order."""
        ...

    def finish(self) -> None:
        """Make the file whole."""
        ...


def outputs_for(answers: AnswerFormat, signature: Signature) -> tuple[str, ...]:
    """Name the outputs that answers hold. Raises: InvalidInput if they cannot be written so."""
    names = tuple(spec.name for spec in signature.outputs)
    if answers == "npy" and signature.outputs[0].datatype == "BYTES":
        raise InvalidInput(
            reason=f"The model's output {names[0]!r} holds strings, which have no fixed size in .npy; "
            "ask for answers in ndjson or csv."
        )
    return names[:1] if signature.labels is not None or answers == "npy" else names


def begin_answers(file: BinaryIO, answers: AnswerFormat, signature: Signature, shard: Shard) -> Answers:
    """Begin the file of a shard's answers."""
    if answers == "ndjson":
        return _Lines(file, signature)
    if answers == "csv":
        return _Table(file, signature)
    return _NpyFile(file, signature, shard)


class _Lines:
    def __init__(self, file: BinaryIO, signature: Signature) -> None:
        self._file = file
        self._labels = signature.labels
        # A struct of its own takes a quarter of the time that a dictionary for each row takes.
        names = {f"p{place}": label for place, label in enumerate(signature.labels or ())}
        self._probabilities = msgspec.defstruct(
            "Probabilities", [(name, float) for name in names], rename=names, frozen=True, gc=False
        )

    def write(self, rows: Rows, prediction: Prediction) -> None:
        numbers = rows.numbers.tolist()
        files = rows.files or (None,) * len(numbers)
        if self._labels is not None:
            self._file.write(_encode_lines(self._class_answers(numbers, files, prediction)))
            return
        outputs = rows_of(prediction.outputs)
        names = ["row", *(["file"] if rows.files else []), *outputs]
        columns = [numbers, *([files] if rows.files else []), *(each.tolist() for each in outputs.values())]
        self._file.write(
            _encode_lines([dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)])
        )

    def _class_answers(
        self, numbers: list[int], files: tuple[str | None, ...], prediction: Prediction
    ) -> list[_ClassAnswer]:
        labels = self._labels
        assert labels is not None
        probabilities_NC, best_N1 = ranked(prediction, labels, None)
        return [
            _ClassAnswer(
                row=row,
                file=file,
                label=labels[best],
                probability=probabilities[best],
                probabilities=self._probabilities(*probabilities),
            )
            for row, file, probabilities, best in zip(
                numbers, files, probabilities_NC.tolist(), best_N1[:, 0].tolist(), strict=True
            )
        ]

    def finish(self) -> None:
        return


class _Table:
    def __init__(self, file: BinaryIO, signature: Signature) -> None:
        self._file = file
        self._labels = signature.labels
        self._has_header = False

    def write(self, rows: Rows, prediction: Prediction) -> None:
        if self._labels is not None:
            text = class_table(*ranked(prediction, self._labels, None), self._labels, None)
        else:
            text = output_table(rows_of(prediction.outputs))
        # What names a row comes first; no cell of a header or a number holds a line end.
        header, *lines = text.encode().split(b"\r\n")[:-1] if self._is_plain(text, rows) else _records(text)
        names = [str(number) for number in rows.numbers.tolist()]
        if not self._has_header:
            self._file.write((b"row,file," if rows.files else b"row,") + header + b"\r\n")
            self._has_header = True
        if rows.files:
            names = [f"{name},{_quoted(file)}" for name, file in zip(names, rows.files, strict=True)]
        self._file.write(
            b"".join(b"%b,%b\r\n" % (name.encode(), line) for name, line in zip(names, lines, strict=True))
        )

    def _is_plain(self, text: str, rows: Rows) -> bool:
        return '"' not in text and text.count("\r\n") == len(rows) + 1

    def finish(self) -> None:
        return


def _records(text: str) -> list[bytes]:
    from lampyris.batch.records import find_csv_records  # noqa: PLC0415 - for strings that need quotes alone

    body = text.encode()
    found = find_csv_records(body, True)
    return [body[start:end] for start, end in zip(found.starts.tolist(), found.ends.tolist(), strict=True)]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if set(name) & set(',"\r\n') else name


class _NpyFile:
    def __init__(self, file: BinaryIO, signature: Signature, shard: Shard) -> None:
        self._file = file
        spec = signature.outputs[0]
        self._name = spec.name
        self._dtype: np.dtype[np.generic] = NUMPY_OF[spec.datatype]
        self._row_shape: tuple[int, ...] | None = None
        self._promised = tuple(0 if size == DYNAMIC else size for size in spec.shape[1:])
        self._next, self._end = shard.first_row, shard.first_row + shard.rows
        self._rows = shard.rows
        file.write(b" " * _NPY_HEADER_BYTES)

    def write(self, rows: Rows, prediction: Prediction) -> None:
        values = prediction.outputs[self._name]
        if self._row_shape is None:
            self._row_shape, self._dtype = values.shape[1:], values.dtype
        elif self._row_shape != values.shape[1:]:
            raise InvalidInput(
                reason=f"The output {self._name!r} has rows of shape {list(self._row_shape)} and of "
                f"{list(values.shape[1:])}, which one .npy file cannot hold; ask for answers in ndjson."
            )
        last = int(rows.numbers[-1])
        self._file.write(self._with_gaps(rows.numbers - self._next, values, last + 1 - self._next))
        self._next = last + 1

    def _with_gaps(self, places: Array, values: Array, count: int) -> memoryview:
        if len(values) == count:
            return np.ascontiguousarray(values).reshape(-1).view(np.uint8).data
        filled = self._nothing(count)
        filled[places] = values
        return filled.reshape(-1).view(np.uint8).data

    def _nothing(self, count: int) -> Array:
        shape = (count, *(self._promised if self._row_shape is None else self._row_shape))
        if self._dtype.kind == "f":
            return np.full(shape, np.nan, self._dtype)
        return np.zeros(shape, self._dtype)

    def finish(self) -> None:
        row_shape = self._promised if self._row_shape is None else self._row_shape
        if self._next < self._end:
            self._file.write(self._nothing(self._end - self._next).tobytes())
        header = {
            "descr": np.lib.format.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": (self._rows, *row_shape),
        }
        start = b"\x93NUMPY\x01\x00" + (_NPY_HEADER_BYTES - 10).to_bytes(2, "little")
        self._file.seek(0)
        self._file.write((start + repr(header).encode()).ljust(_NPY_HEADER_BYTES - 1) + b"\n")
