"""What still fits into the shard that is being filled; who splits an input asks before each piece."""

from collections.abc import Callable, Iterator

from lampyris.batch.plan import Piece, Shard


class Room:
    """Rows and bytes that the current shard still takes; it always takes one row."""

    def __init__(self, rows: int, size_bytes: int) -> None:
        self.rows = rows
        self.size_bytes = size_bytes

    def rows_of(self, row_bytes: float) -> int:
        """How many rows of a size fit."""
        return max(1, min(self.rows, int(self.size_bytes / max(row_bytes, 1e-9))))


def shards_of(
    split: Callable[[Room], Iterator[Piece]],
    limits: Callable[[int], tuple[int, int]],
    *,
    shards: int,
    rows: int,
) -> Iterator[Shard]:
    """Gather pieces into shards. `limits` says how many rows and bytes a shard takes, by its number.

    `shards` and `rows` are how many there are already.
    """
    room = Room(*limits(shards))
    pieces: list[Piece] = []

    def filled() -> Shard:
        nonlocal shards, rows
        count = sum(piece.rows for piece in pieces)
        shard = Shard(first_row=rows + 1, rows=count, pieces=tuple(pieces))
        shards += 1
        rows += count
        pieces.clear()
        return shard

    for piece in split(room):
        room.rows -= piece.rows
        room.size_bytes -= piece.end - piece.start
        before = pieces[-1] if pieces else None
        if before is not None and _goes_on(before, piece):
            pieces[-1] = Piece(
                key=piece.key,
                etag=piece.etag,
                start=before.start,
                end=piece.end,
                rows=before.rows + piece.rows,
                header=piece.header,
            )
        else:
            pieces.append(piece)
        if room.rows <= 0 or room.size_bytes <= 0:
            yield filled()
            room.rows, room.size_bytes = limits(shards)  # only now: nobody waits for the first shard
    if pieces:
        yield filled()


def _goes_on(before: Piece, piece: Piece) -> bool:
    return (
        before.key == piece.key and not before.member and not piece.member and before.header == piece.header
    )
