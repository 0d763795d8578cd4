"""Many predictions at once: none is lost, and the batch function's memory does not grow with its input.

pytest -m slow -s tests/lampyris_local/jobs/test_many.py
"""

import io
import json
import re
import time
from statistics import median
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from rich.console import Console

pytestmark = pytest.mark.slow
told = Console(highlight=False)

MESSAGES = 10_000
ROWS = 1_000_000
SHARD_ROWS = 5_000
_MEMORY = re.compile(r"Max Memory Used: (\d+) MB")


@pytest.fixture(scope="session")
def roomy(deployed: Any) -> Any:
    """A cloud in which functions have all their time, with a model `linear`."""
    # So few that each environment answers many shards.
    with deployed(parameters={"BatchConcurrency": "2"}) as deployment:
        deployment.publish_linear("linear")
        yield deployment


def features(rows: int) -> NDArray[np.float32]:
    """Return small whole numbers, a different row for each place."""
    return np.stack([np.arange(rows) // 100**place % 100 for place in range(4)], axis=1).astype(np.float32)


def sums(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Say what the model answers."""
    weights = (np.arange(12).reshape(4, 3) / 4).astype(np.float32)
    return rows @ weights


def test_ten_thousand_messages_have_ten_thousand_answers(roomy: Any) -> None:
    rows = np.stack([np.arange(MESSAGES) // 100, np.arange(MESSAGES) % 100] * 2, axis=1).astype(np.float32)
    messages = [
        {"id": f"n{number}", "model": "linear", "inputs": [row]} for number, row in enumerate(rows.tolist())
    ]
    started_s = time.perf_counter()

    roomy.send("PredictionsQueue", messages)
    sent_s = time.perf_counter() - started_s
    roomy.until(lambda: waiting(roomy, "PredictionsQueue") == 0, limit_s=900)
    elapsed_s = time.perf_counter() - started_s

    keys = [one.key for one in roomy.bucket.list("predictions/linear/")]
    answers = {key.rpartition("/")[2]: json.loads(bytes(roomy.bucket.get(key).data)) for key in keys}
    wanted = sums(rows)
    assert len(keys) == MESSAGES
    for number in range(MESSAGES):
        answer = answers[f"n{number}.json"]["outputs"][0]
        assert np.array_equal(np.ravel(answer["data"]), wanted[number]), (number, answer)
    assert waiting(roomy, "PredictionsDeadLetters") == 0
    told.print(f"{MESSAGES:,} messages: sent in {sent_s:.1f} s, all answered after {elapsed_s:.1f} s")


def test_a_million_rows_are_answered_in_flat_memory(roomy: Any) -> None:
    rows = features(ROWS)
    file = io.BytesIO()
    np.save(file, rows)
    roomy.bucket.put("data/many.npy", file.getvalue())
    started_s = time.perf_counter()

    spec = {"kind": "batch", "model": "linear", "input": "data/many.npy", "answers": "npy"}
    job = roomy.ended(roomy.submit({**spec, "shard_rows": SHARD_ROWS}), limit_s=1500)
    elapsed_s = time.perf_counter() - started_s

    shards = roomy.manifest(job)["shards"]
    found = [np.load(io.BytesIO(bytes(roomy.bucket.get(shard["answers"]).data))) for shard in shards]
    assert (job["state"], job["failure"]) == ("succeeded", None)
    assert job["summary"]["answered_rows"] == ROWS
    assert np.array_equal(np.concatenate(found), sums(rows))
    grown = list(quarters(roomy).values())
    told.print(
        f"{ROWS:,} rows in {len(shards)} shards: {elapsed_s:.1f} s, {ROWS / elapsed_s:,.0f} rows/s",
    )
    told.print("memory of each environment, MB, 2nd and last quarter of its shards:", grown)
    assert grown
    assert all(last <= second * 1.05 + 5 for second, last in grown)


def waiting(deployment: Any, queue: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = deployment.sqs.get_queue_attributes(QueueUrl=deployment.queue(queue), AttributeNames=names)
    return sum(int(value) for value in found["Attributes"].values())


def quarters(deployment: Any) -> dict[str, tuple[float, float]]:
    """Return each batch environment's memory: medians of the 2nd and last quarter of its invocations."""
    used: dict[str, list[int]] = {}
    for line in deployment.lines:
        if line.kind == "REPORT" and line.function == "BatchFunction":
            (memory_mb,) = _MEMORY.findall(line.text)
            used.setdefault(line.stream, []).append(int(memory_mb))
    return {
        stream: (median(each[len(each) // 4 : len(each) // 2]), median(each[-(len(each) // 4) :]))
        for stream, each in used.items()
        if len(each) >= 8
    }
