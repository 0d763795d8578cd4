"""What a card says of a version."""

from collections.abc import Callable

import pytest

from lampyris.cards.card import Card, model_card
from lampyris.cards.markdown import to_markdown
from lampyris.domain.manifest import Alias, Evidence, Manifest, Route
from lampyris.domain.signature import Signature, TensorSpec

ManifestOf = Callable[..., Manifest]


def section(card: Card, title: str) -> str:
    """Return a section's text, without its heading."""
    return to_markdown(card).partition(f"## {title}\n\n")[2].partition("\n\n## ")[0]


def test_card_has_the_sections_that_people_look_for(manifest_of: ManifestOf) -> None:
    card = model_card(manifest_of())

    assert card.title == "iris, version 3"
    assert [section.title for section in card.sections] == [
        "Model details",
        "Intended use",
        "Metrics",
        "Gates",
        "Provenance",
        "Licences",
        "Signature",
        "Inputs and outputs",
        "How to call it",
        "Files",
    ]


def test_card_tells_who_published_when_and_why(manifest_of: ManifestOf) -> None:
    details = section(model_card(manifest_of()), "Model details")

    assert "| Published | 2026-07-01 12:00:00 UTC by ada |" in details
    assert "| Reason | better on petals |" in details


def test_card_keeps_what_was_measured_apart_from_what_the_build_told(manifest_of: ManifestOf) -> None:
    told = section(model_card(manifest_of()), "Metrics")

    measured, _, claimed = told.partition("Told by its build")
    assert "| accuracy | 0.95 |" in measured
    assert "| int8: accuracy | 0.97 |" in claimed


def test_card_shows_every_gate_with_its_verdict(manifest_of: ManifestOf) -> None:
    gates = section(model_card(manifest_of()), "Gates")

    assert "| min_accuracy | 0.9 | 0.95 | passed |" in gates
    assert "| max_drop_fp32 | 0.01 | could not be measured | failed |" in gates
    assert "| max_drop_live | 0.01 | nothing to compare with | passed |" in gates
    assert "| max_size_bytes | 1,000,000 | 148,395 | passed |" in gates


def test_card_names_every_digest(manifest_of: ManifestOf) -> None:
    text = to_markdown(model_card(manifest_of()))

    assert all(letter * 64 in text for letter in "abdef9")


def test_card_tells_which_aliases_use_the_version(
    manifest_of: ManifestOf, alias_of: Callable[..., Alias]
) -> None:
    this, other = manifest_of(), manifest_of(version=2)
    aliases = [
        alias_of("live", Route(weight=90, manifest=other), Route(weight=10, manifest=this)),
        alias_of("next", Route(weight=100, manifest=other), shadow=Route(weight=50, manifest=this)),
        alias_of("old", Route(weight=100, manifest=other)),
    ]

    details = section(model_card(this, aliases), "Model details")

    assert "live: 10 % of the requests; next: copies of 50 % of the requests" in details
    assert "old" not in details


@pytest.mark.parametrize(
    ("fields", "release"),
    [
        ({"hold": True, "evidence": Evidence()}, "held, as its uploader wanted"),
        ({}, "held, as it failed its gates"),
        ({"evidence": Evidence()}, "was to go live when it was published"),
    ],
)
def test_card_tells_why_a_version_was_held(
    manifest_of: ManifestOf, fields: dict[str, object], release: str
) -> None:
    details = section(model_card(manifest_of(**fields)), "Model details")

    assert f"| Release | {release} |" in details


def test_card_of_a_bare_model_says_what_is_not_known(manifest_of: ManifestOf) -> None:
    card = model_card(manifest_of(licences=(), metrics={}, provenance={}, evidence=Evidence()))

    assert section(card, "Intended use") == "Its build does not say what it is meant for."
    assert section(card, "Metrics") == "Nothing was measured."
    assert section(card, "Gates") == "It had no gates to pass."
    assert section(card, "Provenance") == "Its upload says nothing of its build."
    assert section(card, "Licences") == "Its upload names no licence."
    assert section(card, "Signature") == "Nobody asked for a signature when it was published."


@pytest.mark.parametrize(
    ("inputs", "call"),
    [
        (
            (TensorSpec(name="features", datatype="FP32", shape=(-1, 4)),),
            """curl "$API/models/iris/versions/3/predict" --json '{"inputs":[[0,0,0,0]]}'""",
        ),
        (
            (
                TensorSpec(name="word", datatype="BYTES", shape=(-1, 1)),
                TensorSpec(name="n", datatype="INT64", shape=()),
            ),
            """curl "$API/models/iris/versions/3/predict" --json '{"inputs":{"word":[[""]],"n":0}}'""",
        ),
        (
            (TensorSpec(name="pixels", datatype="UINT8", shape=(-1, 28, 28, 1)),),
            """-H "Content-Type: image/png" --data-binary @picture.png""",
        ),
        ((TensorSpec(name="x", datatype="FP32", shape=(-1, 1000)),), "--json @inputs.json"),
        ((TensorSpec(name="a'; rm -rf / #", datatype="FP32", shape=(1,)),) * 2, "--json @inputs.json"),
    ],
)
def test_card_shows_a_call_that_fits_the_inputs(
    manifest_of: ManifestOf, inputs: tuple[TensorSpec, ...], call: str
) -> None:
    outputs = (TensorSpec(name="p", datatype="FP32", shape=(-1, 3)),)

    card = model_card(manifest_of(signature=Signature(inputs=inputs, outputs=outputs)))

    assert call in section(card, "How to call it")


def test_card_of_a_talkative_build_stays_short(manifest_of: ManifestOf) -> None:
    provenance = {f"key {number}": "x" * 10_000 for number in range(1000)}

    text = to_markdown(model_card(manifest_of(provenance=provenance)))

    assert "And 900 more, in the manifest." in text
    assert len(text) < 100_000
