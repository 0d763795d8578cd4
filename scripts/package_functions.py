"""Make the folders that are deployed: each function's code beside its packages, built for Lambda's Python.

docs/decisions/0002-packaging.md says why `sam build` does not do this.
"""

import argparse
import hashlib
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).resolve().parent.parent
PYTHON = "3.13"  # what the template names as runtime
LIMIT_BYTES = 250 * 1024 * 1024  # AWS: a function's package, unzipped
MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}
LONG_AGO_S = (
    315_619_200  # 2 January 1980, about the first that a zip can hold: the same input, the same bytes
)
GLIBC_MINORS = range(17, 35)  # python3.13 runs on Amazon Linux 2023, which has glibc 2.34

# What no function ever reads: each pattern names folders or files relative to the package's root.
PRUNED = (
    "bin",
    "**/tests",
    "**/*.pyi",
    "**/*.pxd",
    "**/*.h",
    "**/*.cc",
    "**/*.proto",
    "numpy/f2py",
    "onnx/backend",
    "onnx/fuzz",
    "onnxruntime/backend",
    "onnxruntime/datasets",
    "onnxruntime/quantization",
    "onnxruntime/tools",
    "onnxruntime/transformers",
)


@dataclass(frozen=True, kw_only=True)
class Function:
    """A function of the template; the extra in pyproject.toml named as its handler lists its package."""

    name: str
    handler: str

    @property
    def extra(self) -> str:
        return self.handler.split(".")[-2]


@dataclass(frozen=True, kw_only=True)
class Size:
    unzipped_bytes: int
    zipped_bytes: int

    def __add__(self, other: "Size") -> "Size":
        return Size(
            unzipped_bytes=self.unzipped_bytes + other.unzipped_bytes,
            zipped_bytes=self.zipped_bytes + other.zipped_bytes,
        )


def functions_of(template: str) -> list[Function]:
    """Find the template's functions that are folders, built from functions/; the others are images."""
    resources = yaml_parse(template)["Resources"]
    return [
        Function(name=name, handler=resource["Properties"]["Handler"])
        for name, resource in resources.items()
        if resource["Type"] == "AWS::Serverless::Function" and "CodeUri" in resource["Properties"]
    ]


def packaged_template(template: str, arch: str) -> str:
    """Point the template at the folders beside it, and make `arch`, which they are built for, its default.

    No image stands beside it, and no network: without those that its user names, nothing is deployed that
    trains in functions, or on machines.
    """
    for function in functions_of(template):
        own_folder = rf"\g<1>{function.name}/"
        template = re.sub(
            rf"(?ms)(^  {function.name}:$.*?CodeUri: )functions/", own_folder, template, count=1
        )
    for parameter in ("TrainImage", "MachineVpc", "MachineSubnets"):
        template = re.sub(rf"(?ms)(^  {parameter}:$.*?Default: )\S+", r'\g<1>""', template, count=1)
    return re.sub(r"(?ms)(^  Architecture:$.*?Default: )\w+", rf"\g<1>{arch}", template, count=1)


def requirements(extra: str) -> list[str]:
    """List the third-party requirements of one of our extras, its references to other extras resolved."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted: list[str] = []
    for requirement in project["optional-dependencies"][extra]:
        reference = re.fullmatch(rf"{project['name']}\[(\w+)\]", requirement)
        wanted += requirements(reference[1]) if reference else [requirement]
    return sorted(wanted)


def pip_arguments(arch: str) -> list[str]:
    """Ask pip for wheels of Lambda's Python on Amazon Linux.

    Every glibc version is named: pip takes a tag literally, and would rather fall back on a release of years
    ago than take a wheel for manylinux_2_24 where manylinux_2_28 was asked for.
    """
    machine = MACHINES[arch]
    tags = [f"manylinux2014_{machine}", *(f"manylinux_2_{minor}_{machine}" for minor in GLIBC_MINORS)]
    return [
        *("--python-version", PYTHON, "--implementation", "cp", "--only-binary=:all:"),
        *(word for tag in tags for word in ("--platform", tag)),
    ]


@cache
def lambdas_python() -> str | None:
    """Find an interpreter of the version that Lambda runs, on PATH or in pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    installed = sorted(pyenv.glob(f"versions/{PYTHON}.*/bin/python"))
    for candidate in (sys.executable, f"python{PYTHON}", *map(str, installed)):
        program = "import sys; print('%d.%d' % sys.version_info[:2])"
        try:
            answer = subprocess.run([candidate, "-c", program], capture_output=True, text=True, check=False)
        except FileNotFoundError:
            continue
        if answer.stdout.strip() == PYTHON:
            return candidate
    return None


def compile_bytecode(folder: Path, root: Path) -> None:
    """Compile what is below `folder` in place, if the right Python is here.

    Unchecked: /var/task cannot change, so nothing is gained by looking at the sources' times on every import.
    """
    if python := lambdas_python():
        mode = ("-q", "-j", "0", "--invalidation-mode", "unchecked-hash")
        shown_as = ("-s", str(root), "-p", "/var/task")
        subprocess.run([python, "-m", "compileall", *mode, *shown_as, folder], check=True)


def prune(folder: Path) -> None:
    for pattern in PRUNED:
        for path in list(folder.glob(pattern)):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def size_of(folder: Path) -> Size:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return Size(
        unzipped_bytes=sum(path.stat().st_size for path in files),
        zipped_bytes=sum(len(zlib.compress(path.read_bytes())) for path in files),
    )


def third_party(arch: str, extra: str, caches: Path) -> tuple[Path, Size]:
    """Install an extra's wheels into a folder, pruned and compiled; one of an earlier run is used again."""
    wanted = requirements(extra)
    constraints = ROOT / "constraints.txt"
    recipe = [wanted, constraints.read_text(), Path(__file__).read_text(), lambdas_python() is not None]
    key = hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:12]
    done = caches / f"{arch}-{extra}-{key}"
    measured = done / "size.json"
    tree = done / "task"
    if not measured.exists():
        print(f"{arch}: installing {', '.join(wanted)}", flush=True)
        for stale in caches.glob(f"{arch}-{extra}-*"):
            shutil.rmtree(stale)
        pip = (sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-compile")
        where = ("--constraint", str(constraints), "--target", str(tree))
        subprocess.run([*pip, *where, *pip_arguments(arch), *wanted], check=True)
        prune(tree)
        compile_bytecode(tree, tree)
        size = size_of(tree)
        measured.write_text(json.dumps([size.unzipped_bytes, size.zipped_bytes]))
    unzipped_bytes, zipped_bytes = json.loads(measured.read_text())
    return tree, Size(unzipped_bytes=unzipped_bytes, zipped_bytes=zipped_bytes)


def assemble(function: Function, arch: str, dist: Path) -> Size:
    """Make the function's folder, which Lambda mounts as /var/task."""
    packages, packages_size = third_party(arch, function.extra, dist / ".cache")
    folder = dist / arch / function.name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(packages, folder)
    own = folder / "lampyris"
    shutil.copytree(ROOT / "functions/lampyris", own, ignore=shutil.ignore_patterns("__pycache__"))
    compile_bytecode(own, folder)
    for path in folder.rglob("*"):
        os.utime(path, (LONG_AGO_S, LONG_AGO_S))
    return packages_size + size_of(own)


def check_import(function: Function, folder: Path, python: str) -> None:
    """Import the handler from its folder alone, which shows that nothing it needs was pruned."""
    program = f"import sys; sys.path.insert(0, {str(folder)!r}); import {function.handler.rpartition('.')[0]}"
    settings = {"LAMPYRIS_BUCKET": "none", "AWS_REGION": "eu-central-1"}
    # -I and -S: no environment, no site-packages.
    subprocess.run([python, "-I", "-S", "-B", "-c", program], check=True, env=settings)


def package(arch: str, dist: Path) -> dict[Function, Size]:
    template = (ROOT / "template.yaml").read_text()
    sizes = {function: assemble(function, arch, dist) for function in functions_of(template)}
    (dist / arch / "template.yaml").write_text(packaged_template(template, arch))
    python = lambdas_python()
    if python and sys.platform == "linux" and platform.machine() == MACHINES[arch]:
        for function in sizes:
            check_import(function, dist / arch / function.name, python)
        print(f"{arch}: the handlers import from their folders")
    return sizes


def megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1024 / 1024:8.1f} MB"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/package",
        description="Make dist/{arch}/template.yaml and one folder for each function beside it.",
        epilog="example: scripts/package --arch arm64",
    )
    parser.add_argument("--arch", choices=[*MACHINES, "all"], default="all")
    arches = list(MACHINES) if (arch := parser.parse_args().arch) == "all" else [arch]
    if python := lambdas_python():
        print(f"bytecode: compiled by {python}")
    else:
        print(
            f"bytecode: none, as there is no Python {PYTHON} on PATH or in pyenv. The functions run all the"
            " same, but every cold start compiles what it imports; docs/decisions/0002-packaging.md says what"
            " that costs."
        )
    try:
        sizes = {arch: package(arch, ROOT / "dist") for arch in arches}
    except subprocess.CalledProcessError as error:
        print(f"failed, for the reason above: {shlex.join(map(str, error.cmd))}", file=sys.stderr)
        return 1
    rows = [(arch, function.name, size) for arch in arches for function, size in sizes[arch].items()]
    print(f"\n{'':8}{'':18}{'unzipped':>11}{'of 250 MB':>11}{'zipped':>11}")
    for arch, name, size in rows:
        share = size.unzipped_bytes / LIMIT_BYTES
        columns = f"{megabytes(size.unzipped_bytes)}{share:>11.0%}{megabytes(size.zipped_bytes)}"
        print(f"{arch:8}{name:18}{columns}")
    too_large = [f"{name} ({arch})" for arch, name, size in rows if size.unzipped_bytes > LIMIT_BYTES]
    if too_large:
        print(f"\ntoo large for Lambda: {', '.join(too_large)}", file=sys.stderr)
        return 1
    print("\nDeploy with:")
    for arch in arches:
        print(f"  sam deploy --guided --capabilities CAPABILITY_IAM --template dist/{arch}/template.yaml")
    return 0


if __name__ == "__main__":
    sys.exit(main())
