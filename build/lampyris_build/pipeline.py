"""A build from beginning to end: the stages in order, in one place."""

import os
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from lampyris.domain.bundle import Bundle
from lampyris_build.bundle import check_vacant, write_bundle
from lampyris_build.data import load_dataset
from lampyris_build.data.dataset import Dataset, Samples
from lampyris_build.errors import AccuracyDrop, AccuracyFloor
from lampyris_build.evaluation import Metrics
from lampyris_build.recipe import Recipe
from lampyris_build.stages import Stages


@dataclass(frozen=True, kw_only=True)
class BuildResult:
    """What a build leaves: the bundle on disk, and the figures that led there.

    `parity` is the largest difference of any probability between torch and onnxruntime; `agreement` is the
    share of the test set on which fp32 and int8 find the same class. Without compression, `int8` and
    `agreement` are None. `test` and `classes` are what was measured on, for who wants to show it.
    """

    bundle_dir: Path
    bundle: Bundle
    fp32: Metrics
    int8: Metrics | None
    parity: float
    agreement: float | None
    elapsed_s: dict[str, float]
    test: Samples
    classes: tuple[str, ...]


def build(recipe: Recipe, out: Path, *, console: Console, fresh: bool = False) -> BuildResult:
    """Build the recipe's model and put the bundle at `out`; show progress on the console.

    The training keeps a checkpoint beside `out` until the bundle is whole, and goes on from one that it finds
    there; `fresh` ignores it.

    Raises: BuildError, whichever stage finds the reason.
    """
    out = out.resolve()
    check_vacant(out)
    with Stages(console) as stages:
        with stages.stage("data") as stage:
            dataset = load_dataset(recipe)
            stage.outcome = _summary(dataset)
        with stages.stage("torch") as stage:
            # Threads that wait for work sleep instead of spinning: where other programs want the cores too, a
            # step took 19 ms instead of 150. Read once, when torch is loaded.
            os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
            # These take seconds to import: what is wrong with the data has been told by now.
            import torch  # noqa: PLC0415

            from lampyris_build import (  # noqa: PLC0415
                checkpoint,
                compression,
                evaluation,
                evaluation_set,
                export,
                probe,
                provenance,
                training,
            )

            stage.outcome = f"{torch.__version__}, {torch.get_num_threads()} threads"
        with stages.stage("training") as stage:
            kept = checkpoint.Checkpoint(
                out.with_name(f"{out.name}.checkpoint"), checkpoint.training_digest(recipe, dataset)
            )
            if fresh:
                kept.remove()
            classifier = training.train(recipe, dataset, checkpoint=kept, stage=stage)
        with TemporaryDirectory() as work:
            fp32, int8 = Path(work) / "fp32.onnx", Path(work) / "int8.onnx"
            models = {"fp32": fp32}
            signature = export.signature_of(dataset)
            with stages.stage("export") as stage:
                export.export_onnx(classifier, dataset, fp32)
                parity = export.check_parity(classifier, dataset, fp32, recipe.export.tolerance)
                stage.outcome = f"ONNX opset {export.OPSET}, differs from torch by {parity:.1g} at most"
            if recipe.compression.precision == "int8":
                with stages.stage("compression") as stage:
                    calibration = dataset.train.inputs[: recipe.compression.calibration_samples]
                    compression.quantize(fp32, signature.inputs[0].name, calibration, int8)
                    models["int8"] = int8
                    stage.outcome = f"int8, {fp32.stat().st_size / int8.stat().st_size:.1f} times smaller"
            with stages.stage("evaluation") as stage:
                metrics = evaluation.measure(models, dataset.test)
                stage.outcome = ", ".join(f"{name} {one.accuracy:.2%}" for name, one in metrics.items())
                _check_accuracy(recipe, metrics)
                agreement = (
                    evaluation.agreement(fp32, int8, dataset.test.inputs) if "int8" in models else None
                )
            with stages.stage("bundle") as stage:
                precision = recipe.compression.precision
                shipped = models[precision]
                bundle = write_bundle(
                    out,
                    recipe=recipe,
                    model=shipped,
                    signature=signature,
                    probe=probe.make_probe(shipped, precision, signature, dataset.test.inputs),
                    evaluation_set=evaluation_set.make_evaluation_set(signature, dataset.test, recipe.seed),
                    reference=None if recipe.gates.max_drop_fp32 is None else fp32,
                    metrics=metrics,
                    provenance=provenance.provenance_of(recipe, dataset),
                )
                stage.outcome = str(out)
    kept.remove()
    return BuildResult(
        bundle_dir=out,
        bundle=bundle,
        fp32=metrics["fp32"],
        int8=metrics.get("int8"),
        parity=parity,
        agreement=agreement,
        elapsed_s=stages.elapsed_s,
        test=dataset.test,
        classes=dataset.classes,
    )


def _summary(dataset: Dataset) -> str:
    shape = " x ".join(map(str, dataset.sample_shape))
    counts = " + ".join(f"{len(one):,}" for one in (dataset.train, dataset.validation, dataset.test))
    kind = "pictures" if dataset.holds_images else "vectors"
    return f"{counts} {kind} of {shape}, {len(dataset.classes)} classes"


def _check_accuracy(recipe: Recipe, metrics: dict[str, Metrics]) -> None:
    fp32, shipped = metrics["fp32"].accuracy, metrics[recipe.compression.precision].accuracy
    if fp32 - shipped > recipe.compression.max_accuracy_drop:
        raise AccuracyDrop(fp32=fp32, int8=shipped, limit=recipe.compression.max_accuracy_drop)
    if shipped < recipe.export.min_accuracy:
        raise AccuracyFloor(accuracy=shipped, floor=recipe.export.min_accuracy)
