"""Do a job that was taken: until it has ended, or until the worker's time is up and the next one goes on."""

import logging
import re
import shutil
from contextlib import suppress
from pathlib import Path
from tempfile import gettempdir
from typing import Final

from lampyris.errors import JobLost, LampyrisError, Unavailable
from lampyris.jobs.holding import Beating, Hold
from lampyris.jobs.job import Failure
from lampyris_build.data.bucket import reading
from lampyris_build.data.fetch import keeping, only_public
from lampyris_build.errors import DatasetMissing
from lampyris_build.jobs.checkpoints import Checkpoints
from lampyris_build.jobs.following import Following, LastWords, out_of_time
from lampyris_build.jobs.worker import Work, Worker, training_of
from lampyris_build.stages import TimeIsUp

_log = logging.getLogger(__name__)

# How a lack of memory is told by those who do not raise MemoryError.
_OUT_OF_MEMORY: Final = re.compile(
    "can't allocate memory|not enough memory|bad_alloc|Failed to allocate memory"
)


def run_job(hold: Hold, worker: Worker, *, following: type[Following] = Following) -> None:
    """Do the job that is held. What becomes of it is in its document when this returns.

    Raises: Unavailable if not even that could be written; the lease ends then, and another worker goes on.
    """
    # What is fetched stays for the next worker of this job that finds it; what others left goes.
    family = worker.scratch / (hold.job.parent or hold.job.id)
    for other in (*worker.scratch.glob("*"), *family.glob(f"{hold.job.id}-*")):
        if other != family:
            shutil.rmtree(other, ignore_errors=True)
    folder = family / f"{hold.job.id}-{hold.generation}"
    checkpoints = Checkpoints(hold, worker.store, training_of(folder / "bundle"))
    work = Work(
        hold=hold,
        worker=worker,
        checkpoints=checkpoints,
        following=following(hold, checkpoints, remaining_s=worker.remaining_s, now=worker.jobs.now),
        folder=folder,
    )
    try:
        with (
            suppress(JobLost),
            reading(worker.bucket, worker.store),
            keeping(family / "data"),
            only_public(),
        ):
            _attempt(work)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _attempt(work: Work) -> None:
    hold, worker = work.hold, work.worker
    if worker.remaining_s() <= work.following.margin_s:
        hold.fail(out_of_time(""), for_now=True)
        return
    with Beating(hold), LastWords(hold, work.following, remaining_s=worker.remaining_s):
        try:
            work.checkpoints.restore()
            _do(work)
        except TimeIsUp:
            _go_on_later(work)
            return
        except JobLost:
            raise
        except Unavailable as error:
            _log.warning("A job failed for now.", exc_info=error)
            hold.fail(_unavailable(error), for_now=True)
            return
        except Exception as error:  # noqa: BLE001 - whatever happened to a job must stand in its document
            _fail(work, error)
            return


def _do(work: Work) -> None:
    """Do what the job's kind says. Each kind brings what takes seconds to import."""
    match work.job.kind:
        case "train":
            from lampyris_build.jobs.train import train  # noqa: PLC0415 - see above

            train(work)
        case "fold":
            from lampyris_build.jobs.folds import fold  # noqa: PLC0415 - see above

            fold(work)
        case "member":
            from lampyris_build.jobs.member import member  # noqa: PLC0415 - see above

            member(work)
        case "tune":
            from lampyris_build.jobs.tune import tune  # noqa: PLC0415 - see above

            tune(work)
        case "trial":
            from lampyris_build.jobs.tune import trial  # noqa: PLC0415 - see above

            trial(work)
        case "evaluate":
            from lampyris_build.jobs.evaluate import evaluate  # noqa: PLC0415 - see above

            evaluate(work)
        case _:
            raise AssertionError(work.job.kind)


def _go_on_later(work: Work) -> None:
    """Let the next worker go on; if nothing came of this one's time, it counts as a failed attempt."""
    try:
        is_further = work.checkpoints.keep()
    except Unavailable as error:
        work.hold.fail(_unavailable(error), for_now=True)
        return
    if is_further or work.following.has_kept:
        work.hold.hand_over(work.worker.queue)
    else:
        work.hold.fail(out_of_time(work.following.stage), for_now=True)


def _fail(work: Work, error: Exception) -> None:
    if isinstance(error, MemoryError) or _OUT_OF_MEMORY.search(str(error)):
        failure = Failure(
            code="out-of-memory",
            detail=f"The stage {work.following.stage!r} wants more memory than the worker has. Give the "
            'function more, lower training.batch_size, or ask for compute = "batch".',
        )
        work.hold.fail(failure)
    elif isinstance(error, LampyrisError):
        may_pass = isinstance(error, DatasetMissing) and error.may_pass
        work.hold.fail(Failure(code=error.code, detail=_public(str(error), work)), for_now=may_pass)
    else:
        _log.error("A job failed unexpectedly.", exc_info=error)
        failure = Failure(
            code="worker-failed",
            detail=f"The worker met an error of its own at the stage {work.following.stage!r} "
            f"({type(error).__name__}); its log says more.",
        )
        work.hold.fail(failure, for_now=True)


def _unavailable(error: Unavailable) -> Failure:
    return Failure(code=error.code, detail="What the job needs of AWS did not answer; it is tried again.")


def _public(told: str, work: Work) -> str:
    """Leave out of a sentence where things stand on this worker's disk, and in which bucket."""
    told = told.replace(f"s3://{work.worker.bucket}/", "")
    for folder in (work.worker.scratch, Path(gettempdir())):
        told = re.sub(rf"{re.escape(str(folder))}/(?:\S*/)?", "", told)
    return told
