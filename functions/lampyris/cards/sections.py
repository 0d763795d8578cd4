"""The sections of a card, one by one: from a manifest to words and tables."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from lampyris.cards.section import Block, Section, code, paragraph, table
from lampyris.domain.manifest import Alias, Blob, Gate, Manifest
from lampyris.domain.signature import DYNAMIC, TensorSpec

# Not so much of a part that nothing else is found.
_MOST_ROWS, _MOST_LABELS = 100, 50
# An example in full for a row of numbers, and none for the pixels of a picture.
_MOST_VALUES = 16

# Whole numbers up to here are told as they are.
_EXACT = 1e15


def details(manifest: Manifest, aliases: Sequence[Alias]) -> Section:
    artifact, published = manifest.artifact, manifest.published
    size_bytes = artifact.graph.size_bytes + (artifact.weights.size_bytes if artifact.weights else 0)
    uses = [use for alias in aliases for use in _uses(alias, manifest.version)]
    rows = (
        ("Model", manifest.model),
        ("Version", str(manifest.version)),
        ("Published", f"{published.at:%Y-%m-%d %H:%M:%S %Z} by {published.by}"),
        ("Reason", published.reason),
        ("Upload", manifest.upload),
        ("Release", _release(manifest)),
        ("In use", "; ".join(uses) or "no alias names it"),
        ("Runtime", f"onnxruntime {artifact.onnxruntime}"),
        ("Size", f"{size_bytes:,} bytes"),
    )
    return Section(title="Model details", blocks=(table(("", ""), rows),))


def _release(manifest: Manifest) -> str:
    if manifest.goes_live:
        return "was to go live when it was published"
    return "held, as its uploader wanted" if manifest.hold else "held, as it failed its gates"


def _uses(alias: Alias, version: int) -> Iterator[str]:
    for route in alias.routes:
        if route.manifest.version == version:
            yield f"{alias.alias}: {route.weight} % of the requests"
    if alias.shadow is not None and alias.shadow.manifest.version == version:
        yield f"{alias.alias}: copies of {alias.shadow.weight} % of the requests, without answering"


def intended_use(manifest: Manifest) -> Section:
    """Say what the build says: nobody else can know."""
    told = (manifest.provenance.get("intended_use"), manifest.provenance.get("limitations"))
    blocks = tuple(paragraph(text) for text in told if isinstance(text, str))
    return Section(
        title="Intended use",
        blocks=blocks or (paragraph("Its build does not say what it is meant for."),),
    )


def metrics(manifest: Manifest) -> Section:
    """Set what publishing measured beside what the build told."""
    measured = tuple((name, _figure(value)) for name, value in manifest.evidence.measured.items())
    told = tuple(
        (f"{precision}: {name}", _figure(value))
        for precision, figures in manifest.metrics.items()
        for name, value in figures.items()
    )
    blocks: list[Block] = []
    if measured:
        blocks.append(table(("Measured when it was published", ""), measured))
    if told:
        blocks.append(table(("Told by its build, and not checked", ""), told))
    return Section(title="Metrics", blocks=tuple(blocks) or (paragraph("Nothing was measured."),))


def gates(manifest: Manifest) -> Section:
    if not manifest.evidence.gates:
        return Section(title="Gates", blocks=(paragraph("It had no gates to pass."),))
    rows = tuple(_gate(gate) for gate in manifest.evidence.gates)
    return Section(title="Gates", blocks=(table(("Gate", "Limit", "Measured", ""), rows),))


def _gate(gate: Gate) -> tuple[str, ...]:
    if gate.measured is not None:
        measured = _figure(gate.measured)
    else:  # only that of the live version passes so: the first has none before it
        measured = "nothing to compare with" if gate.passed else "could not be measured"
    return gate.name, _figure(gate.limit), measured, "passed" if gate.passed else "failed"


def provenance(manifest: Manifest) -> Section:
    rows = list(_flat("", manifest.provenance))
    if not rows:
        return Section(title="Provenance", blocks=(paragraph("Its upload says nothing of its build."),))
    blocks: list[Block] = [paragraph("As its build told it.")]
    blocks.append(table(("", ""), tuple(rows[:_MOST_ROWS])))
    if len(rows) > _MOST_ROWS:
        blocks.append(paragraph(f"And {len(rows) - _MOST_ROWS:,} more, in the manifest."))
    return Section(title="Provenance", blocks=tuple(blocks))


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield nested members as rows: a.b.c."""
    if isinstance(value, dict):
        for key, member in value.items():
            yield from _flat(f"{name}.{key}" if name else key, member)
        return
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    yield name, text


def licences(manifest: Manifest) -> Section:
    told = ", ".join(manifest.licences)
    text = told or "Its upload names no licence."
    return Section(title="Licences", blocks=(paragraph(text),))


def signing(manifest: Manifest) -> Section:
    key = manifest.evidence.signed_by
    text = (
        "Nobody asked for a signature when it was published."
        if key is None
        else f"Its bundle is signed by the key whose SHA-256 is {key}."
    )
    return Section(title="Signature", blocks=(paragraph(text),))


def inputs_and_outputs(manifest: Manifest) -> Section:
    signature = manifest.signature
    specs = [("input", spec) for spec in signature.inputs] + [("output", spec) for spec in signature.outputs]
    rows = tuple((kind, spec.name, spec.datatype, _shape(spec)) for kind, spec in specs)
    blocks: list[Block] = [table(("", "Name", "Datatype", "Shape"), rows)]
    if signature.labels is not None:
        more = len(signature.labels) - _MOST_LABELS
        names = ", ".join(signature.labels[:_MOST_LABELS]) + (f" and {more:,} more" if more > 0 else "")
        blocks.append(paragraph(f"Classes: {names}."))
    return Section(title="Inputs and outputs", blocks=tuple(blocks))


def _shape(spec: TensorSpec) -> str:
    return " x ".join("any" if size == DYNAMIC else str(size) for size in spec.shape) or "a single value"


def how_to_call(manifest: Manifest) -> Section:
    path = f"/models/{manifest.model}/versions/{manifest.version}/predict"
    body = _example(manifest)
    if body is not None:
        call = f"curl \"$API{path}\" --json '{body}'"
    elif manifest.signature.image is not None:
        call = f'curl "$API{path}" -H "Content-Type: image/png" --data-binary @picture.png'
    else:
        call = f'curl "$API{path}" --json @inputs.json'
    note = paragraph("Without /versions/… in the path, the version answers that the alias live names.")
    return Section(title="How to call it", blocks=(code(call), note))


def _example(manifest: Manifest) -> str | None:
    """Write a body of one row of zeros; None if it would be long, or hold a name that a shell might obey."""
    inputs = {}
    for spec in manifest.signature.inputs:
        size = 1
        for dimension in spec.shape:
            size *= max(dimension, 1)
        if size > _MOST_VALUES or "'" in spec.name:
            return None
        inputs[spec.name] = _zeros(spec.shape, "" if spec.datatype == "BYTES" else 0)
    body: object = next(iter(inputs.values())) if len(inputs) == 1 else inputs
    return msgspec.json.encode({"inputs": body}).decode()


def _zeros(shape: tuple[int, ...], zero: str | int) -> Any:
    if not shape:
        return zero
    return [_zeros(shape[1:], zero) for _ in range(max(shape[0], 1))]


def files(manifest: Manifest) -> Section:
    """Name the bytes: what was uploaded, and what was made of it."""
    uploaded = tuple((name, digest) for name, digest in manifest.evidence.files.items())
    artifact = manifest.artifact
    made: dict[str, Blob | None] = {
        "graph": artifact.graph,
        "weights": artifact.weights,
        "bill of materials": manifest.evidence.bill_of_materials,
    }
    rows = tuple((name, blob.digest) for name, blob in made.items() if blob is not None)
    blocks = [table(("Made of it", "SHA-256"), rows)]
    if uploaded:
        blocks.insert(0, table(("Uploaded", "SHA-256"), uploaded))
    return Section(title="Files", blocks=tuple(blocks))


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) < _EXACT and value == int(value) else f"{value:,.6g}"
