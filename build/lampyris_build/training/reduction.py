"""The average of what the members brought to a round: read whole by everybody, or reduced in parts.

With N members and M bytes each, who reads everything reads (N-1)·M. In parts each member reads its own part
of all others, writes that part's average, and reads the averages of the other parts: 2·M·(N-1)/N.
Source: Jiang et al. 2021 (LambdaML), section 3.2.3 (AllReduce and ScatterReduce); here a member brings one
object all the same, of which others read a range: so it has brought all of it, or nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from lampyris_build.training.packed import (
    Head,
    Numbers,
    Packed,
    average,
    head_length,
    read_head,
    vectors_to_bytes,
)
from lampyris_build.training.rounds import Brought, Rounds

SMALL_BYTES: Final = 4 << 20  # to read less takes less time than to wait for all once more
_FEW: Final = 2  # members who read as much in either way
_START_BYTES: Final = 64 << 10  # more than most heads have


def reduced(
    rounds: Rounds,
    number: int,
    weights: Sequence[int],
    *,
    own: bytes | None = None,
    small_bytes: int = SMALL_BYTES,
) -> tuple[tuple[int, ...], Packed]:
    """Wait for a round; return who was there, and the average, each of them as much as its weight.

    `own` is what this member brought, if it knows. Raises: Behind.
    """
    is_small = own is not None and len(own) * (rounds.size - 1) <= small_bytes
    brought = rounds.wait(number, own=own, first_bytes=small_bytes if is_small else _START_BYTES)
    heads = _heads(rounds, brought)
    present = tuple(brought)
    first = heads[present[0]]
    if not in_parts(first.size_bytes, len(present), small_bytes):
        wide, narrow = _reduce(rounds, brought, heads, weights, (0, 1))
    else:
        mine = present.index(rounds.rank) if rounds.rank in brought else None

        def part(piece: int) -> bytes:
            return vectors_to_bytes(*_reduce(rounds, brought, heads, weights, (piece, len(present))))

        parts = rounds.share_out(number, "part", len(present), mine=mine, do=part)
        wide, narrow = map(np.concatenate, zip(*map(_vectors, parts), strict=True))
    return present, Packed(document=first.document, wide=wide, narrow=narrow)


def in_parts(size_bytes: int, members: int, small_bytes: int = SMALL_BYTES) -> bool:
    """Say whether members reduce states of this size in parts."""
    return members > _FEW and size_bytes * (members - 1) > small_bytes


def _heads(rounds: Rounds, brought: Mapping[int, Brought]) -> dict[int, Head]:
    """Read the heads of what was brought; most are in the first bytes."""
    whole = rounds.read([(one, 0, head_length(one.start)) for one in brought.values()])
    return dict(zip(brought, map(read_head, whole), strict=True))


def _reduce(
    rounds: Rounds,
    brought: Mapping[int, Brought],
    heads: Mapping[int, Head],
    weights: Sequence[int],
    part: tuple[int, int],
) -> tuple[Numbers, Numbers]:
    """Average a part of the vectors: the first has all of the wide one, which is short."""
    which, of = part
    vectors: list[Numbers] = []
    for kind, count in (("wide", 1), ("narrow", of)):
        dtype = np.dtype(np.float64 if kind == "wide" else np.float32)
        ranges = []
        for member, one in brought.items():
            begin, end = getattr(heads[member], kind)
            size = (end - begin) // dtype.itemsize
            first, last = (size * min(at, count) // count for at in (which, which + 1))
            ranges.append((one, begin + first * dtype.itemsize, begin + last * dtype.itemsize))
        read = [np.frombuffer(data, dtype) for data in rounds.read(ranges)]
        vectors.append(average(read, [weights[member] for member in brought]))
    return vectors[0], vectors[1]


def _vectors(data: bytes) -> tuple[Numbers, Numbers]:
    head = read_head(data)
    return (
        np.frombuffer(data[slice(*head.wide)], np.float64),
        np.frombuffer(data[slice(*head.narrow)], np.float32),
    )
