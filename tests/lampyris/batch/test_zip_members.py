"""Members of a zip, as its directory promises them."""

import pytest

from lampyris.adapters.memory_store import MemoryStore
from lampyris.batch.plan import Piece
from lampyris.batch.zip_members import read_member
from lampyris.errors import InvalidImage


@pytest.mark.parametrize("is_deflated", [True, False])
def test_member_that_would_fill_the_memory_is_refused_unread(*, is_deflated: bool) -> None:
    class Unread(MemoryStore):
        def get_range(self, key: str, start: int, length: int, etag: str | None = None) -> memoryview:
            raise AssertionError(f"{length:,} bytes of {key} were read at {start}")

    huge = Piece(
        key="data/x.zip",
        etag="1",
        start=0,
        end=5 * 2**30,
        rows=1,
        member="some/0.png",
        is_deflated=is_deflated,
    )

    with pytest.raises(InvalidImage, match="more than 1,000 bytes"):
        read_member(Unread(), huge, limit_bytes=1000)
