"""A batch job's worker: it plans, lets the shards be predicted, and gathers what came of them."""

import logging
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from lampyris.batch.batch_size import Speeds
from lampyris.batch.outcomes import all_outcomes
from lampyris.batch.plan import JSON, Outcome, Plan, Plans, is_plan_key
from lampyris.batch.planning import Planning
from lampyris.batch.predicting import Predicting
from lampyris.domain.store import Store
from lampyris.errors import (
    Conflict,
    InvalidRequest,
    JobLost,
    NotFound,
    QueueUnavailable,
    StoreUnavailable,
    TableUnavailable,
    Unavailable,
)
from lampyris.jobs.holding import Beating, Hold
from lampyris.jobs.job import Failure, Shards
from lampyris.jobs.specs import BatchSpec
from lampyris.serving.resolver import Resolver

_log = logging.getLogger(__name__)
# What these say is for the log: it names what the deployment is made of.
_SERVICES = (StoreUnavailable, TableUnavailable, QueueUnavailable)
_AWAY = "What the job needs of AWS did not answer; it is tried again."
_encode = msgspec.json.Encoder().encode


class Working(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker of batch jobs depends on."""

    plans: Plans
    resolver: Resolver
    predicting: Predicting
    speeds: Speeds

    @property
    def store(self) -> Store:
        return self.predicting.store

    def work(self, hold: Hold, deadline_s: float) -> None:
        """Do what a job needs next, until it waits for its shards or has ended.

        Raises: TableUnavailable, QueueUnavailable: the job's lease decides then.
        """
        try:
            with Beating(hold):
                self._work(hold, deadline_s)
        except JobLost:
            return

    def _work(self, hold: Hold, deadline_s: float) -> None:
        try:
            key = hold.job.checkpoint
            if key is None or not is_plan_key(key):
                self._plan(hold, deadline_s)
                return
            plan = self.plans.plan(key)
            if hold.job.shards is None or not hold.job.shards.is_complete:
                self._wait(hold, plan)
                return
            self._gather(hold, plan)
        except JobLost:
            raise
        except (InvalidRequest, NotFound, Conflict) as error:
            hold.fail(Failure(code=error.code, detail=str(error)))
        except Unavailable as error:
            _log.warning("A job failed for now.", exc_info=error)
            detail = _AWAY if isinstance(error, _SERVICES) else str(error)
            hold.fail(Failure(code=error.code, detail=detail), for_now=True)

    def _plan(self, hold: Hold, deadline_s: float) -> None:
        spec = msgspec.convert(hold.job.spec, BatchSpec)
        planning = Planning(hold, self.predicting, self.speeds, deadline_s)
        plan = planning.plan(spec, lambda version: self.resolver.resolve(spec.model, version))
        if plan is None:
            hold.hand_over("batch")
            return
        hold.checkpoint(planning.write(plan))
        if plan.shards == 0:
            self._gather(hold, plan)
        else:
            self._wait(hold, plan)

    def _wait(self, hold: Hold, plan: Plan) -> None:
        """Let the shards be given to the queue; the first may have its answers already."""
        first = plan.first
        if first is None:
            hold.wait_for_shards(Shards(count=plan.shards))
        else:
            hold.wait_for_shards(
                Shards(count=plan.shards, done="1", sent=1, rows=first.rows, failed_rows=first.failed_rows)
            )

    def _gather(self, hold: Hold, plan: Plan) -> None:
        """Write the manifest, and end the job. It fails if there is not one answer."""
        answered = failed_shards = failed_rows = 0
        worst: Outcome | None = None
        with TemporaryDirectory(prefix="lampyris-batch-") as folder:
            path = Path(folder, "manifest.json")
            with path.open("wb") as file:
                head = _encode(
                    {
                        "model": plan.model,
                        "version": plan.version,
                        "input": plan.input,
                        "format": plan.format,
                        "answers": plan.answers,
                        "rows": plan.rows,
                        "batch_size": plan.batch_size,
                        "plan": hold.job.checkpoint,
                    }
                )
                file.write(head[:-1] + b',"shards":[')
                for outcome in all_outcomes(self.store, plan):
                    file.write((b",\n" if outcome.shard else b"\n") + _encode(outcome))
                    failed_rows += outcome.failed_rows
                    answered += outcome.rows - outcome.failed_rows
                    if outcome.code is not None:
                        failed_shards += 1
                    if worst is None and outcome.failed_rows == outcome.rows:
                        worst = outcome
                totals = {
                    "answered_rows": answered,
                    "failed_rows": failed_rows,
                    "failed_shards": failed_shards,
                }
                file.write(b"\n]," + _encode(totals)[1:] + b"\n")
            self.store.put(plan.manifest_key, path, JSON)
        if worst is not None and not answered:
            hold.fail(self._no_answers(plan, worst))
            return
        results = {"manifest": plan.manifest_key, "answers": f"{plan.prefix}answers/"}
        if failed_rows:
            results["failed"] = f"{plan.prefix}failed/"
        summary = {
            "model": plan.model,
            "version": plan.version,
            "rows": plan.rows,
            "shards": plan.shards,
            **totals,
        }
        hold.succeed(results=results, summary=summary)

    def _no_answers(self, plan: Plan, worst: Outcome) -> Failure:
        code, detail = worst.code, worst.detail
        if worst.failed is not None:
            line = bytes(self.store.get_range(worst.failed, 0, 4096)).partition(b"\n")[0]
            found = msgspec.json.decode(line)
            code, detail = found["code"], f"Row {found['row']:,}: {found['detail']}"
        return Failure(
            code=code or "invalid-input", detail=f"Not one of the {plan.rows:,} rows has an answer. {detail}"
        )
