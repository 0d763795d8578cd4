from pathlib import Path

import pytest

from lampyris_build.errors import InvalidRecipe
from lampyris_build.imports.import_path import make_object


@pytest.fixture(autouse=True)
def _own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder with modules of the user's own."""
    (tmp_path / "own_nets.py").write_text("def Small():\n    return 7\n")
    (tmp_path / "own_broken.py").write_text("1 / 0\n")
    (tmp_path / "own_lacking.py").write_text("import no_such_package\n")
    monkeypatch.chdir(tmp_path)


def test_module_in_the_working_folder_is_found() -> None:
    assert make_object("own_nets:Small", {}, "model.module") == 7


@pytest.mark.parametrize(
    ("reference", "sentence"),
    [
        (
            "own_absent:Net",
            r"model\.module is 'own_absent:Net', but there is no module 'own_absent', neither",
        ),
        ("own_nets:Smal", r"own_nets has no 'Smal'; did you mean 'Small'\?"),
        ("own_nets:Quite", r"own_nets has no 'Quite'\.$"),
        ("own_broken:Net", r"fails to import: ZeroDivisionError: division by zero"),
        ("own_lacking:Net", r"there is no module 'no_such_package'"),
    ],
)
def test_what_cannot_be_imported_is_told(reference: str, sentence: str) -> None:
    with pytest.raises(InvalidRecipe, match=sentence):
        make_object(reference, {}, "model.module")
