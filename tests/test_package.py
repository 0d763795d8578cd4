"""What is built: the wheel, and the folders that are deployed."""

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

import package_functions
from package_functions import Size, functions_of, packaged_template, pip_arguments, prune, requirements

ROOT = Path(__file__).parent.parent
TEMPLATE = (ROOT / "template.yaml").read_text()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of the files in the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    offline = ("--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        *offline,
        "--wheel-dir",
        str(folder),
        str(ROOT),
    ]
    subprocess.run(command, check=True)
    (built,) = folder.glob("*.whl")
    with ZipFile(built) as archive:
        return set(archive.namelist())


@pytest.mark.parametrize(
    ("folder", "package"),
    [("functions", "lampyris"), ("build", "lampyris_build"), ("local", "lampyris_local")],
)
def test_wheel_holds_every_module_of_every_source_root(folder: str, package: str, wheel: set[str]) -> None:
    root = ROOT / folder
    modules = {str(path.relative_to(root)) for path in (root / package).rglob("*.py")}

    assert modules
    assert modules - wheel == set()


def test_wheel_holds_what_the_demo_reads_from_a_clone(wheel: set[str]) -> None:
    recipes = {f"lampyris_local/recipes/{path.name}" for path in (ROOT / "recipes").glob("*.toml")}

    assert recipes | {"lampyris_local/template.yaml"} <= wheel


def test_build_folder_does_not_hide_the_tool_of_that_name() -> None:
    assert not (ROOT / "build/__init__.py").exists()


def test_packaged_template_differs_only_in_where_the_code_is_and_in_defaults() -> None:
    packaged = packaged_template(TEMPLATE, "x86_64")

    changed = [
        (before.strip(), after.strip())
        for before, after in zip(TEMPLATE.splitlines(), packaged.splitlines(), strict=True)
        if before != after
    ]
    assert changed == [
        ("Default: arm64", "Default: x86_64"),
        ("Default: lampyris-train:latest", 'Default: ""'),
        ("Default: vpc-00000000", 'Default: ""'),
        ("Default: subnet-00000000", 'Default: ""'),
        ("CodeUri: functions/", "CodeUri: PublishFunction/"),
        ("CodeUri: functions/", "CodeUri: PredictFunction/"),
        ("CodeUri: functions/", "CodeUri: ShadowFunction/"),
        ("CodeUri: functions/", "CodeUri: ControlFunction/"),
        ("CodeUri: functions/", "CodeUri: KeepFunction/"),
        ("CodeUri: functions/", "CodeUri: AttendFunction/"),
        ("CodeUri: functions/", "CodeUri: BatchFunction/"),
        ("CodeUri: functions/", "CodeUri: PredictionsFunction/"),
    ]


def test_every_function_of_the_template_has_requirements() -> None:
    wanted = {function.name: requirements(function.extra) for function in functions_of(TEMPLATE)}

    assert set(wanted) == {
        "AttendFunction",
        "BatchFunction",
        "ControlFunction",
        "KeepFunction",
        "PredictFunction",
        "PredictionsFunction",
        "PublishFunction",
        "ShadowFunction",
    }
    assert all(wanted.values())


def test_shadow_gets_what_predict_gets_but_for_images() -> None:
    assert set(requirements("predict")) - set(requirements("shadow")) == {"pillow>=11"}


def test_publish_gets_what_predict_gets_and_more() -> None:
    predict = requirements("predict")
    publish = requirements("publish")

    assert set(predict) < set(publish)
    assert not any(requirement.startswith("lampyris") for requirement in publish)


def test_control_gets_boto3_and_else_no_more_than_predict_and_no_onnxruntime() -> None:
    control = set(requirements("control"))

    assert control - set(requirements("predict")) == {"boto3>=1.40"}
    assert not any(requirement.startswith("onnxruntime") for requirement in control)


def test_attend_gets_what_control_gets_but_for_numpy() -> None:
    assert set(requirements("control")) - set(requirements("attend")) == {"numpy>=2.2"}


def test_batch_gets_boto3_and_what_reads_parquet_besides_what_predict_gets() -> None:
    batch = set(requirements("batch"))

    assert batch - set(requirements("predict")) == {"arro3-io>=0.9", "boto3>=1.40"}


def test_predict_gets_neither_boto3_nor_pydantic_nor_torch() -> None:
    names = {requirement.partition(">")[0] for requirement in requirements("predict")}

    assert names.isdisjoint({"boto3", "pydantic", "torch"})


@pytest.mark.parametrize(
    ("arch", "tag"),
    [
        ("x86_64", "manylinux2014_x86_64"),
        ("x86_64", "manylinux_2_28_x86_64"),
        ("arm64", "manylinux_2_24_aarch64"),  # obstore
        ("arm64", "manylinux_2_28_aarch64"),  # onnxruntime
    ],
)
def test_pip_is_asked_for_every_tag_that_lambda_runs(arch: str, tag: str) -> None:
    arguments = pip_arguments(arch)

    assert tag in arguments
    assert arguments[arguments.index("--python-version") + 1] == "3.13"


def test_pip_is_not_asked_for_wheels_that_need_a_newer_glibc_than_lambdas() -> None:
    assert "manylinux_2_35_x86_64" not in pip_arguments("x86_64")


def test_pruning_takes_tests_and_headers_and_leaves_code(tmp_path: Path) -> None:
    for name in (
        "numpy/core.py",
        "numpy/core.pyi",
        "numpy/tests/test_core.py",
        "bin/f2py",
        "numpy/f2py/a.py",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    prune(tmp_path)

    left = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()]
    assert left == ["numpy/core.py"]


def test_size_counts_every_file_below_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(1000))
    (tmp_path / "b").mkdir()
    (tmp_path / "b/c").write_bytes(bytes(500))

    size = package_functions.size_of(tmp_path)

    assert size.unzipped_bytes == 1500
    assert size.zipped_bytes < 1500


def test_sizes_add_up() -> None:
    total = Size(unzipped_bytes=3, zipped_bytes=2) + Size(unzipped_bytes=30, zipped_bytes=20)

    assert total == Size(unzipped_bytes=33, zipped_bytes=22)
