"""`lampyris build`: a recipe in, a bundle out."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from rich.table import Table
from rich.text import Text

from lampyris_build.pipeline import BuildResult, build
from lampyris_build.recipe import load_recipe
from lampyris_local.cli.output import (
    answers,
    new_table,
    percent,
    print_json,
    program,
    remarks,
    size,
    stages,
)
from lampyris_local.cli.stopping import stops_on_sigterm

BUNDLES = Path("bundles")


def _number(value: float) -> str:
    return f"{value:.4g}"


# Of all scores that a task has, those that one looks for first; report.html has the rest.
_SHOWN: dict[str, tuple[str, Callable[[float], str]]] = {
    "accuracy": ("accuracy", percent),
    "f1_macro": ("F1, mean of classes", percent),
    "roc_auc": ("area under ROC", _number),
    "r2": ("R²", _number),
    "rmse": ("RMSE", _number),
    "mae": ("MAE", _number),
    "token_accuracy": ("next token right", percent),
    "perplexity": ("perplexity", _number),
    "reconstruction_error": ("reconstruction error", _number),
    "fidelity": ("like uncompressed", percent),
}


def run(
    recipe: Path, *, data: Path | None, out: Path | None, fresh: bool, workers: int, as_json: bool
) -> None:
    find_modules_beside(recipe)
    if int(os.environ.get("RANK", "0")) > 0:  # torchrun started this process beside the one that builds
        from lampyris_build.training import worker  # noqa: PLC0415 - torch

        worker.main()
        return
    read = load_recipe(recipe, data=None if data is None else str(data))
    with stops_on_sigterm():
        try:
            result = build(read, out or BUNDLES / read.name, console=stages(), fresh=fresh, workers=workers)
        except KeyboardInterrupt:
            remarks().print(
                "Stopped. The same command goes on from the last checkpoint, or with --fresh anew."
            )
            raise
    if as_json:
        print_json(
            {
                "model": result.bundle.model,
                "bundle": str(result.bundle_dir),
                "report": str(result.report),
                "metrics": result.bundle.metrics,
                "parity": result.parity,
                "elapsed_s": result.elapsed_s,
            }
        )
        return
    answers().print()
    answers().print(metrics_table(result))
    remarks().print(Text.assemble("\nTo look at it: ", (str(_short(result.report)), "name")))
    remarks().print(
        Text.assemble("To publish it: ", (f"{program()} publish {_short(result.bundle_dir)}", "name"))
    )


def find_modules_beside(recipe: Path) -> None:
    """Let a recipe name modules that lie in its folder, or in the working folder."""
    sys.path += [str(recipe.resolve().parent), str(Path.cwd())]


def metrics_table(result: BuildResult) -> Table:
    """Set the forms of a model side by side."""
    table = new_table(result.bundle.model, *result.variants, numbers=tuple(result.variants))
    metrics = result.variants.values()
    for name, (called, told) in _SHOWN.items():
        if all(name in one.scores for one in metrics):
            table.add_row(called, *(told(one.scores[name]) for one in metrics))
    table.add_row("size", *(size(one.size_bytes) for one in metrics))
    table.add_row("memory", *(size(one.memory_bytes) for one in metrics))
    table.add_row("latency p50", *(f"{one.latency_p50_ms:.2f} ms" for one in metrics))
    table.add_row("latency p99", *(f"{one.latency_p99_ms:.2f} ms" for one in metrics))
    return table


def _short(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
