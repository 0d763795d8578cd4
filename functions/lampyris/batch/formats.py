"""The forms that an input may have: which one it is, and who splits it and reads it."""

from collections.abc import Iterator

from lampyris.batch.npy_file import read_npy_rows, split_npy
from lampyris.batch.parquet import read_parquet, split_parquet
from lampyris.batch.pictures import read_pictures, split_pictures
from lampyris.batch.plan import Format, Piece
from lampyris.batch.room import Room
from lampyris.batch.rows import Chunk
from lampyris.batch.text import read_text, split_csv, split_ndjson
from lampyris.domain.signature import Signature
from lampyris.domain.store import Entry, Store
from lampyris.errors import InvalidInput, ObjectNotFound

_FORMATS: dict[str, Format] = {
    "csv": "csv",
    "ndjson": "ndjson",
    "jsonl": "ndjson",
    "npy": "npy",
    "parquet": "parquet",
    "png": "images",
    "jpg": "images",
    "jpeg": "images",
    "webp": "images",
    "zip": "images",
}


def objects_of(store: Store, place: str) -> Iterator[Entry]:
    """Yield the object at a key, or all objects below a prefix, in key order.

    What programs put beside their data (`_SUCCESS`, `.part`) is passed over.
    """
    if not place.endswith("/"):
        try:
            found = store.head(place)
        except ObjectNotFound:
            place += "/"
        else:
            yield found
            return
    for entry in store.list(place):
        if not _is_hidden(entry, place):
            yield entry


def _is_hidden(entry: Entry, prefix: str) -> bool:
    return any(part.startswith(("_", ".")) for part in entry.key.removeprefix(prefix).split("/"))


def format_of(key: str) -> Format | None:
    """Tell a format by an object's name; None if its name says none."""
    return _FORMATS.get(key.rpartition("/")[2].rpartition(".")[2].lower())


def format_of_input(store: Store, place: str) -> Format:
    """Tell the format of an input by its first object's name. Raises: InvalidInput."""
    first = next(objects_of(store, place), None)
    if first is None:
        raise InvalidInput(reason=f"Nothing stands at {place!r}, nor below it.")
    found = format_of(first.key)
    if found is None:
        raise InvalidInput(
            reason=f"{first.key!r} does not say by its name what it is; give the format, or one of these "
            f"endings: {', '.join(f'.{ending}' for ending in _FORMATS)}."
        )
    return found


def check_format(found: Entry, place: str, wanted: Format) -> bool:
    """Tell whether an object belongs to an input of a format; a folder of pictures may hold other things.

    Raises: InvalidInput if its name says that it is of another.
    """
    said = format_of(found.key)
    if found.key == place or said == wanted:
        return True
    if wanted == "images":
        return False
    if said is not None:
        raise InvalidInput(reason=f"{found.key!r} is not {wanted}, as other objects of the input are.")
    return True


def split(
    store: Store, found: Entry, room: Room, after: int, *, form: Format, signature: Signature
) -> Iterator[Piece]:
    """Yield the pieces of an object from `after` on, which is where a piece ended.

    Raises: InvalidInput if it cannot be read at all.
    """
    if form == "csv":
        return split_csv(store, found, room, after=after, signature=signature)
    if form == "ndjson":
        return split_ndjson(store, found, room, after)
    if form == "npy":
        return split_npy(store, found, room, after=after, signature=signature)
    if form == "images":
        return split_pictures(store, found, after, signature)
    return split_parquet(store, found, room, after=after)


def read(
    store: Store,
    pieces: tuple[Piece, ...],
    signature: Signature,
    *,
    form: Format,
    first_row: int,
    batch_size: int,
) -> Iterator[Chunk]:
    """Yield the rows of a shard, some batches at a time, in order."""
    if form == "images":
        yield from read_pictures(store, pieces, signature, first_row=first_row, batch_size=batch_size)
        return
    for piece in pieces:
        if form in {"csv", "ndjson"}:
            chunks = read_text(
                store, piece, signature, first_row=first_row, batch_size=batch_size, is_csv=form == "csv"
            )
        elif form == "npy":
            chunks = read_npy_rows(store, piece, signature, first_row=first_row, batch_size=batch_size)
        else:
            chunks = read_parquet(store, piece, signature, first_row=first_row, batch_size=batch_size)
        yield from chunks
        first_row += piece.rows
