import subprocess
import sys
from pathlib import Path

import pytest

from lampyris_build.errors import InvalidRecipe
from lampyris_build.recipe import Recipe, load_recipe
from lampyris_build.recipe.compression import Distillation, StaticInt8
from lampyris_build.recipe.models import CnnModel
from lampyris_build.recipe.sources import CsvSource, IdxSource, SklearnSource
from lampyris_build.recipe.tuning import Range

RECIPES = Path(__file__).parents[3] / "recipes"
SMALL = """
name = "digits"

[dataset]
source = "sklearn"
name = "digits"

[model]
architecture = "cnn"

[training]
epochs = 3
"""


def load(tmp_path: Path, text: str) -> Recipe:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    return load_recipe(path)


def test_digits_recipe_needs_no_files() -> None:
    recipe = load_recipe(RECIPES / "digits.toml")

    assert isinstance(recipe.dataset, SklearnSource)
    assert isinstance(recipe.model, CnnModel)
    assert recipe.export.min_score >= 0.97


def test_mnist_recipe_demands_what_it_promises() -> None:
    recipe = load_recipe(RECIPES / "mnist.toml")

    assert recipe.export.min_score >= 0.99
    assert recipe.compression.max_drop <= 0.003


def test_data_stands_in_for_the_dataset_path() -> None:
    recipe = load_recipe(RECIPES / "mnist.toml", data="/elsewhere/mnist")

    assert isinstance(recipe.dataset, IdxSource)
    assert recipe.dataset.path == "/elsewhere/mnist"


def test_data_cannot_stand_in_for_what_scikit_learn_carries() -> None:
    with pytest.raises(InvalidRecipe, match="sklearn, which reads no files"):
        load_recipe(RECIPES / "digits.toml", data="/elsewhere")


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_ready_recipe_names_a_licence_and_a_floor(path: Path) -> None:
    recipe = load_recipe(path)

    assert recipe.licences
    # What a user's own table is good for, nobody knows; and a generator's pictures are only looked at.
    is_known = not isinstance(recipe.sources[0], CsvSource) and recipe.task != "generation"
    assert recipe.export.min_score > 0 or not is_known


def test_recipes_of_the_demo_set_gates() -> None:
    for name in ("digits", "mnist"):
        gates = load_recipe(RECIPES / f"{name}.toml").gates

        assert None not in {gates.min_accuracy, gates.max_drop_fp32, gates.max_drop_live}


def test_several_datasets_are_read_in_order(tmp_path: Path) -> None:
    recipe = load(
        tmp_path,
        """
        name = "houses"
        task = "regression"
        [[dataset]]
        source = "csv"
        path = "old.csv"
        target = "price"
        [[dataset]]
        source = "csv"
        path = "new.csv"
        part = "test"
        types = { zip = "category" }
        [model]
        architecture = "linear-regression"
        """,
    )

    assert [source.part for source in recipe.sources] == ["all", "test"]
    assert isinstance(recipe.sources[1], CsvSource)
    assert recipe.sources[1].types == {"zip": "category"}


def test_steps_of_compression_are_read_in_order(tmp_path: Path) -> None:
    steps = """
        [[compression.steps]]
        step = "distillation"
        student = { architecture = "cnn", channels = [4] }
        [[compression.steps]]
        step = "static-int8"
        """

    first, second = load(tmp_path, SMALL + steps).compression.steps

    assert isinstance(first, Distillation)
    assert first.student == CnnModel(channels=(4,))
    assert second == StaticInt8()


def test_space_of_tuning_may_hold_ranges_and_lists(tmp_path: Path) -> None:
    space = """
        [tune.space]
        "training.learning_rate" = { low = 1e-4, high = 1e-2, log = true }
        "model.hidden" = [16, 32]
        """

    assert load(tmp_path, SMALL + space).tune.space == {
        "training.learning_rate": Range(low=1e-4, high=1e-2, log=True),
        "model.hidden": [16, 32],
    }


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_recipe_written_out_reads_back_equal(path: Path, tmp_path: Path) -> None:
    recipe = load_recipe(path)
    copy = tmp_path / "copy.toml"

    copy.write_text(recipe.to_toml())

    assert load_recipe(copy) == recipe
    assert load_recipe(copy).digest == recipe.digest


def test_path_with_quotes_and_backslashes_survives_writing_out(tmp_path: Path) -> None:
    path = tmp_path / "odd.toml"
    odd = 'C:\\data\\"my" dïgits\n'

    path.write_text(load_recipe(RECIPES / "mnist.toml", data=odd).to_toml(), encoding="utf-8")

    dataset = load_recipe(path).dataset
    assert isinstance(dataset, IdxSource)
    assert dataset.path == odd


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ("epochs = 3", "epoch = 3", r"there is no 'epoch' in \[training\]; did you mean 'epochs'\?"),
        ("[training]", "[trainin]", r"there is no 'trainin' at the top; did you mean 'training'\?"),
        ("epochs = 3", "epochs = 'three'", r"training\.epochs: expected int, got str"),
        ("epochs = 3", "epochs = 0", r"training\.epochs: expected int >= 1"),
        ("epochs = 3", "", r"training: this key is missing: epochs"),
        ("epochs = 3", "epochs = 3\nlearning_rate = nan", r"training\.learning_rate: expected float > 0"),
        ("epochs = 3", "epochs = 3\nlearning_rate = inf", r"training\.learning_rate: expected float <="),
        ("epochs = 3", "epochs = 3\n[export]\nopset = 9", r"there is no 'opset' in \[export\]; it can be"),
        ('"cnn"', '"cnn2"', r"model\.architecture is 'cnn2'; did you mean 'cnn'\? It can be linear"),
        ('"cnn"', '["cnn"]', r"model\.architecture is \['cnn'\]; .* can be linear"),
        ('"cnn"', '"cnn"\nchannels = [8, 0]', r"model\.channels\[1\]: expected int >= 1"),
        ('source = "sklearn"', "", r"dataset\.source is missing; it can be sklearn, idx"),
        ('name = "digits"\n\n[model]', 'name = "digit"\n\n[model]', r"did you mean 'digits'\?"),
        (
            'name = "digits"\n\n[dataset]',
            'name = "My Digits"\n\n[dataset]',
            r"'My Digits' cannot be the name",
        ),
        (
            "[model]",
            "[gates]\nmin_acuracy = 0.9\n[model]",
            r"no 'min_acuracy' in \[gates\]; did you mean 'min_",
        ),
        ("[model]", "[gates]\nmin_accuracy = 97\n[model]", r"gates\.min_accuracy: expected float <= 1"),
        ("[model]", "[gates]\nmin_accuracy = '1'\n[model]", r"gates\.min_accuracy: expected float, got str"),
        ("[model]", "[gates]\nmax_size_bytes = 0.5\n[model]", r"max_size_bytes: expected int, got float"),
        ("[model]", "[gates]\nmax_cold_start_ms = 0\n[model]", r"max_cold_start_ms: expected float > 0"),
        ("[model]", "[gates]\non_failure = 'stop'\n[model]", r"on_failure is 'stop'; it can be hold, refuse"),
        (
            "[dataset]",
            "licences = ['The MIT']\n[dataset]",
            r"licences\[0\]: expected an SPDX identifier, such",
        ),
        ("[dataset]", "licences = 'MIT'\n[dataset]", r"licences: expected array, got str"),
        ("[dataset]", "license = ['MIT']\n[dataset]", r"there is no 'license' .* did you mean 'licences'"),
        (
            "[training]",
            "[[compression.steps]]\nstep = 'int8'\n[training]",
            r"compression\.steps\[0\]\.step is 'int8'; did you mean",
        ),
        (
            "[training]",
            "[[compression.steps]]\nstep = 'distillation'\nstudent = { architecture = 'cn' }\n[training]",
            r"compression\.steps\[0\]\.student\.architecture is 'cn'; did you mean 'cnn'",
        ),
        (
            "[dataset]",
            "[[dataset]]\nsource = 'idx'\npaht = 'x'\n[[dataset]]",
            r"'paht' in \[dataset\[0\]\]; did you",
        ),
        (
            "[training]",
            "[tune.space]\n'training.epochs' = { low = 1 }\n[training]",
            r"tune\.space.*missing: high",
        ),
        ("[model]", "[[model]]", r"model: expected a table, got array"),
        ("[model]", "[model", r"it is not TOML: .*line"),
    ],
)
def test_mistake_is_told_with_what_would_be_right(
    tmp_path: Path, before: str, after: str, sentence: str
) -> None:
    assert before in SMALL

    with pytest.raises(InvalidRecipe, match=sentence):
        load(tmp_path, SMALL.replace(before, after, 1))


def test_missing_recipe_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidRecipe, match="there is no such file"):
        load_recipe(tmp_path / "none.toml")


def test_folder_in_place_of_a_recipe_is_told(tmp_path: Path) -> None:
    with pytest.raises(InvalidRecipe, match="cannot be read"):
        load_recipe(tmp_path)


def test_reading_a_recipe_loads_no_torch() -> None:
    code = "import sys, lampyris_build.recipe; print({'torch', 'sklearn', 'onnx'} & sys.modules.keys())"

    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert answer.stdout.strip() == "set()"
