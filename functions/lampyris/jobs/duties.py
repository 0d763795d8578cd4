"""What a job needs besides looking at it: where its workers listen, and what is done when it has ended."""

from collections.abc import Callable
from contextlib import suppress

from lampyris.domain.store import Store
from lampyris.errors import NoJobs, ObjectNotFound
from lampyris.jobs import transitions
from lampyris.jobs.attending import Duty
from lampyris.jobs.handing_in import PUBLISH, hand_in
from lampyris.jobs.job import Job
from lampyris.jobs.jobs import Jobs
from lampyris.jobs.machines import Machines
from lampyris.jobs.notifications import Notifying
from lampyris.jobs.wake_ups import QueueName, WakeUp


def duties(
    store: Store, jobs: Jobs, notifying: Notifying, *, machines: Machines | None = None
) -> dict[str, Duty]:
    """Return what is done for jobs that have ended, by name; `machines` where a deployment has some."""

    def publish(job: Job) -> None:
        with suppress(ObjectNotFound):  # somebody has cleared its files away
            hand_in(job, store)

    def bury(job: Job) -> None:
        failure = job.failure
        assert failure is not None  # it has failed, as nobody begins it again before this is done
        jobs.queues.send("dead", WakeUp(job=job.id), why={"code": failure.code, "detail": failure.detail})

    def stop_machines(job: Job) -> None:
        if machines is None:
            return  # which is why it failed
        found = machines.of(job.id)
        # Whoever has begun the job again since needs those that it called.
        if jobs.get(job.id).generation == job.generation:
            for one in found:
                machines.stop(one)

    return {
        PUBLISH: publish,
        transitions.NOTIFY: notifying.notify,
        transitions.BURY: bury,
        transitions.WEBHOOK: notifying.call,
        transitions.STOP_MACHINES: stop_machines,
    }


def work(*, trains: bool, has_machines: bool) -> Callable[[Job], QueueName]:
    """Return what says which queue the workers of a job listen to.

    That raises NoJobs if a deployment has none: it was deployed without what trains, or without machines.
    """

    def queue_of(job: Job) -> QueueName:
        if job.kind == "batch":
            return "batch"
        if job.compute == "batch":
            if not has_machines:
                raise NoJobs(
                    reason="This deployment has no machines to train on: its MachineVpc is empty, or its "
                    "TrainImage."
                )
            return "machines"
        if not trains:
            raise NoJobs(reason="This deployment has no function that trains: its TrainImage is empty.")
        return "train"

    return queue_of
