"""A version's papers."""

from typing import Any

import msgspec
import pytest

from lampyris.control.call import Registry
from lampyris.domain.layout import blob_key
from lampyris.domain.manifest import Evidence
from lampyris.errors import ArtifactDamaged, BillOfMaterialsNotFound, VersionNotFound
from lampyris.registry.blobs import put_blobs, release

BILL = {"bomFormat": "CycloneDX", "specVersion": "1.6"}


@pytest.fixture
def billed(registry: Registry, publish: Any) -> str:
    """Publish a version with a bill of materials, and name the bill."""
    (blob,) = put_blobs(registry.store, "bill", [msgspec.json.encode(BILL)])
    release(registry.store, "bill")
    publish(evidence=Evidence(bill_of_materials=blob))
    return blob_key(blob.digest)


def test_card_tells_of_the_version_and_of_the_aliases_that_use_it(run: Any, publish: Any) -> None:
    publish()

    card = run("versions card", model="iris", version=1)

    assert (card.model, card.version) == ("iris", 1)
    assert card.markdown.startswith("# iris, version 1")
    assert "live" in card.markdown
    assert card.html.startswith("<!DOCTYPE html>")


def test_bill_of_materials_is_the_document_that_was_put(run: Any, billed: str) -> None:
    assert run("versions bill-of-materials", model="iris", version=1) == BILL


def test_bill_that_was_altered_is_not_shown(run: Any, billed: str, registry: Registry) -> None:
    registry.store.put(billed, b"{}")

    with pytest.raises(ArtifactDamaged):
        run("versions bill-of-materials", model="iris", version=1)


def test_version_without_a_bill_says_so(run: Any, publish: Any) -> None:
    publish()

    with pytest.raises(BillOfMaterialsNotFound, match="Version 1 of model 'iris'"):
        run("versions bill-of-materials", model="iris", version=1)


@pytest.mark.parametrize("verb", ["versions card", "versions bill-of-materials"])
def test_papers_of_no_version_are_not_found(verb: str, run: Any) -> None:
    with pytest.raises(VersionNotFound):
        run(verb, model="iris", version=1)
