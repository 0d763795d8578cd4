from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from lampyris_build.data.dataset import Dataset
from lampyris_build.findings import Findings, file_digest
from lampyris_build.recipe import Recipe
from lampyris_build.stages import Stage


@pytest.fixture
def findings(recipe: Recipe, dataset: Dataset, stage: Stage, tmp_path: Path) -> Callable[[int], Findings]:
    """Open the findings of a build with a certain seed."""
    return lambda seed: Findings(tmp_path, msgspec.structs.replace(recipe, seed=seed), dataset, stage)


def test_what_was_found_out_is_not_found_out_again(findings: Callable[[int], Findings]) -> None:
    found = iter([0.1, 0.2])

    first = findings(1).once("score", ["of this"], float, lambda: next(found))
    again = findings(1).once("score", ["of this"], float, lambda: next(found))

    assert (first, again) == (0.1, 0.1)


@pytest.mark.parametrize(("seed", "made_of"), [(2, "of this"), (1, "of that")])
def test_what_was_made_of_something_else_does_not_count(
    findings: Callable[[int], Findings], seed: int, made_of: str
) -> None:
    findings(1).once("score", ["of this"], float, lambda: 0.1)

    anew = findings(seed).once("score", [made_of], float, lambda: 0.2)

    assert anew == 0.2


def test_file_that_was_half_made_anew_is_not_taken_for_the_one_before(
    findings: Callable[[int], Findings], tmp_path: Path
) -> None:
    file = tmp_path / "model"

    def make(content: str) -> str:
        file.write_text(content)
        if content == "half":
            raise KeyboardInterrupt
        return file_digest(file)

    findings(1).once("model", ["of this"], str, lambda: make("whole"))
    with pytest.raises(KeyboardInterrupt):
        findings(1).once("model", ["of that"], str, lambda: make("half"))

    findings(1).once("model", ["of this"], str, lambda: make("whole again"))

    assert file.read_text() == "whole again"


def test_number_that_cannot_be_kept_is_found_out_again(findings: Callable[[int], Findings]) -> None:
    findings(1).once("score", [], float, lambda: float("nan"))

    assert findings(1).once("score", [], float, lambda: 0.5) == 0.5
