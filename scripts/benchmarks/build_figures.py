"""What builds come to: the recipes' scores, sizes and parity, int8 on a large network, and the training loop.

A recipe is built from beginning to end, as `lampyris build` does it, whatever score it asks for. Recipes
whose data are not here are left out, and so said.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final, Literal, cast

import msgspec
import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table

import figures
import resnet50
from bench import Bench
from figures import Figure
from lampyris.publishing.optimise import optimise, put_channels_last, tune
from lampyris.serving.fetch import GRAPH_FILE
from lampyris_build.errors import BuildError, DatasetMissing
from lampyris_build.evaluation.latency import measure_latency
from lampyris_build.pipeline import BuildResult, build
from lampyris_build.recipe import Recipe, load_recipe
from lampyris_build.recipe.compression import StaticInt8
from subjects import ROOT

if TYPE_CHECKING:  # it imports torch, which other benchmarks do without
    from lampyris_build.compression.context import Context

_RECIPES: Final = ROOT / "recipes"
_RESNET50: Final = "resnet50"
_OVERHEAD: Final = "training-overhead"
_PICTURES: Final = 8
_LIMIT_BYTES: Final = 2**31

# What a value is, how it is told, and whether more of it is better.
Unit = Literal[
    "score", "points lost", "times smaller", "of the bytes", "of the latency", "minutes", "difference"
]
_TOLD: Final[dict[Unit, Callable[[float], str]]] = {
    "score": lambda value: f"{value:.2%}",
    "points lost": lambda value: f"{100 * value:.2f} points",
    "times smaller": lambda value: f"{value:.1f} x",
    "of the bytes": lambda value: f"{value:.3f} x",
    "of the latency": lambda value: f"{value:.3f} x",
    "minutes": lambda value: f"{value:.1f} min",
    "difference": lambda value: f"{value:.1g}",
}
_MORE_IS_BETTER: Final[tuple[Unit, ...]] = ("score", "times smaller")


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One value beside its aim."""

    subject: str
    what: str
    value: float
    aim: float
    unit: Unit

    @property
    def met(self) -> bool:
        return self.value >= self.aim if self.unit in _MORE_IS_BETTER else self.value <= self.aim

    @property
    def told(self) -> tuple[str, str]:
        """The value, and the aim."""
        sign = "≥" if self.unit in _MORE_IS_BETTER else "≤"
        tell = _TOLD[self.unit]
        return tell(self.value), f"{sign} {tell(self.aim)}"


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """`left_out` says what was not measured, and why."""

    findings: tuple[Finding, ...]
    overhead: tuple[Figure, ...]
    left_out: tuple[str, ...]


def names() -> list[str]:
    """Return everything that can be measured alone."""
    return [*sorted(path.stem for path in _RECIPES.glob("*.toml")), _RESNET50, _OVERHEAD]


def measure(bench: Bench, *, data: Mapping[str, str], only: str | None, runs: int) -> Report:
    """Build and measure; `data` are the paths of datasets, by the name that recipes have for their file."""
    findings: list[Finding] = []
    overhead: list[Figure] = []
    left_out: list[str] = []
    for name in names() if only is None else [only]:
        with bench.console.status(f"Building {name}"):
            if name == _RESNET50:
                findings += _resnet50(bench.folder)
            elif name == _OVERHEAD:
                os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as a build does, before torch is loaded
                import training_overhead  # noqa: PLC0415 - torch

                overhead += training_overhead.measure(runs=runs)
            else:
                try:
                    findings += _recipe(bench, name, data)
                except DatasetMissing as missing:
                    left_out.append(f"{name} is left out, bring its data with --data: {missing}")
                except BuildError as error:
                    left_out.append(f"{name} failed: {error}")
    return Report(findings=tuple(findings), overhead=tuple(overhead), left_out=tuple(left_out))


def as_table(report: Report) -> Group:
    """Lay a report out for a person."""
    table = Table(title="Builds", title_justify="left", box=SIMPLE_HEAD)
    for heading in ("model", "what"):
        table.add_column(heading)
    for heading in ("found", "aim"):
        table.add_column(heading, justify="right")
    for finding in report.findings:
        value, aim = finding.told
        colour = "green" if finding.met else "red"
        table.add_row(finding.subject, finding.what, f"[{colour}]{value}[/]", aim)
    parts = [table] if report.findings else []
    if report.overhead:
        parts.append(figures.as_table("Training, against a bare loop", report.overhead))
    return Group(*parts, *report.left_out)


def _recipe(bench: Bench, name: str, data: Mapping[str, str]) -> Iterator[Finding]:
    """Build a recipe. Raises: BuildError."""
    recipe = _without_floors(_read(_RECIPES / f"{name}.toml", data))
    result = build(recipe, bench.folder / f"build-{name}", console=bench.console)
    yield Finding(
        subject=name, what="parity", value=result.parity, aim=recipe.export.tolerance, unit="difference"
    )
    if name in _FIGURES:
        yield from _FIGURES[name](name, result)


def _read(path: Path, data: Mapping[str, str]) -> Recipe:
    recipe = load_recipe(path)
    (source,) = recipe.sources
    brought = data.get(Path(getattr(source, "path", "")).stem)
    if brought is not None:
        return load_recipe(path, data=str(Path(brought).resolve()))
    if hasattr(source, "path"):
        return load_recipe(path, data=str(ROOT / source.path))
    return recipe


def _without_floors(recipe: Recipe) -> Recipe:
    """Let a build end with whatever it has come to, and take every step: what that costs is asked."""
    return msgspec.structs.replace(
        recipe,
        export=msgspec.structs.replace(recipe.export, min_score=0.0),
        compression=msgspec.structs.replace(recipe.compression, max_drop=1.0),
    )


def _ends(result: BuildResult) -> tuple[str, str]:
    """Name the uncompressed form, and the one that ships."""
    forms = list(result.variants)
    return forms[0], forms[-1]


def _score(subject: str, result: BuildResult, form: str, aim: float) -> Finding:
    score = result.variants[form].score
    return Finding(subject=subject, what=f"accuracy, {form}", value=score, aim=aim, unit="score")


def _lost(subject: str, result: BuildResult, aim: float) -> Finding:
    first, shipped = _ends(result)
    return Finding(
        subject=subject,
        what=f"{shipped} below {first}",
        value=result.variants[first].score - result.variants[shipped].score,
        aim=aim,
        unit="points lost",
    )


def _mnist_best(name: str, result: BuildResult) -> Iterator[Finding]:
    _, shipped = _ends(result)
    yield _score(name, result, shipped, 0.993)


def _mnist_smallest(name: str, result: BuildResult) -> Iterator[Finding]:
    first, shipped = _ends(result)
    ratio = result.variants[first].size_bytes / result.variants[shipped].size_bytes
    yield Finding(subject=name, what=f"{shipped} than its teacher", value=ratio, aim=40, unit="times smaller")
    yield _lost(name, result, 0.002)


def _cifar10_cnn(name: str, result: BuildResult) -> Iterator[Finding]:
    yield _score(name, result, _ends(result)[0], 0.72)
    yield _lost(name, result, 0.005)


def _cifar10_resnet(name: str, result: BuildResult) -> Iterator[Finding]:
    minutes = sum(result.elapsed_s.values()) / 60
    yield Finding(subject=name, what="the whole build", value=minutes, aim=60, unit="minutes")
    yield _score(name, result, _ends(result)[0], 0.9)
    yield _lost(name, result, 0.005)


_FIGURES: Final[dict[str, Callable[[str, BuildResult], Iterator[Finding]]]] = {
    "mnist-best": _mnist_best,
    "mnist-smallest": _mnist_smallest,
    "cifar10-cnn": _cifar10_cnn,
    "cifar10-resnet": _cifar10_resnet,
}


def _resnet50(folder: Path) -> Iterator[Finding]:
    """Compress the network as a recipe's step does, and time both forms as they are served on this CPU."""
    from lampyris_build.compression.static_int8 import static_int8  # noqa: PLC0415 - torch

    fp32, int8 = folder / "resnet50.onnx", folder / "resnet50-int8.onnx"
    resnet50.write_fp32(fp32)
    pictures = {resnet50.INPUT: np.concatenate(list(resnet50.random_pictures(_PICTURES)))}
    # The step looks at nothing else.
    context = cast("Context", SimpleNamespace(calibration=pictures))
    static_int8(fp32, StaticInt8(samples=_PICTURES), context, int8)
    size = int8.stat().st_size / fp32.stat().st_size
    yield Finding(subject=_RESNET50, what="int8", value=size, aim=0.27, unit="of the bytes")
    served = {"fp32": _served(fp32, tune), "int8": _served(int8, put_channels_last)}
    latency = measure_latency(served, pictures)
    ratio = latency["int8"].p50_ms / latency["fp32"].p50_ms
    yield Finding(subject=_RESNET50, what="int8, p50", value=ratio, aim=0.35, unit="of the latency")


def _served(model: Path, lay_out: Callable[[Path, Path], object]) -> Path:
    """Optimise a model as publishing does, in the layout that is fastest for it."""
    portable = model.with_suffix("")
    fastest = portable / "fastest"
    fastest.mkdir(parents=True)
    copy = portable / model.name
    copy.write_bytes(model.read_bytes())
    optimise(copy, limit_bytes=_LIMIT_BYTES)
    lay_out(portable / GRAPH_FILE, fastest)
    return fastest / GRAPH_FILE
