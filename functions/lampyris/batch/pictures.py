"""Pictures: each object or each member of a zip is a row."""

from collections.abc import Iterator
from itertools import islice

from lampyris.batch.blocks import fetch
from lampyris.batch.plan import Piece
from lampyris.batch.rows import Chunk, decode_rows
from lampyris.batch.zip_members import list_members, read_member
from lampyris.domain.images import decode_image, decode_images
from lampyris.domain.signature import Signature
from lampyris.domain.store import Entry, Store
from lampyris.domain.tensors import Array
from lampyris.errors import InvalidImage, InvalidInput, ObjectNotFound

ENDINGS = (".png", ".jpg", ".jpeg", ".webp")
# No picture that is taken has more bytes than this: its pixels would be too many.
_FILE_LIMIT_BYTES = 64 * 2**20
_PIXELS_AT_ONCE = 16_000_000


def split_pictures(store: Store, found: Entry, after: int, signature: Signature) -> Iterator[Piece]:
    """Yield a piece for each picture, but for the first `after` of them.

    Raises: InvalidInput if the model takes none, or the zip is none.
    """
    if signature.image is None:
        takes = ", ".join(f"{spec.name} ({spec.datatype})" for spec in signature.inputs)
        raise InvalidInput(reason=f"The model takes no pictures; its inputs are {takes}.")
    if not found.key.lower().endswith(".zip"):
        if not after:
            yield Piece(key=found.key, etag=found.etag, start=0, end=found.size_bytes, rows=1)
        return
    members = (
        member
        for member in list_members(store, found)
        if member.name.lower().endswith(ENDINGS) and not _is_hidden(member.name)
    )
    for member in islice(members, after, None):
        yield Piece(
            key=found.key,
            etag=found.etag,
            start=member.start,
            end=member.end,
            rows=1,
            member=member.name,
            is_deflated=member.is_deflated,
        )


def _is_hidden(name: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in name.split("/"))


def read_pictures(
    store: Store, pieces: tuple[Piece, ...], signature: Signature, *, first_row: int, batch_size: int
) -> Iterator[Chunk]:
    """Yield pictures as pixels, a batch at a time. Raises: StoreUnavailable, InputChanged."""
    spec = signature.image
    assert spec is not None  # `split_pictures` has seen to it
    pixels = max(1, abs(spec.height * spec.width))
    step = max(1, min(batch_size, _PIXELS_AT_ONCE // pixels))
    for first in range(0, len(pieces), step):
        some = pieces[first : first + step]
        files = [_read(store, piece) for piece in some]

        def decode(start: int, end: int, files: list[bytes | InvalidImage] = files) -> dict[str, Array]:
            found = []
            for file in files[start:end]:
                if isinstance(file, InvalidImage):
                    raise file
                found.append(file)
            assert spec is not None  # as above
            pixels = decode_image(found[0], spec)[None] if len(found) == 1 else decode_images(found, spec)
            return {spec.input: pixels}

        names = [piece.member or piece.key for piece in some]
        yield decode_rows(decode, len(some), signature, first_row=first_row + first, files=names)


def _read(store: Store, piece: Piece) -> bytes | InvalidImage:
    """Return a picture's file, or why there is none."""
    try:
        if piece.member:
            return read_member(store, piece, limit_bytes=_FILE_LIMIT_BYTES)
        if not piece.end:
            return InvalidImage(reason="The file is empty.")
        if piece.end > _FILE_LIMIT_BYTES:
            return InvalidImage(reason=f"The file has more than {_FILE_LIMIT_BYTES:,} bytes.")
        return bytes(fetch(store, piece, 0, piece.end))
    except ObjectNotFound:
        return InvalidImage(reason="The file was deleted before its turn came.")
    except InvalidImage as error:
        return error
