import hashlib
import subprocess
from pathlib import Path

import pytest
import torch

from lampyris_build.data.dataset import Dataset
from lampyris_build.provenance import git_commit, provenance_of
from lampyris_build.recipe import Recipe


def git(*arguments: str) -> str:
    identity = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.com")
    answer = subprocess.run(["git", *identity, *arguments], check=True, capture_output=True, text=True)
    return answer.stdout.strip()


def test_provenance_names_recipe_data_seed_and_libraries(recipe: Recipe, dataset: Dataset) -> None:
    provenance = provenance_of(recipe, dataset)

    assert provenance["recipe"] == hashlib.sha256(recipe.to_toml().encode()).hexdigest()
    assert provenance["dataset"]["digest"] == dataset.digest
    assert provenance["dataset"]["test"] == len(dataset.test)
    assert provenance["seed"] == 3
    assert {"torch", "onnx", "onnxruntime", "lampyris"} <= provenance["libraries"].keys()
    assert provenance["libraries"]["torch"] == torch.__version__


def test_commit_is_that_of_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    git("init", "--quiet")
    (tmp_path / "file").write_text("one")
    git("add", "file")
    git("commit", "--quiet", "--message", "one")
    clean = git_commit()

    (tmp_path / "file").write_text("two")

    assert clean == git("rev-parse", "HEAD")
    assert git_commit() == f"{clean}-dirty"


def test_outside_a_repository_there_is_no_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))

    assert git_commit() is None
