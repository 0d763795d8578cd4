"""Verbs about a version's papers: its model card, and its bill of materials."""

import hashlib
from typing import Any

import msgspec

from lampyris.cards.card import model_card
from lampyris.cards.html import to_html
from lampyris.cards.markdown import to_markdown
from lampyris.control.call import Caller, Registry
from lampyris.control.versions import OneVersion
from lampyris.domain.layout import blob_key
from lampyris.domain.names import check_model_name
from lampyris.errors import ArtifactDamaged, BillOfMaterialsNotFound
from lampyris.registry.documents import read_aliases, read_version


class CardTexts(msgspec.Struct, frozen=True, kw_only=True):
    """A model card, as Markdown and as a page of HTML."""

    model: str
    version: int
    markdown: str
    html: str


def show_card(registry: Registry, arguments: OneVersion, _caller: Caller) -> CardTexts:
    """Raises: VersionNotFound, VersionDeleted, InvalidName."""
    model = check_model_name(arguments.model)
    manifest = read_version(registry.store, model, arguments.version)
    card = model_card(manifest, read_aliases(registry.store, model))
    return CardTexts(model=model, version=manifest.version, markdown=to_markdown(card), html=to_html(card))


def show_bill(registry: Registry, arguments: OneVersion, _caller: Caller) -> dict[str, Any]:
    """Return a bill of materials, CycloneDX in JSON.

    Raises: BillOfMaterialsNotFound if the version has none; VersionNotFound, VersionDeleted, InvalidName;
        ArtifactDamaged.
    """
    model = check_model_name(arguments.model)
    blob = read_version(registry.store, model, arguments.version).evidence.bill_of_materials
    if blob is None:
        raise BillOfMaterialsNotFound(model=model, version=arguments.version)
    data = registry.store.get(blob_key(blob.digest)).data
    if hashlib.sha256(data).hexdigest() != blob.digest:
        raise ArtifactDamaged(digest=blob.digest, part=0)
    return msgspec.json.decode(data, type=dict[str, Any])
