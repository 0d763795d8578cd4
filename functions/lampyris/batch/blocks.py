"""A stretch of an object, block by block: however large it is, two blocks are held."""

from collections.abc import Iterator

from lampyris.batch.ahead import ahead
from lampyris.domain.store import Store
from lampyris.errors import InputChanged

BLOCK_BYTES = 4 * 2**20


def read_blocks(
    store: Store, key: str, start: int, end: int, size_bytes: int = BLOCK_BYTES
) -> Iterator[bytes]:
    """Yield the bytes of an object from `start` to `end`; the next block is fetched meanwhile.

    Raises: ObjectNotFound, StoreUnavailable; InputChanged if the object ends before.
    """
    if end - start <= size_bytes:
        if end > start:
            yield _fetch(store, key, start, end - start)
        return
    starts = range(start, end, size_bytes)
    yield from ahead(_fetch(store, key, at, min(size_bytes, end - at)) for at in starts)


def _fetch(store: Store, key: str, start: int, length: int) -> bytes:
    data = bytes(store.get_range(key, start, length))
    if len(data) != length:
        raise InputChanged(key=key)
    return data
