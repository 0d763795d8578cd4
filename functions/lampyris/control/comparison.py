"""Versions side by side: what each measures, promises and comes from, a row for each fact."""

from collections.abc import Iterator
from typing import Annotated

import msgspec

from lampyris.control.call import Caller, Registry
from lampyris.control.fields import ModelName, VersionNumber
from lampyris.control.versions import living
from lampyris.domain.manifest import Gate, Manifest
from lampyris.domain.names import check_model_name
from lampyris.registry.documents import read_version
from lampyris.registry.reading import read_each

Value = float | str | None
# What a fact is about, and its name.
_Name = tuple[str, str]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One fact, in the order of the versions; null where a version has it not."""

    group: str
    name: str
    values: tuple[Value, ...]
    differs: bool


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Versions of a model side by side. Groups are: artifact, measured, metrics, gates, signature, origin."""

    model: str
    versions: tuple[int, ...]
    rows: tuple[Row, ...]


class Compare(msgspec.Struct, frozen=True, kw_only=True):
    model: ModelName
    versions: Annotated[
        tuple[VersionNumber, ...],
        msgspec.Meta(min_length=2, max_length=10, description="The versions to compare: 2 to 10 of them."),
    ]


def compare(registry: Registry, arguments: Compare, _caller: Caller) -> Comparison:
    """Raises: VersionNotFound, VersionDeleted, InvalidName."""
    model = check_model_name(arguments.model)
    manifests = read_each(lambda version: read_version(registry.store, model, version), arguments.versions)
    facts = [dict(_facts(manifest)) for manifest in manifests]
    names = dict.fromkeys(name for one in facts for name in one)
    rows = []
    for group, name in sorted(names, key=lambda row: _GROUPS.index(row[0])):
        values = tuple(one.get((group, name)) for one in facts)
        rows.append(Row(group=group, name=name, values=values, differs=len(set(values)) > 1))
    return Comparison(model=model, versions=arguments.versions, rows=tuple(rows))


_GROUPS = ("artifact", "measured", "metrics", "gates", "signature", "origin")


def _facts(manifest: Manifest) -> Iterator[tuple[_Name, Value]]:
    yield ("artifact", "size_bytes"), living(manifest).size_bytes
    yield ("artifact", "onnxruntime"), manifest.artifact.onnxruntime
    yield ("artifact", "digest"), manifest.artifact.digest
    for name, measured in manifest.evidence.measured.items():
        if name != "size_bytes":  # it is the artifact's
            yield ("measured", name), measured
    for precision, metrics in manifest.metrics.items():
        for name, metric in metrics.items():
            yield ("metrics", f"{precision} {name}"), metric
    for gate in manifest.evidence.gates:
        yield ("gates", gate.name), _verdict(gate)
    for kind, specs in (("input", manifest.signature.inputs), ("output", manifest.signature.outputs)):
        for spec in specs:
            yield ("signature", f"{kind} {spec.name}"), f"{spec.datatype} {list(spec.shape)}"
    if manifest.signature.labels is not None:
        yield ("signature", "labels"), ", ".join(manifest.signature.labels)
    yield ("origin", "created_at"), manifest.created_at.isoformat()
    yield ("origin", "published_by"), manifest.published.by
    yield ("origin", "upload"), manifest.upload
    yield ("origin", "source"), manifest.source
    yield ("origin", "signed_by"), manifest.evidence.signed_by
    yield ("origin", "licences"), ", ".join(manifest.licences) or None


def _verdict(gate: Gate) -> str:
    measured = "not measured" if gate.measured is None else f"{gate.measured:g}"
    return f"{'passed' if gate.passed else 'failed'}: {measured}, limit {gate.limit:g}"
