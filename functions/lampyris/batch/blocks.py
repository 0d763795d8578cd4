"""Stretches of an object as it was planned; a long one block by block: however long, two blocks are held."""

from collections.abc import Iterator

from lampyris.batch.ahead import ahead
from lampyris.batch.plan import Piece
from lampyris.domain.store import Entry, Store
from lampyris.errors import InputChanged, ObjectChanged

BLOCK_BYTES = 4 * 2**20


def fetch(store: Store, source: Entry | Piece, start: int, length: int) -> memoryview:
    """Read a stretch of an object, unless it was overwritten: no answers are of two writings.

    Raises: ObjectNotFound, StoreUnavailable, InputChanged.
    """
    try:
        return store.get_range(source.key, start, length, source.etag)
    except ObjectChanged:
        raise InputChanged(key=source.key) from None


def read_blocks(
    store: Store, source: Entry | Piece, start: int, end: int, size_bytes: int = BLOCK_BYTES
) -> Iterator[bytes]:
    """Yield the bytes of an object from `start` to `end`; the next block is fetched meanwhile.

    Raises: as `fetch`.
    """
    if end - start <= size_bytes:
        if end > start:
            yield bytes(fetch(store, source, start, end - start))
        return
    starts = range(start, end, size_bytes)
    yield from ahead(bytes(fetch(store, source, at, min(size_bytes, end - at))) for at in starts)
