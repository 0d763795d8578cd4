"""A training's state as bytes of which any range can be averaged with the same range of others'.

A safetensors file of two vectors: `wide` in float64 (whole numbers, and the sums that a training keeps) and
`narrow` in float32 (weights, statistics, what the optimizer remembers), each one tensor after the other. All
else is JSON in the file's metadata. Where the vectors lie is told by the file's head.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save

from lampyris_build.training.checkpoint import State, with_tensors, without_tensors

_LENGTH_BYTES: Final = 8  # of the number that a safetensors file begins with
_AT_ONCE: Final = 1 << 20  # numbers that are averaged in one go, so that float64 takes little memory
_SUMS: Final = ("loss_sum", "seconds")  # numbers of a state that are each worker's own
_WIDE, _NARROW = "wide", "narrow"

Numbers = NDArray[Any]


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What stands before the vectors: `wide` and `narrow` are where their bytes begin and end."""

    document: str
    wide: tuple[int, int]
    narrow: tuple[int, int]

    @property
    def size_bytes(self) -> int:
        """The whole file's."""
        return max(self.wide[1], self.narrow[1])


class Packed(msgspec.Struct, frozen=True, kw_only=True):
    """A state: what is averaged, and the document that says how to put it together again."""

    document: str
    wide: Numbers
    narrow: Numbers

    def to_bytes(self) -> bytes:
        return vectors_to_bytes(self.wide, self.narrow, self.document)


def pack(state: State) -> Packed:
    """Take a state apart."""
    tensors: dict[str, torch.Tensor] = {}
    sums = {name: torch.tensor(state[name], dtype=torch.float64) for name in _SUMS}
    document = without_tensors(state | sums, "", tensors)
    layout = [
        (name, str(one.dtype).removeprefix("torch."), tuple(one.shape)) for name, one in tensors.items()
    ]
    return Packed(
        document=json.dumps({"state": document, "layout": layout}),
        wide=_joined([one for one in tensors.values() if _is_wide(one.dtype)], torch.float64),
        narrow=_joined([one for one in tensors.values() if not _is_wide(one.dtype)], torch.float32),
    )


def unpack(packed: Packed) -> State:
    """Put a state together."""
    told = json.loads(packed.document)
    left = {True: torch.from_numpy(packed.wide), False: torch.from_numpy(packed.narrow)}
    tensors = {}
    for name, dtype_name, shape in told["layout"]:
        dtype = getattr(torch, dtype_name)
        is_wide = _is_wide(dtype)
        count = int(np.prod(shape))
        numbers, left[is_wide] = left[is_wide][:count], left[is_wide][count:]
        if not dtype.is_floating_point:
            numbers = numbers.round()
        # Copied: else the smallest would keep the memory of all.
        tensors[name] = numbers.to(dtype, copy=True).reshape(shape)
    state = with_tensors(told["state"], tensors)
    return state | {name: state[name].item() for name in _SUMS}


def vectors_to_bytes(wide: Numbers, narrow: Numbers, document: str = "") -> bytes:
    return save({_WIDE: wide, _NARROW: narrow}, {"document": document})


def head_length(start: bytes) -> int:
    """Say how long a file's head is, from its first bytes."""
    return _LENGTH_BYTES + int.from_bytes(start[:_LENGTH_BYTES], "little")


def read_head(start: bytes) -> Head:
    """Read a head; `start` is at least as long."""
    length = head_length(start)
    told = json.loads(start[_LENGTH_BYTES:length])

    def place(name: str) -> tuple[int, int]:
        begin, end = told[name]["data_offsets"]
        return length + begin, length + end

    return Head(document=told["__metadata__"]["document"], wide=place(_WIDE), narrow=place(_NARROW))


def average(vectors: Sequence[Numbers], weights: Sequence[int]) -> Numbers:
    """Average vectors, each as much as its weight.

    In float64, by single additions and multiplications: the same to the bit on every processor.
    """
    shares = [weight / sum(weights) for weight in weights]
    mean = np.empty_like(vectors[0])
    for start in range(0, len(mean), _AT_ONCE):
        here = slice(start, start + _AT_ONCE)
        sum_ = np.multiply(vectors[0][here], shares[0], dtype=np.float64)
        for vector, share in zip(vectors[1:], shares[1:], strict=True):
            sum_ += np.multiply(vector[here], share, dtype=np.float64)
        mean[here] = sum_
    return mean


def _is_wide(dtype: torch.dtype) -> bool:
    return not dtype.is_floating_point or dtype == torch.float64


def _joined(tensors: Sequence[torch.Tensor], dtype: torch.dtype) -> Numbers:
    return torch.cat(
        [torch.empty(0, dtype=dtype), *(one.detach().flatten().to(dtype) for one in tensors)]
    ).numpy()
