"""Plain text, to learn what comes next: its characters are the tokens.

Shape suffixes: N windows, L tokens of a window.
"""

import codecs
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from lampyris_build.data.dataset import Feature, Samples, Source
from lampyris_build.data.spool import Spool
from lampyris_build.errors import DatasetBroken, DatasetMissing
from lampyris_build.recipe.sources import TextSource

_BLOCK_BYTES: Final = 4 * 1024**2
# A character that is found in no text of the training set would have no embedding: this many are a mistake.
_MAX_VOCABULARY: Final = 4096


def read_text(source: TextSource, path: Path) -> Source:
    """Read a file, or a folder of .txt files in the order of their names, one after the other.

    `classes` are its characters, in the order of their code points. Inputs (N, L) are the text cut into
    windows of `context` tokens, and targets (N, L) the token after each: what is left at the end is too short
    for a window.
    Raises: DatasetMissing, DatasetBroken.
    """
    vocabulary = sorted(set().union(*(set(text) for text in _texts(path))))
    if len(vocabulary) > _MAX_VOCABULARY:
        raise DatasetBroken(
            path=path,
            reason=f"it has {len(vocabulary):,} different characters; a vocabulary of characters has at most "
            f"{_MAX_VOCABULARY:,}.",
        )
    codes_V = np.array([ord(character) for character in vocabulary], np.uint32)
    spool = Spool(np.int64, ())
    for text in _texts(path):
        spool.append(np.searchsorted(codes_V, np.frombuffer(text.encode("utf-32-le"), np.uint32)))
    tokens = spool.finish()
    windows = (len(tokens) - 1) // source.context
    if windows < 1:
        raise DatasetBroken(
            path=path,
            reason=f"it has {len(tokens):,} characters; dataset.context = {source.context} takes one more "
            "than that at least.",
        )
    end = windows * source.context
    return Source(
        name=path.name,
        features=(Feature(name="tokens", kind="tokens", shape=(source.context,)),),
        samples=Samples(
            inputs={"tokens": tokens[:end].reshape(windows, source.context)},
            targets=tokens[1 : end + 1].reshape(windows, source.context),
        ),
        classes=tuple(vocabulary),
    )


def _texts(path: Path) -> Iterator[str]:
    """Yield the text piece by piece; line ends stay as they are."""
    files = sorted(path.rglob("*.txt")) if path.is_dir() else [path]
    if not files:
        raise DatasetMissing(path=path, wanted="it is a folder without files called .txt.")
    for file in files:
        yield from _pieces(file)


def _pieces(path: Path) -> Iterator[str]:
    if not path.is_file():
        raise DatasetMissing(path=path, wanted="looked for a text in UTF-8, or a folder of them.")
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                yield decoder.decode(block)
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise DatasetBroken(path=path, reason=f"it is no text in UTF-8: {error.reason}.") from None
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetBroken(path=path, reason=f"it cannot be read: {error}.") from None
