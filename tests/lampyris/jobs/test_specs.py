"""What a job may be asked to do: whatever is said, it reads nothing but what jobs may read."""

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lampyris.errors import InvalidName, MalformedRequest
from lampyris.jobs.specs import (
    INPUTS,
    BatchSpec,
    EvaluateSpec,
    Spec,
    TrainSpec,
    TuneSpec,
    checked,
    model_of,
    with_digest,
)

RECIPE = 'name = "digits"\n[dataset]\nsource = "sklearn"\nname = "digits"\n'
SPECS = [
    TrainSpec(recipe=RECIPE, data="data/x.csv", workers=4),
    TuneSpec(recipe=RECIPE, trials=9),
    EvaluateSpec(model="digits", recipe=RECIPE),
    BatchSpec(model="digits", input="batch/digits/x.csv", answers="csv"),
]


@pytest.mark.parametrize("spec", SPECS)
def test_specification_is_kept_as_a_dictionary_and_read_back(spec: Spec) -> None:
    kept = msgspec.to_builtins(checked(spec, "bucket"))

    assert msgspec.convert(kept, type(spec)) == spec
    assert msgspec.convert(kept, Spec) == spec
    assert model_of(spec) == "digits"


PARTS = st.sampled_from(
    [
        "data",
        "models",
        "inbox",
        "uploads",
        "jobs",
        "..",
        ".",
        "",
        "x",
        "s3:",
        "bucket",
        "https:",
        "\x00",
        "é",
        "#",
    ]
)


@settings(deadline=None)
@given(place=st.lists(PARTS, max_size=6).map("/".join) | st.text())
def test_no_job_reads_what_is_not_for_jobs(place: str) -> None:
    with suppress(MalformedRequest, InvalidName):
        spec = checked(BatchSpec(model="digits", input=place), "bucket")

        assert isinstance(spec, BatchSpec)
        assert spec.input.startswith(INPUTS)
        assert not {"..", "."}.intersection(spec.input.split("/"))
        assert spec.input not in INPUTS


@settings(deadline=None)
@given(recipe=st.text() | st.text().map(lambda text: f"name = {text}\n[dataset]\n"))
def test_text_that_is_no_recipe_is_refused_in_a_sentence(recipe: str) -> None:
    with suppress(MalformedRequest, InvalidName):
        assert model_of(checked(TrainSpec(recipe=recipe), "bucket"))


@pytest.mark.parametrize("value", ["[" * 20_000, "1" * 5000], ids=["too deep", "too long a number"])
def test_recipe_that_outgrows_its_reader_is_refused_in_a_sentence(value: str) -> None:
    with pytest.raises(MalformedRequest, match="recipe is not TOML"):
        checked(TrainSpec(recipe=f'name = "x"\nseed = {value}\n'), "bucket")


def test_address_is_taken_apart() -> None:
    digest = "0a" * 32

    assert with_digest(f"https://example.com/a/b.zip#sha256={digest}") == (
        "https://example.com/a/b.zip",
        digest,
    )
    assert with_digest("https://example.com/a/b.zip") is None


def test_one_data_cannot_stand_in_for_several_datasets() -> None:
    recipe = 'name = "x"\n' + '[[dataset]]\nsource = "csv"\npath = "s3://b/x"\n' * 2

    with pytest.raises(MalformedRequest, match="2 datasets"):
        checked(TrainSpec(recipe=recipe, data="data/x.csv"), "bucket")
