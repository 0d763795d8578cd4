"""What a manifest says of where a version comes from."""

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec
import onnx
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from lampyris.adapters.memory_store import MemoryStore
from lampyris.domain.layout import RESERVATIONS, Upload, blob_key
from lampyris.domain.manifest import Manifest, Rejection
from lampyris.publishing.admission import Trial

Files = dict[str, bytes]
Changed = Callable[..., Files]
Send = Callable[..., Upload]
Publish = Callable[..., Manifest | Rejection]
Measuring = Callable[..., Trial]
PROVENANCE = {
    "dataset": {"name": "iris", "digest": "d" * 64, "train": 120},
    "libraries": {"torch": "2.13.0+cpu", "scikit_learn": "1.9.1"},
}


@pytest.fixture
def bill_of(store: MemoryStore) -> Callable[[Manifest | Rejection], dict[str, Any]]:
    """Read a version's bill of materials, and hold it against the schema of CycloneDX."""

    def read(manifest: Manifest | Rejection) -> dict[str, Any]:
        assert isinstance(manifest, Manifest)
        blob = manifest.evidence.bill_of_materials
        assert blob is not None
        data = store.get(blob_key(blob.digest)).data
        assert hashlib.sha256(data).hexdigest() == blob.digest
        assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(data.decode()) is None
        document: dict[str, Any] = msgspec.json.decode(data)
        return document

    return read


BillOf = Callable[[Manifest | Rejection], dict[str, Any]]


def test_digests_of_all_files_of_a_bundle_are_written_down(
    bundle: Files, send: Send, publish: Publish, measuring: Measuring
) -> None:
    manifest = publish(send(bundle), trial=measuring())

    assert isinstance(manifest, Manifest)
    assert manifest.evidence.files == {
        name if name == "bundle.json" else f"files/{name}": hashlib.sha256(data).hexdigest()
        for name, data in bundle.items()
    }


def test_digest_of_a_bare_model_is_written_down(
    mlp: Callable[..., onnx.ModelProto], send: Send, publish: Publish, measuring: Measuring
) -> None:
    data = mlp(4, 3).SerializeToString()

    manifest = publish(send({"My model.onnx": data}), trial=measuring())

    assert isinstance(manifest, Manifest)
    assert manifest.evidence.files == {"My model.onnx": hashlib.sha256(data).hexdigest()}
    assert manifest.source == hashlib.sha256(data).hexdigest()


def test_bill_of_materials_names_model_runtime_dataset_and_packages(
    changed: Changed, send: Send, publish: Publish, measuring: Measuring, bill_of: BillOf
) -> None:
    files = changed(provenance=PROVENANCE, licences=("Apache-2.0", "LicenseRef-Own"))

    manifest = publish(send(files), trial=measuring(accuracy=0.95))

    bill = bill_of(manifest)
    model = bill["metadata"]["component"]
    assert isinstance(manifest, Manifest)
    assert (model["type"], model["name"]) == ("machine-learning-model", "iris")
    assert model["hashes"] == [{"alg": "SHA-256", "content": manifest.source}]
    assert model["licenses"] == [
        {"license": {"id": "Apache-2.0"}},
        {"license": {"name": "LicenseRef-Own"}},
    ]
    card = model["modelCard"]
    assert card["modelParameters"]["datasets"] == [{"ref": "dataset"}]
    assert card["quantitativeAnalysis"]["performanceMetrics"] == [{"type": "accuracy", "value": "0.95"}]
    components = {component["bom-ref"]: component for component in bill["components"]}
    assert components["runtime"]["purl"] == "pkg:pypi/onnxruntime@1.31.1"
    assert components["dataset"]["hashes"] == [{"alg": "SHA-256", "content": "d" * 64}]
    assert components["build/torch"]["purl"] == "pkg:pypi/torch@2.13.0%2Bcpu"
    assert components["build/scikit_learn"]["purl"] == "pkg:pypi/scikit-learn@1.9.1"


def test_bare_model_has_a_bill_of_materials_as_well(
    mlp: Callable[..., onnx.ModelProto], send: Send, publish: Publish, bill_of: BillOf
) -> None:
    bill = bill_of(publish(send({"model.onnx": mlp(4, 3).SerializeToString()})))

    assert [component["name"] for component in bill["components"]] == ["onnxruntime"]


@pytest.mark.parametrize(
    "provenance",
    [
        {"dataset": "iris", "libraries": ["torch"]},
        {"dataset": {"name": "iris", "digest": "not hexadecimal"}, "libraries": {"torch": 2}},
        {"dataset": {"name": 1, "digest": "d" * 64}, "libraries": None},
        {"dataset": {"name": "<script>", "digest": "d" * 64}, "libraries": {"a b/c@d?e#f": "1 & 2"}},
        {"libraries": {"torch": "", "Torch": "1", "": "1"}},
        {"dataset": {"name": "", "digest": "d" * 64}},
    ],
)
def test_whatever_a_bundle_says_of_its_build_the_bill_of_materials_is_one(
    changed: Changed,
    send: Send,
    publish: Publish,
    measuring: Measuring,
    bill_of: BillOf,
    provenance: dict[str, Any],
) -> None:
    files = changed(provenance=provenance, licences=("GPL-9.9", "MIT", "MIT"))

    assert bill_of(publish(send(files), trial=measuring()))


def test_nothing_stays_reserved_once_it_is_decided(
    store: MemoryStore, changed: Changed, send: Send, publish: Publish, measuring: Measuring
) -> None:
    publish(send(changed()), trial=measuring())
    publish(send(changed(format=2), upload="u2"), trial=measuring())

    assert list(store.list(RESERVATIONS)) == []
