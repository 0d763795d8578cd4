"""What a job leaves in the bucket: its report, its figures, and the model, as an upload or beside them."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from lampyris.domain.bundle import Instructions
from lampyris.domain.layout import BUNDLE_FILE, FILES
from lampyris.jobs.handing_in import BUNDLE, MODEL, PUBLISH, UPLOAD, hand_in, upload_of
from lampyris_build.bundle import RECIPE_FILE
from lampyris_build.jobs.checkpoints import discard_checkpoints
from lampyris_build.jobs.worker import Work
from lampyris_build.pipeline import REPORT_FILE, BuildResult


def finish(
    work: Work,
    built: BuildResult,
    publish: Literal["live", "hold", "no"],
    *,
    results: Mapping[str, str] | None = None,
    told: Mapping[str, Any] | None = None,
) -> None:
    """End a job with what was built, and whatever else it found.

    Its model is an upload from the moment that the job has succeeded.

    Raises: JobLost, StoreUnavailable, TableUnavailable, QueueUnavailable.
    """
    store, hold, bundle = work.worker.store, work.hold, built.bundle
    hold.beat()  # nothing is put into the inbox for a job that is another's
    upload = upload_of(work.job, bundle.model)
    for name in bundle.files:
        file = built.bundle_dir / FILES / name
        key = f"{work.prefix}result/{FILES}{name}" if publish == "no" else upload.file_key(name)
        store.put(key, file)
    if publish == "hold":
        instructions = Instructions(release="hold", reason=f"job {work.job.id}")
        store.put(upload.instructions_key, msgspec.json.encode(instructions))
    files = {
        BUNDLE: put_result(work, BUNDLE_FILE, (built.bundle_dir / BUNDLE_FILE).read_bytes()),
        "report": put_result(work, REPORT_FILE, built.report.read_bytes(), "text/html; charset=utf-8"),
        "recipe": put_result(work, RECIPE_FILE, (built.bundle_dir / FILES / RECIPE_FILE).read_bytes()),
        "metrics": put_result(work, "metrics.json", msgspec.json.encode(bundle.metrics)),
    }
    if publish == "no":
        files |= {"files": f"{work.prefix}result/{FILES}"}
    summary = summary_of(built) | ({} if publish == "no" else {UPLOAD: upload.upload})
    hold.succeed(
        results=files | dict(results or {}),
        summary=summary | dict(told or {}),
        duties=() if publish == "no" else (PUBLISH,),
    )
    if publish != "no":
        hand_in(work.hold.job, store)
    for job in (work.job.id, *work.job.child_ids):
        discard_checkpoints(store, job)


def put_result(work: Work, name: str, data: bytes, content_type: str = "application/json") -> str:
    """Put a file among the job's results, and return its key. Raises: StoreUnavailable."""
    key = f"{work.prefix}result/{name}"
    work.worker.store.put(key, data, {"content-type": content_type})
    return key


def summary_of(built: BuildResult) -> dict[str, Any]:
    """Say what came out in few figures: of what ships, and of every form of it."""
    shipped = list(built.variants.values())[-1]
    return {
        MODEL: built.bundle.model,
        "score": shipped.score,
        "size_bytes": sum(one.size_bytes for one in built.bundle.files.values()),
        "variants": built.bundle.metrics,
    }
