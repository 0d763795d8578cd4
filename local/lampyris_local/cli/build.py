"""`lampyris build`: a recipe in, a bundle out."""

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


def run(recipe: Path, *, data: Path | None, out: Path | None, fresh: bool, as_json: bool) -> None:
    read = load_recipe(recipe, data=None if data is None else str(data))
    with stops_on_sigterm():
        try:
            result = build(read, out or BUNDLES / read.name, console=stages(), fresh=fresh)
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
                "metrics": result.bundle.metrics,
                "parity": result.parity,
                "agreement": result.agreement,
                "elapsed_s": result.elapsed_s,
            }
        )
        return
    answers().print()
    answers().print(metrics_table(result))
    remarks().print(
        Text.assemble("\nTo publish it: ", (f"{program()} publish {_short(result.bundle_dir)}", "name"))
    )


def metrics_table(result: BuildResult) -> Table:
    """Set the precisions of a model side by side."""
    precisions = {"fp32": result.fp32} | ({"int8": result.int8} if result.int8 else {})
    table = new_table(result.bundle.model, *precisions, numbers=tuple(precisions))
    metrics = precisions.values()
    table.add_row("accuracy", *(percent(one.accuracy) for one in metrics))
    table.add_row("size", *(size(one.size_bytes) for one in metrics))
    table.add_row("latency p50", *(f"{one.latency_p50_ms:.2f} ms" for one in metrics))
    table.add_row("latency p99", *(f"{one.latency_p99_ms:.2f} ms" for one in metrics))
    return table


def _short(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
