"""A build from beginning to end: the stages in order, in one place."""

import os
import shutil
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from rich.console import Console

from lampyris.domain.bundle import Bundle
from lampyris_build.bundle import check_vacant, write_bundle
from lampyris_build.compression.order import check_steps
from lampyris_build.data import load_dataset
from lampyris_build.data.dataset import Dataset, Kind, Samples
from lampyris_build.data.spool import disk_full
from lampyris_build.errors import InvalidRecipe, ScoreFloor
from lampyris_build.evaluation.metrics import Metrics
from lampyris_build.recipe import Recipe
from lampyris_build.recipe.models import HuggingFaceModel
from lampyris_build.recipe.purposes import check_purposes
from lampyris_build.stages import Stage, Stages, Watch

if TYPE_CHECKING:  # they import torch, which takes seconds
    from lampyris_build.compression.chain import Chain
    from lampyris_build.evaluation.cross_validation import Folds
    from lampyris_build.making import Made
    from lampyris_build.reporting import Comparison
    from lampyris_build.tasks.task import Task

REPORT_FILE = "report.html"
_KINDS: Final[dict[Kind, str]] = {
    "image": "pictures",
    "vector": "vectors",
    "series": "windows of a series",
    "tokens": "runs of tokens",
    "number": "numbers",
    "category": "categories",
    "text": "texts",
}
_CALIBRATION = 4096  # samples of the training set at most that compression may look at


@dataclass(frozen=True, kw_only=True)
class BuildResult:
    """What a build leaves: the bundle on disk, and the figures that led there.

    `variants` are the metrics of every form of the model that was kept, by name, from the uncompressed one
    to what ships. `parity` is the largest difference of any answer between the framework that made the model
    and onnxruntime. `test` and `classes` are what was measured on, for who wants to show it.
    """

    bundle_dir: Path
    bundle: Bundle
    variants: dict[str, Metrics]
    parity: float
    elapsed_s: dict[str, float]
    test: Samples
    classes: tuple[str, ...] | None

    @property
    def report(self) -> Path:
        return self.bundle_dir / REPORT_FILE


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A model that was made, exported and compressed as a recipe says, and measured; its files are in `work`.

    `test` is what the served model is asked, with what is right.
    """

    task: "Task"
    made: "Made"
    parity: float
    chain: "Chain"
    test: Samples


def build(
    recipe: Recipe,
    out: Path,
    *,
    console: Console,
    fresh: bool = False,
    workers: int = 1,
    comparison: "Comparison | None" = None,
    folds: "Folds | None" = None,
    watch: Watch | None = None,
) -> BuildResult:
    """Build the recipe's model and put the bundle at `out`; show progress on the console.

    The training keeps a checkpoint beside `out` until the bundle is whole, and goes on from one that it finds
    there; `fresh` ignores it. `workers` processes share every batch of it. The report shows
    the `comparison` after which this model was picked, if there was one, and `folds`, if they were trained
    elsewhere. `watch` follows the build, and may stop it; the same call goes on.

    Raises: BuildError, whichever stage finds the reason; TimeIsUp.
    """
    out = out.resolve()
    check_vacant(out)
    check_recipe(recipe)
    with (
        disk_full(),
        Stages(console, watch) as stages,
        ExitStack() as until_done,
    ):
        dataset = load(recipe, stages)
        start_torch(stages)
        until_done.enter_context(_workers(workers))
        place = out.with_name(f"{out.name}.training")
        if fresh:
            shutil.rmtree(place, ignore_errors=True)
        candidate = make_candidate(recipe, dataset, stages, place / "forms", training=place)
        with stages.stage("evaluation") as stage:
            variants = _timed(candidate)
            _check_score(recipe, candidate)
            stage.outcome = ", ".join(f"{name} {one.score:.2%}" for name, one in variants.items())
        if folds is None and recipe.evaluation.folds is not None:
            with stages.stage("folds") as stage:
                folds = _cross_validate(recipe, dataset, candidate, stage, place / "folds")
        with stages.stage("report") as stage:
            from lampyris_build.provenance import provenance_of  # noqa: PLC0415 - torch
            from lampyris_build.reporting import report_of  # noqa: PLC0415 - torch

            provenance = provenance_of(recipe, dataset)
            report = report_of(
                recipe,
                dataset,
                candidate,
                variants=variants,
                folds=folds,
                elapsed_s=stages.elapsed_s,
                provenance=provenance,
                comparison=comparison,
            )
            stage.outcome = f"{REPORT_FILE}, {len(report) / 1000:,.0f} KB"
        with stages.stage("bundle") as stage:
            papers = {REPORT_FILE: report.encode()} | _taken_down(place / "log")
            bundle = _bundle(recipe, candidate, out, variants=variants, provenance=provenance, papers=papers)
            stage.outcome = str(out)
        shutil.rmtree(place, ignore_errors=True)
    return BuildResult(
        bundle_dir=out,
        bundle=bundle,
        variants=variants,
        parity=candidate.parity,
        elapsed_s=stages.elapsed_s,
        test=candidate.test,
        classes=dataset.classes,
    )


def load(recipe: Recipe, stages: Stages) -> Dataset:
    """Read the recipe's data, and say what came of cleaning them. Raises: BuildError."""
    # Threads that wait for work sleep instead of spinning: where other programs want the cores too, a step
    # took 19 ms instead of 150. It is read once, when the first library loads OpenMP: readers of data may.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with stages.stage("data") as stage:
        dataset = load_dataset(recipe)
        if isinstance(recipe.model, HuggingFaceModel):
            from lampyris_build.imports import as_taken  # noqa: PLC0415 - torch

            dataset = as_taken(recipe, dataset)
        stage.outcome = _summary(dataset)
        for note in dataset.notes:
            stage.note(note)
    return dataset


def start_torch(stages: Stages) -> None:
    """Import what takes seconds to import: what is wrong with the data has been told by now."""
    with stages.stage("torch") as stage:
        import torch  # noqa: PLC0415

        stage.outcome = f"{torch.__version__}, {torch.get_num_threads()} threads"


def _workers(count: int) -> AbstractContextManager[None]:
    from lampyris_build.training.distributed import workers  # noqa: PLC0415 - torch

    return workers(count)


def make_candidate(
    recipe: Recipe,
    dataset: Dataset,
    stages: Stages,
    work: Path,
    *,
    training: Path | None = None,
) -> Candidate:
    """Make the recipe's model, export it and compress it; its files are put into `work`.

    An interrupted call finds there what it has made and measured, and the checkpoints of its trainings in the
    folder `training`.

    Raises: BuildError.
    """
    # These import torch, which takes seconds.
    from lampyris_build.compression.chain import compress  # noqa: PLC0415
    from lampyris_build.compression.context import Context  # noqa: PLC0415
    from lampyris_build.evaluation.measuring import measure  # noqa: PLC0415
    from lampyris_build.evaluation.session import open_session, run  # noqa: PLC0415
    from lampyris_build.export import check_parity  # noqa: PLC0415
    from lampyris_build.findings import Findings, file_digest  # noqa: PLC0415
    from lampyris_build.making import make  # noqa: PLC0415
    from lampyris_build.tasks import task_for  # noqa: PLC0415

    with stages.stage("model") as stage:
        task = task_for(recipe, dataset)
        made = make(recipe, dataset, task, stage=stage, folder=training)
    with stages.stage("export") as stage:
        findings = Findings(work, recipe, dataset, stage)
        exported = work / "exported.onnx"
        made.trained.export(exported)
        asked = task.asked(dataset.test)
        expected = cache(lambda: made.trained.predict(asked.inputs))

        def differs() -> float:
            answers = run(open_session(exported), asked.inputs)
            return check_parity(expected(), answers, made.trained.signature.outputs, recipe.export.tolerance)

        decisive = [recipe.export.tolerance, file_digest(exported)]
        parity = findings.once("exported", decisive, float, differs)
        stage.outcome = f"ONNX, differs from the model by {parity:.1g} at most"
    test = task.expecting(asked, expected)
    with stages.stage("compression") as stage:
        # From all over the training set: its rows may have an order.
        count = len(dataset.train)
        drawn = np.linspace(0, count - 1, min(_CALIBRATION, count)).astype(np.int64)
        calibration = task.asked(dataset.train.take(drawn)).inputs
        context = Context(
            recipe=recipe,
            dataset=dataset,
            task=task,
            calibration=calibration,
            stage=stage,
            training=training,
        )
        chain = compress(made.trained, exported, context, lambda path: measure(path, task, test), work)
        stage.outcome = _compressed(chain)
    return Candidate(task=task, made=made, parity=parity, chain=chain, test=test)


def check_recipe(recipe: Recipe) -> None:
    """Find what no single section can know to be wrong. Raises: InvalidRecipe."""
    check_purposes(recipe)
    check_steps(recipe)
    gates = recipe.gates
    if recipe.task != "classification" and (gates.min_accuracy, gates.max_drop_fp32, gates.max_drop_live) != (
        None,
        None,
        None,
    ):
        raise InvalidRecipe(
            recipe=recipe.name,
            reason=f"task {recipe.task} has no accuracy: leave min_accuracy, max_drop_fp32 and max_drop_live "
            "out of [gates], and hold the score with export.min_score and compression.max_drop.",
        )


def _timed(candidate: Candidate) -> dict[str, Metrics]:
    """Time every form that was kept, in turns."""
    from lampyris_build.evaluation.measuring import timed_together  # noqa: PLC0415 - torch

    kept = {one.name: one for one in candidate.chain.variants if one.kept}
    models = {name: one.path for name, one in kept.items()}
    return timed_together(models, {name: one.metrics for name, one in kept.items()}, candidate.test)


def _check_score(recipe: Recipe, candidate: Candidate) -> None:
    """Raises: ScoreFloor."""
    score = candidate.chain.shipped.metrics.score
    # Written so that NaN fails too.
    if not score >= recipe.export.min_score:
        raise ScoreFloor(score=score, floor=recipe.export.min_score)


def _cross_validate(
    recipe: Recipe, dataset: Dataset, candidate: Candidate, stage: Stage, place: Path
) -> "Folds":
    from lampyris_build.evaluation.cross_validation import cross_validate  # noqa: PLC0415 - torch, as above
    from lampyris_build.findings import Findings, file_digest  # noqa: PLC0415

    findings = Findings(place, recipe, dataset, stage)
    # It tells whether code of the user's own has changed since some folds were trained.
    exported = file_digest(candidate.chain.variants[0].path)

    def fit(number: int, fold: Dataset) -> dict[str, float]:
        training = place / f"{number}.training"

        def scores() -> dict[str, float]:
            found = fit_fold(recipe, fold, stage, training=training)
            shutil.rmtree(training, ignore_errors=True)  # a fold leaves its scores alone
            return found

        return findings.once(str(number), [recipe.evaluation, exported], dict[str, float], scores)

    folds = cross_validate(recipe, dataset, fit)
    stage.outcome = (
        f"{len(folds.scores)} folds score {folds.mean['score']:.2%}, give or take {folds.spread['score']:.2%}"
    )
    return folds


def fit_fold(
    recipe: Recipe, fold: Dataset, stage: Stage, *, training: Path | None = None
) -> dict[str, float]:
    """Train on a fold, and measure on its test set; `training` as in `make_candidate`. Raises: BuildError."""
    from lampyris_build.making import make  # noqa: PLC0415 - torch, as above
    from lampyris_build.tasks import task_for  # noqa: PLC0415

    task = task_for(recipe, fold)
    trained = make(recipe, fold, task, stage=stage, folder=training).trained
    asked = task.asked(fold.test)
    answers = trained.predict(asked.inputs)
    test = task.expecting(asked, lambda: answers)
    return {"score": task.score(answers, test)} | task.scores(answers, test)


def _taken_down(folder: Path) -> dict[str, bytes]:
    """Read what a training took down, by its place in the folder."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def _bundle(
    recipe: Recipe,
    candidate: Candidate,
    out: Path,
    *,
    variants: dict[str, Metrics],
    provenance: dict[str, Any],
    papers: dict[str, bytes],
) -> Bundle:
    from lampyris_build.evaluation_set import make_evaluation_set  # noqa: PLC0415 - torch, as above
    from lampyris_build.probe import make_probe  # noqa: PLC0415

    signature, shipped, test = candidate.made.trained.signature, candidate.chain.shipped, candidate.test
    classifies = recipe.task == "classification"
    compares = recipe.gates.max_drop_fp32 is not None
    return write_bundle(
        out,
        recipe=recipe,
        model=shipped.path,
        signature=signature,
        probe=make_probe(shipped.path, signature, test.inputs, rounded=shipped.step is not None),
        evaluation_set=make_evaluation_set(test, recipe.seed) if classifies else None,
        reference=candidate.chain.variants[0].path if compares else None,
        metrics=variants,
        provenance=provenance,
        papers=papers,
    )


def _compressed(chain: "Chain") -> str:
    first, shipped = chain.variants[0], chain.shipped
    if shipped is first:
        return "none" if len(chain.variants) == 1 else "none was kept"
    names = ", ".join(one.name for one in chain.variants[1:] if one.kept)
    return f"{names}: {first.metrics.size_bytes / shipped.metrics.size_bytes:.1f} times smaller"


def _summary(dataset: Dataset) -> str:
    counts = " + ".join(f"{len(one):,}" for one in (dataset.train, dataset.validation, dataset.test))
    classes = "" if dataset.classes is None else f", {len(dataset.classes)} classes"
    if len(dataset.features) > 1:
        return f"{counts} rows of {len(dataset.features)} columns{classes}"
    (feature,) = dataset.features
    shape = " x ".join(map(str, feature.shape))
    return f"{counts} {_KINDS[feature.kind]}{f' of {shape}' if shape else ''}{classes}"
