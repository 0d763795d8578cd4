"""What docs/build.md tells people to write and to type works as it is printed, and it tells of everything."""

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from lampyris.domain.bundle import Gates
from lampyris_build import errors
from lampyris_build.recipe.compression import AnyStep, Compression
from lampyris_build.recipe.models import AnyModel
from lampyris_build.recipe.reading import recipe_of
from lampyris_build.recipe.recipe import Export, Recipe
from lampyris_build.recipe.sources import AnySource, Augmentation, Cleaning, Split, Window
from lampyris_build.recipe.training import Training
from lampyris_build.recipe.tuning import Evaluation, Range, Tune
from lampyris_local.cli.commands import app

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "build.md").read_text()

TABLES: dict[str, type[msgspec.Struct]] = {
    "At the top": Recipe,
    "`[cleaning]`": Cleaning,
    "`[window]`": Window,
    "`[split]`": Split,
    "`[augmentation]`": Augmentation,
    "`[training]`": Training,
    "`[evaluation]`": Evaluation,
    "`[compression]`": Compression,
    "`[export]`": Export,
    "`[gates]`": Gates,
    "`[tune]`": Tune,
    "A range in `[tune.space]`": Range,
}
CHOICES: dict[str, Any] = {
    "`[dataset]`": AnySource,
    "`[model]`": AnyModel,
    "`[[compression.steps]]`": AnyStep,
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table below a heading of "Every key"."""
    section = GUIDE.partition("## Every key\n")[2].partition(f"### {heading}\n")[2].partition("\n##")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def default_of(field: msgspec.structs.FieldInfo) -> Any:
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return field.default


def told(default: Any) -> str:
    """Write a default as the guide does."""
    if default is msgspec.NODEFAULT:
        return "required"
    return "" if default is None else toml(default)


def toml(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(toml, value))}]"
    return msgspec.json.encode(value).decode()


@pytest.fixture
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with what the guide's reader has: the files that it shows, and customers."""
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    recipes = [block for block in blocks("toml") if block.startswith("name = ")]
    for name, recipe in zip(("churn", "plays", "pipeline"), recipes, strict=True):
        (tmp_path / f"{name}.toml").write_text(recipe)
    for name, program in zip(("go_on", "my_models"), blocks("python"), strict=True):
        (tmp_path / f"{name}.py").write_text(program)
    (tmp_path / "plays.txt").write_text("ROMEO: But, soft! what light through yonder window breaks?\n" * 80)
    customers, questions = blocks("csv")
    (tmp_path / "customers.csv").write_text(customers.partition("\n")[0] + "\n" + made_up_customers())
    (tmp_path / "new-customers.csv").write_text(questions)
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield tmp_path
    torch.set_num_threads(threads)
    sys.modules.pop("my_models", None)


def made_up_customers() -> str:
    """Lines of customers who leave if they complained often; some minutes are missing."""
    rng = np.random.default_rng(0)
    lines = []
    for number in range(400):
        complaints = rng.integers(0, 5)
        minutes = "" if rng.random() < 0.05 else f"{rng.uniform(0, 900):.1f}"
        plan, town = rng.choice(["basic", "family", "business"]), rng.choice(["Bern", "Graz", "Ulm"])
        since = f"{rng.integers(2021, 2026)}-0{rng.integers(1, 10)}-01"
        left = "yes" if complaints > 2 else "no"
        lines.append(f"C{number:05d},{since},{plan},{town},{minutes},{complaints},{left}\n")
    return "".join(lines)


def test_guide_works_as_it_is_printed(working_folder: Path) -> None:
    lines = [
        line.replace("$PWD", str(working_folder)) for block in blocks("sh") for line in block.splitlines()
    ]
    runner = CliRunner()

    results = []
    for line in lines:
        program, *arguments = shlex.split(line)
        result = runner.invoke(app, arguments)
        assert (program, result.exit_code) == ("lampyris", 0), f"{line}: {result.stdout}{result.stderr}"
        results.append(result.stdout)

    assert [line.split()[1] for line in lines] == ["build", "publish", "predict", "build", "build", "build"]
    assert re.findall(r"\b(yes|no) +\d", results[2]) == ["yes", "no"]
    text = subprocess.run([sys.executable, "go_on.py"], capture_output=True, text=True, check=True).stdout
    assert len(text) == len("ROMEO:") + 20 + len("\n")
    kept = {path.name for path in (working_folder / "bundles" / "churn").rglob("*") if path.is_file()}
    listed = set(re.findall(r"`(?:files/)?([\w.]+\.(?:html|csv|json|onnx|npz|toml))`", GUIDE))
    assert kept <= listed


@pytest.mark.parametrize("block", blocks("toml"), ids=lambda block: block.splitlines()[-1])
def test_every_snippet_is_part_of_a_recipe(block: str) -> None:
    whole = tomllib.loads(next(one for one in blocks("toml") if one.startswith("name = ")))

    recipe = recipe_of(whole | tomllib.loads(block), "docs/build.md")

    assert recipe_of(tomllib.loads(recipe.to_toml()), "written out") == recipe


@pytest.mark.parametrize("heading", TABLES)
def test_guide_lists_every_key_with_its_default(heading: str) -> None:
    fields = msgspec.structs.fields(TABLES[heading])

    listed = {
        name: default.strip("`")
        for keys, default, _ in rows(heading)
        for name in re.findall(r"`(\w+)`", keys)
    }

    wanted = {field.encode_name: told(default_of(field)) for field in fields}
    # A table of its own has its defaults there.
    wanted = {
        name: "" if default.startswith("{") and default != "{}" else default
        for name, default in wanted.items()
    }
    assert listed == wanted


@pytest.mark.parametrize("heading", CHOICES)
def test_guide_lists_every_choice_with_its_keys(heading: str) -> None:
    listed = {
        name.strip("`"): {
            (mark == "**", code) for mark, code in re.findall(r"(\*\*)?`(\w+(?: = [^`]+)?)`", keys)
        }
        for name, keys in rows(heading)
    }

    wanted = {}
    for choice in get_args(CHOICES[heading]):
        keys = {(field.encode_name, told(default_of(field))) for field in msgspec.structs.fields(choice)}
        wanted[choice.__struct_config__.tag] = {
            (default == "required", name if default in {"required", ""} else f"{name} = {default}")
            for name, default in keys
        }
    assert listed == wanted


def test_every_file_that_the_guide_links_to_is_there() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", GUIDE) if not link.startswith("http")]

    assert links
    assert all((ROOT / "docs" / link).exists() for link in links)


def test_every_recipe_is_told_of() -> None:
    guides = "".join(path.read_text() for path in (ROOT / "docs").glob("*.md"))

    untold = [path.name for path in (ROOT / "recipes").glob("*.toml") if f"recipes/{path.name}" not in guides]

    assert untold == []


def test_contents_lead_to_headings() -> None:
    headings = re.findall(r"^##+ (.+)$", GUIDE, re.MULTILINE)

    anchors = set(re.findall(r"\]\(#([^)]+)\)", GUIDE))

    assert anchors
    assert anchors <= {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_guide_says_what_to_do_about_every_error() -> None:
    section = GUIDE.partition("## When something is wrong\n")[2].partition("\n## ")[0]

    listed = set(re.findall(r"`([a-z]+(?:-[a-z]+)+)`", section.partition("| code |")[2]))

    kinds = [
        one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.BuildError)
    ]
    assert {kind.code for kind in kinds} - {errors.BuildError.code} == listed
