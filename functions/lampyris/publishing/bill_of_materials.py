"""Write the software bill of materials of a version: CycloneDX 1.6, with the model as its subject.

It holds what publishing knows for itself (digests, figures, the runtime) and what the bundle tells of its
build: dataset and packages, where its provenance has the form that a build gives it.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

import msgspec

from lampyris import __version__
from lampyris.domain.signature import TensorSpec
from lampyris.publishing.confinement import Accepted
from lampyris.publishing.inbox import Received

SPEC_VERSION = "1.6"
_MODEL, _DATASET, _RUNTIME = "model", "dataset", "runtime"
_SHA256 = re.compile("[0-9a-f]{64}")
# CycloneDX takes identifiers of SPDX's list only, and any other licence by name. Those that models have:
_SPDX = frozenset(
    {
        "AGPL-3.0-only",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "CC-BY-4.0",
        "CC-BY-NC-4.0",
        "CC-BY-NC-SA-4.0",
        "CC-BY-SA-4.0",
        "CC0-1.0",
        "GPL-3.0-only",
        "GPL-3.0-or-later",
        "LGPL-3.0-only",
        "MIT",
        "MPL-2.0",
    }
)


def bill_of_materials(model: str, received: Received, accepted: Accepted, *, at: datetime) -> bytes:
    """Describe what a version is made of, as JSON. The same upload, tried again, keeps its serial number."""
    provenance = {} if received.bundle is None else received.bundle.provenance
    components = [_runtime(accepted), *_dataset(provenance), *_packages(provenance)]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": SPEC_VERSION,
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, f'lampyris:{model}/{received.source}')}",
        "version": 1,
        "metadata": {
            "timestamp": at.isoformat(),
            "tools": {"components": [{"type": "application", "name": "lampyris", "version": __version__}]},
            "component": _model(model, received, accepted, has_dataset=any(_dataset(provenance))),
        },
        "components": components,
        "dependencies": [{"ref": _MODEL, "dependsOn": [component["bom-ref"] for component in components]}],
    }
    return msgspec.json.encode(document)


def _model(name: str, received: Received, accepted: Accepted, *, has_dataset: bool) -> dict[str, Any]:
    licences = () if received.bundle is None else received.bundle.licences
    parameters = {
        "inputs": [_format(spec) for spec in accepted.signature.inputs],
        "outputs": [_format(spec) for spec in accepted.signature.outputs],
    }
    if has_dataset:
        parameters["datasets"] = [{"ref": _DATASET}]
    return {
        "type": "machine-learning-model",
        "bom-ref": _MODEL,
        "name": name,
        "hashes": [{"alg": "SHA-256", "content": received.source}],
        "licenses": [_licence(licence) for licence in licences],
        "modelCard": {
            "modelParameters": parameters,
            "quantitativeAnalysis": {
                "performanceMetrics": [
                    {"type": figure, "value": f"{value:g}"} for figure, value in accepted.measured.items()
                ]
            },
        },
    }


def _format(spec: TensorSpec) -> dict[str, str]:
    return {"format": f"{spec.name}: {spec.datatype} {list(spec.shape)}"}


def _licence(licence: str) -> dict[str, Any]:
    return {"license": {"id" if licence in _SPDX else "name": licence}}


def _runtime(accepted: Accepted) -> dict[str, Any]:
    return {
        "type": "framework",
        "bom-ref": _RUNTIME,
        "name": "onnxruntime",
        "version": accepted.onnxruntime,
        "scope": "required",
        "licenses": [_licence("MIT")],
        "purl": _purl("onnxruntime", accepted.onnxruntime),
    }


def _dataset(provenance: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the dataset that the model was trained on, if the build names one."""
    match provenance.get("dataset"):
        case {"name": str(name), "digest": str(digest)} if _SHA256.fullmatch(digest):
            yield {
                "type": "data",
                "bom-ref": _DATASET,
                "name": name,
                "scope": "excluded",
                "hashes": [{"alg": "SHA-256", "content": digest}],
                "data": [{"type": "dataset", "name": name}],
            }


def _packages(provenance: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the packages that the model was built with; they are no part of what runs."""
    packages = provenance.get("libraries")
    for name, version in packages.items() if isinstance(packages, dict) else ():
        if name and isinstance(version, str):
            yield {
                "type": "library",
                "bom-ref": f"build/{name}",
                "name": name,
                "version": version,
                "scope": "excluded",
                "purl": _purl(name, version),
            }


def _purl(name: str, version: str) -> str:
    return f"pkg:pypi/{quote(name.lower().replace('_', '-'), safe='')}@{quote(version, safe='')}"
