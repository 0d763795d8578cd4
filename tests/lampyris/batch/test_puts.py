"""What becomes of files that were put below `batch/`: who put them looks for it in the list of jobs."""

from typing import Any

from lampyris.errors import InvalidName
from lampyris.handlers.s3_events import Created
from lampyris.jobs.intake import asked_by, refused
from lampyris.jobs.job import Failure


def test_file_for_a_model_that_is_not_there_makes_a_job_that_fails_and_says_so(world: Any) -> None:
    asked = asked_by(Created(encoded_key="batch/glow/rows.csv", by="ana", writing="1"), world.store)

    job = world.jobs.submit(asked)
    world.run()

    ended = world.jobs.get(job.id)
    assert ended.state == "failed"
    assert ended.failure == Failure(code="model-not-found", detail="There is no model 'glow'.")


def test_put_that_was_refused_fails_for_the_same_reason_when_it_is_begun_again(world: Any) -> None:
    created = Created(encoded_key="batch/No+Model/rows.csv", by="ana", writing="1")
    error = InvalidName(kind="a model", name="No Model", rule="use letters")
    job = world.jobs.submit(refused(created, error), Failure(code=error.code, detail=str(error)))
    world.run()

    world.jobs.retry(job.id)
    world.run()

    ended = world.jobs.get(job.id)
    assert (ended.state, ended.attempts) == ("failed", 1)
    assert ended.failure.code == error.code
