"""A job on a machine without a time limit, as AWS Batch starts it: alone, or several under `torchrun`.

    python -m lampyris_build.jobs.machine JOB
    torchrun --nnodes 2 --nproc-per-node 1 ... -m lampyris_build.jobs.machine JOB

Process 0 takes the job; the others take part in its trainings.
"""

import os
import signal
import sys
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from lampyris.bootstrap import open_jobs, open_store, read_settings
from lampyris.jobs.holding import take
from lampyris_build.jobs.running import run_job
from lampyris_build.jobs.worker import Worker

# AWS Batch ends what still runs 30 s after it asked for the end.
_GRACE_S = 25.0


def main() -> None:
    """Do the job that the command line names. A machine that is taken away (SIGTERM) hands it on.

    Ends with 1 unless the job has succeeded: `torchrun` stops the other processes then.
    """
    if int(os.environ.get("RANK", "0")) > 0:
        from lampyris_build.training import worker  # noqa: PLC0415 - torch, which process 0 may do without

        worker.main()
        return
    (name,) = sys.argv[1:]
    taken_away_s: list[float] = []
    signal.signal(signal.SIGTERM, lambda *_: taken_away_s.append(monotonic() + _GRACE_S))
    settings = read_settings(os.environ)
    jobs = open_jobs(settings)
    hold = take(jobs, name, f"machine {os.urandom(8).hex()}", clock=monotonic)
    if hold is None:
        sys.exit(1)
    with TemporaryDirectory() as scratch:
        run_job(
            hold,
            Worker(
                jobs=jobs,
                store=open_store(settings),
                bucket=settings.bucket,
                scratch=Path(scratch),
                remaining_s=lambda: taken_away_s[0] - monotonic() if taken_away_s else inf,
                queue="machines",
            ),
        )
    if hold.job.state != "succeeded":
        sys.exit(1)


if __name__ == "__main__":
    main()
