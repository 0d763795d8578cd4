"""A process that takes part in the trainings of process 0, and does nothing else."""

import signal

from lampyris_build.errors import BuildError
from lampyris_build.training.distributed import jobs, join
from lampyris_build.training.loop import take_part


def main() -> None:
    """Serve until process 0 says that it is done, or is gone."""
    # Ctrl-C reaches every process of a terminal: process 0 decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for job in jobs(join()):
        try:
            take_part(job)
        except BuildError:
            continue  # process 0 came to the same end, and tells it


if __name__ == "__main__":
    main()
