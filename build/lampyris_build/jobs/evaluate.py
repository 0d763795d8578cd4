"""The job of kind evaluate: a published version, measured on the test set of a recipe's dataset."""

from time import monotonic

import msgspec

from lampyris.domain.manifest import Manifest
from lampyris.jobs.specs import EvaluateSpec
from lampyris.serving.fetch import GRAPH_FILE, fetch, size_bytes
from lampyris.serving.resolver import Resolver
from lampyris_build.data.dataset import Dataset
from lampyris_build.errors import DatasetBroken
from lampyris_build.jobs.recipes import recipe_of_job
from lampyris_build.jobs.results import put_result
from lampyris_build.jobs.worker import Work
from lampyris_build.pipeline import load, start_torch
from lampyris_build.stages import Stages


def evaluate(work: Work) -> None:
    """Raises: BuildError, NotFound, JobLost, Unavailable."""
    spec = msgspec.convert(work.job.spec, EvaluateSpec)
    recipe = recipe_of_job(spec.recipe, spec.data, bucket=work.worker.bucket)
    store = work.worker.store
    manifest = Resolver(store, alias_ttl_s=0, clock=monotonic).resolve(spec.model, spec.version)
    with Stages(work.console, work.following) as stages:
        dataset = load(recipe, stages)
        start_torch(stages)
        from lampyris_build.evaluation.measuring import measure  # noqa: PLC0415 - torch, as below
        from lampyris_build.evaluation.session import open_session, run  # noqa: PLC0415
        from lampyris_build.tasks import task_for  # noqa: PLC0415

        with stages.stage("evaluation") as stage:
            kind = task_for(recipe, dataset)
            asked = kind.asked(dataset.test)
            _check_fits(manifest, dataset)
            folder = work.folder / "model"
            fetch(manifest.artifact, store, folder)
            graph = folder / GRAPH_FILE
            test = kind.expecting(asked, lambda: run(open_session(graph), asked.inputs))
            measured = measure(graph, kind, test)
            metrics = msgspec.structs.replace(measured, size_bytes=size_bytes(manifest.artifact))
            stage.outcome = f"{spec.model} version {manifest.version}: {metrics.score:.2%}"
    about = {"model": manifest.model, "version": manifest.version, "samples": len(test)}
    document = about | {"dataset": dataset.digest, "metrics": msgspec.to_builtins(metrics)}
    key = put_result(work, "metrics.json", msgspec.json.encode(document))
    work.hold.succeed(
        results={"metrics": key},
        summary=about | {"score": metrics.score, "scores": metrics.scores},
    )


def _check_fits(manifest: Manifest, dataset: Dataset) -> None:
    """Raises: DatasetBroken if the version takes or tells apart something else than the dataset has."""
    version = f"version {manifest.version} of {manifest.model}"
    takes, has = {one.name for one in manifest.signature.inputs}, {one.name for one in dataset.features}
    if not takes <= has:
        missing = ", ".join(sorted(takes - has))
        raise DatasetBroken(
            path=dataset.name, reason=f"{version} takes {missing}, and it has {', '.join(sorted(has))}."
        )
    labels = manifest.signature.labels
    if labels is not None and dataset.classes is not None and tuple(labels) != dataset.classes:
        raise DatasetBroken(
            path=dataset.name,
            reason=f"{version} tells {', '.join(labels)} apart, and its classes are "
            f"{', '.join(dataset.classes)}.",
        )
