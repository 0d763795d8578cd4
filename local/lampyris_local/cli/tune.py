"""`lampyris tune`: a recipe with a space in, a table of models out, and the bundle of the best of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from lampyris.jobs import prices
from lampyris_build.recipe import Recipe, load_recipe
from lampyris_build.tuning.tune import Tuned, tune
from lampyris_local.cli.build import BUNDLES, find_modules_beside, metrics_table
from lampyris_local.cli.output import (
    answers,
    hint,
    new_table,
    percent,
    print_json,
    program,
    remarks,
    size,
    stages,
)
from lampyris_local.cli.stopping import stops_on_sigterm

if TYPE_CHECKING:  # it imports torch, which takes seconds
    from lampyris_build.tuning.points import Point

_NOTHING_PICKED = 1


def run(
    recipe: Path,
    *,
    data: str | None,
    out: Path | None,
    trials: int | None,
    minutes: float | None,
    as_json: bool,
) -> None:
    find_modules_beside(recipe)
    read = _within(load_recipe(recipe, data=data), trials, minutes)
    with stops_on_sigterm():
        try:
            tuned = tune(read, out or BUNDLES / read.name, console=stages())
        except KeyboardInterrupt:
            remarks().print("Stopped. The same command goes on with the trials that are not made yet.")
            raise
    if as_json:
        print_json(_document(read, tuned))
    else:
        _print(tuned)
    if tuned.picked is None:
        raise typer.Exit(_NOTHING_PICKED)


def _within(recipe: Recipe, trials: int | None, minutes: float | None) -> Recipe:
    """Let the command line's budget replace the recipe's."""
    given = {"trials": trials, "minutes": minutes}
    budget = {name: value for name, value in given.items() if value is not None}
    return msgspec.structs.replace(recipe, tune=msgspec.structs.replace(recipe.tune, **budget))


def _print(tuned: Tuned) -> None:
    console = answers()
    console.print()
    console.print(_front_table(tuned))
    console.print()
    console.print(tuned.why, soft_wrap=not console.is_terminal)
    if tuned.result is None:
        hint("To pick one that is there", "lower tune.min_score, and give the same command again")
        return
    console.print("\nOn the test set, which it had not seen:")
    console.print(metrics_table(tuned.result))
    hint("\nTo look at all of them", str(tuned.result.report))
    hint("To publish it", f"{program()} publish {tuned.result.bundle_dir}")


def _front_table(tuned: Tuned) -> Table:
    """Show the Pareto front, the best first; the picked model stands out."""
    numbers = ("score", "latency p50", "size", "memory", "$ a million")
    table = new_table("Pareto front", "what was chosen", *numbers, "", numbers=numbers)
    for point in tuned.points:
        if not point.is_on_front:
            continue
        form, is_picked = point.form, point is tuned.picked
        table.add_row(
            point.name,
            Text(_told(point.tried.changes), overflow="fold"),
            percent(form.score),
            f"{form.latency_p50_ms:.3f} ms",
            size(form.size_bytes),
            f"{form.memory_mb:,} MB",
            f"{form.dollars_per_million:.4f}",
            "picked" if is_picked else "",
            style="good" if is_picked else "",
        )
    return table


def _told(changes: Mapping[str, Any]) -> str:
    """Write what was chosen on one line, but for the compression, which the model's name tells."""
    return ", ".join(
        f"{place.rpartition('.')[2]} {_value(value)}"
        for place, value in changes.items()
        if place != "compression.steps"
    )


def _value(value: Any) -> str:
    match value:
        case float():
            return f"{value:.3g}"
        case dict():
            return " ".join(f"{key} {_value(item)}" for key, item in value.items())
        case list():
            return " ".join(map(_value, value)) or "none"
        case _:
            return str(value)


def _document(recipe: Recipe, tuned: Tuned) -> dict[str, Any]:
    result = tuned.result
    return {
        "model": recipe.name,
        "picked": None if tuned.picked is None else tuned.picked.name,
        "why": tuned.why,
        "models": [_point(point) for point in tuned.points],
        "trials": [
            {
                "number": tried.number,
                "changes": tried.changes,
                "failure": tried.outcome.failure or None,
                "elapsed_s": tried.outcome.elapsed_s,
            }
            for tried in tuned.trials
        ],
        "prices": {"region": prices.REGION, "looked_up": prices.LOOKED_UP},
        "bundle": None if result is None else str(result.bundle_dir),
        "report": None if result is None else str(result.report),
        "metrics": None if result is None else result.bundle.metrics,
    }


def _point(point: "Point") -> dict[str, Any]:
    return {
        **msgspec.structs.asdict(point.form),
        "name": point.name,
        "trial": point.tried.number,
        "is_on_front": point.is_on_front,
    }
