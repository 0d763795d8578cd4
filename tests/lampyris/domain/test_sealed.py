import msgspec
import pytest

from lampyris.domain.sealed import seal, unseal
from lampyris.errors import DocumentDamaged


class Note(msgspec.Struct):
    text: str


class Later(msgspec.Struct):
    texts: list[str]


def test_document_that_was_altered_is_damaged() -> None:
    data = seal(Note(text="held")).data.replace(b"held", b"live")

    with pytest.raises(DocumentDamaged, match="is damaged"):
        unseal(data)


def test_document_of_a_later_format_is_not_called_damaged() -> None:
    sealed = unseal(seal(Later(texts=["held"])).data)

    with pytest.raises(DocumentDamaged, match="is whole, but not of a format that this Lampyris reads"):
        sealed.decode(Note)
