"""A node of a job: notes what it was told, and does what the job's name asks for."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

(job,) = sys.argv[1:]
node = os.environ.get("AWS_BATCH_JOB_NODE_INDEX", "none")
notes = Path(os.environ["NOTES"])
print(f"node {node} of {job}")  # noqa: T201 - a line for the log
if "stubborn" in job:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
if "session" in job:
    subprocess.Popen(["sleep", "600"], start_new_session=True)
unfinished = Path(os.environ["TMPDIR"]) / "note.json"
unfinished.write_text(json.dumps(dict(os.environ)))
unfinished.rename(notes / f"{job}-{node}.json")
if "wait" in job or node not in ("0", "none"):
    time.sleep(600)
for other in range(int(os.environ.get("AWS_BATCH_JOB_NUM_NODES", "0"))):
    while not (notes / f"{job}-{other}.json").exists():
        time.sleep(0.01)
sys.exit(3 if "fail" in job else 0)
