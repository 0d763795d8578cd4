"""A job's model goes through the inbox like any upload, which is complete once the job has succeeded."""

from contextlib import suppress

from lampyris.domain.layout import BUNDLE_FILE, Upload
from lampyris.domain.store import Store
from lampyris.errors import ObjectExists
from lampyris.jobs.job import Job

# The duty of a job whose model is to be published, and under which names its document says what.
PUBLISH = "publish"
BUNDLE, MODEL, UPLOAD = "bundle", "model", "upload"


def upload_of(job: Job, model: str) -> Upload:
    """Name the upload of a job's model: what an earlier worker left unfinished stands elsewhere."""
    return Upload(model=model, upload=f"{job.id}-{job.generation}", file=BUNDLE_FILE)


def hand_in(job: Job, store: Store) -> None:
    """Complete the upload of a job that has succeeded. Done twice, it is one upload.

    Raises: StoreUnavailable.
    """
    upload = Upload(model=job.summary[MODEL], upload=job.summary[UPLOAD], file=BUNDLE_FILE)
    # Never written over: an inbox takes what is written again for another upload.
    with suppress(ObjectExists):
        store.create(upload.key, store.get(job.results[BUNDLE]).data)
