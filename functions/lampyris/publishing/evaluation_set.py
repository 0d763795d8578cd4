"""Read the test set of a bundle, a stranger's archive: nothing is unpickled, and no size is believed."""

import zipfile
import zlib
from dataclasses import dataclass
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from lampyris.domain.bundle import EVALUATION_FILE
from lampyris.domain.signature import DYNAMIC, Signature
from lampyris.domain.tensors import Array, check_inputs
from lampyris.errors import CorruptBundle, InvalidTensor

LABELS = "labels"
# As numpy.savez and numpy.savez_compressed write them; the others can unpack to any size at once.
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
# Version 3.0 is 2.0 with other letters in the names of fields, and no fields are taken.
_HEADERS = {
    (1, 0): npy.read_array_header_1_0,
    (2, 0): npy.read_array_header_2_0,
    (3, 0): npy.read_array_header_2_0,
}
_KINDS = "biufU"  # numpy's: booleans, integers with and without sign, floats, strings
_NAMES_SHOWN = 10
# Rows that run at once: as many as a request might bring, and less memory than a single large one.
_BATCH, _BATCH_BYTES = 64, 2 * 2**20


@dataclass(frozen=True, kw_only=True)
class EvaluationSet:
    """What a model is asked, row by row, and the index of each row's class; `batch` rows run at once.

    Shapes: inputs (N, ...), labels (N,) int64; N is a multiple of `batch` where the model fixes that.
    """

    inputs: dict[str, Array]
    labels: Array
    batch: int


def read_evaluation_set(path: Path, signature: Signature, *, limit_bytes: int) -> EvaluationSet:
    """Read the test set for a model of this signature; unpacked it may have `limit_bytes`.

    NaN and infinity come through in inputs, as they may stand for values that are missing.
    Raises: CorruptBundle.
    """
    arrays = _read(path, [spec.name for spec in signature.inputs], limit_bytes)
    labels = arrays.pop(LABELS)
    if labels.dtype.kind not in "iu" or labels.ndim != 1 or not labels.size:
        raise _broken(
            f"{LABELS!r} is {labels.dtype} of shape {list(labels.shape)}; it holds the index of each row's "
            "class: integers of shape [rows], one row at least."
        )
    for name, values in arrays.items():
        if values.shape[:1] != labels.shape:
            raise _broken(
                f"input {name!r} has shape {list(values.shape)}, but there are {len(labels):,} labels."
            )
    batch = _batch(signature, arrays, len(labels))
    try:
        check_inputs(signature, {name: values[:batch] for name, values in arrays.items()})
    except InvalidTensor as error:
        raise _broken(f"it does not fit the signature. {error}") from None
    return EvaluationSet(inputs=arrays, labels=labels.astype(np.int64), batch=batch)


def _broken(reason: str) -> CorruptBundle:
    return CorruptBundle(reason=f"{EVALUATION_FILE}: {reason}")


def _batch(signature: Signature, arrays: dict[str, Array], rows: int) -> int:
    """Return how many rows to run at once. Raises: CorruptBundle."""
    fixed = {spec.shape[0] for spec in signature.inputs if spec.shape} - {DYNAMIC}
    if not fixed:
        row_bytes = sum(values.nbytes for values in arrays.values()) // rows
        return min(max(_BATCH_BYTES // max(row_bytes, 1), 1), _BATCH, rows)
    batch = min(fixed)
    if batch < 1 or rows % batch:
        raise _broken(f"the model takes {batch} rows at once, of which {rows:,} are no multiple.")
    return batch


def _read(path: Path, inputs: list[str], limit_bytes: int) -> dict[str, Array]:
    if LABELS in inputs:
        raise _broken(
            f"an input of the model is called {LABELS!r}, as the classes are; give it another name."
        )
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _check_members(members, [*inputs, LABELS], limit_bytes)
            return {member.filename.removesuffix(".npy"): _array(archive, member) for member in members}
    # RuntimeError: a member is encrypted. NotImplementedError: of a version of zip that there is not.
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError) as error:
        raise _broken(f"it is no whole archive as numpy.savez writes it: {error}") from None
    except MemoryError:
        raise _broken("to read it takes more memory than there is; keep fewer rows in it.") from None


def _check_members(members: list[zipfile.ZipInfo], names: list[str], limit_bytes: int) -> None:
    """Hold an archive's directory against the model, and against the limit, before anything is unpacked."""
    expected, found = sorted(f"{name}.npy" for name in names), sorted(member.filename for member in members)
    if found != expected:
        shown = ", ".join(found[:_NAMES_SHOWN]) + (", …" if len(found) > _NAMES_SHOWN else "")
        raise _broken(
            f"it holds {shown or 'nothing'}; it must hold {', '.join(expected)}: an array for each input, "
            f"and the classes as {LABELS!r}."
        )
    if any(member.compress_type not in _COMPRESSIONS for member in members):
        raise _broken("it is compressed otherwise than numpy.savez and numpy.savez_compressed do.")
    size_bytes = sum(member.file_size for member in members)
    if size_bytes > limit_bytes:
        raise _broken(f"unpacked it has {size_bytes:,} bytes; at most {limit_bytes:,} are read.")


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Array:
    with archive.open(member) as opened:
        data = opened.read(member.file_size)  # never more, however much is packed into it
    shape, dtype, start = _read_header(member, data)
    if dtype.kind not in _KINDS:
        what = "pickled objects, which are never read" if dtype.hasobject else dtype
        raise _broken(f"{member.filename} holds {what}; save numbers, booleans or strings.")
    if prod(shape) * dtype.itemsize != len(data) - start:
        raise _broken(f"{member.filename} is cut short, or says another shape than its values have.")
    values: Array = np.require(npy.read_array(BytesIO(data), allow_pickle=False), requirements="C")
    return values.astype(object) if dtype.kind == "U" else values


def _read_header(member: zipfile.ZipInfo, data: bytes) -> "tuple[tuple[int, ...], np.dtype[Any], int]":
    """Return shape, dtype, and where the values begin. Raises: CorruptBundle."""
    file = BytesIO(data)
    try:
        shape, _, dtype = _HEADERS[npy.read_magic(file)](file)
    except Exception as error:  # noqa: BLE001 - numpy evaluates a literal in it: its errors have no common root
        reason = str(error).partition("\n")[0]
        raise _broken(f"{member.filename} is no array as numpy saves it: {reason}") from None
    return shape, dtype, file.tell()
