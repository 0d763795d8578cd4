"""Whole batch jobs, from an object in the bucket to the manifest."""

import io
import json
import random
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from lampyris.domain.manifest import Manifest
from lampyris.domain.store import Store
from lampyris.domain.tensors import Array
from lampyris.errors import InferenceFailed, StoreUnavailable
from lampyris.serving.infer import Inference

ROWS = 1000


@pytest.fixture
def features() -> Array:
    return np.random.default_rng(5).normal(size=(ROWS, 8)).astype(np.float32)


def csv_of(values: Array) -> bytes:
    return "\n".join(",".join(str(value) for value in row) for row in values.tolist()).encode()


def ndjson_of(values: Array) -> bytes:
    return b"\n".join(json.dumps(row).encode() for row in values.tolist())


def npy_of(values: Array) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def parquet_of(values: Array) -> bytes:
    file = io.BytesIO()
    columns = {f"f{place}": values[:, place] for place in range(values.shape[1])}
    pq.write_table(pa.table(columns), file, compression="none", use_dictionary=False, write_statistics=False)
    return file.getvalue()


def png(brightness: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (4, 4), brightness).save(file, "PNG")
    return file.getvalue()


def expected(world: Any, manifest: Any, values: Array) -> Array:
    found = world.app.shards.predicting.inference.run(manifest, {"features": values}, deadline_s=float("inf"))
    probabilities: Array = found.outputs["p"]
    return probabilities


def probabilities_of(answers: list[dict[str, Any]]) -> Array:
    return np.array([list(answer["probabilities"].values()) for answer in answers], np.float32)


@pytest.mark.parametrize(
    ("name", "write"), [("in.csv", csv_of), ("in.ndjson", ndjson_of), ("in.npy", npy_of)]
)
def test_every_row_is_answered_once_and_in_order(
    world: Any, publish_linear: Any, features: Array, store: Any, name: str, write: Any
) -> None:
    manifest = publish_linear()
    store.put(f"data/{name}", write(features))

    job = world.done(input=f"data/{name}", shard_rows=130)

    assert job.state == "succeeded"
    answers = world.answers(job)
    assert [answer["row"] for answer in answers] == list(range(1, ROWS + 1))
    np.testing.assert_allclose(
        probabilities_of(answers), expected(world, manifest, features), rtol=1e-5, atol=1e-6
    )
    assert (job.shards.count, job.shards.rows, job.shards.failed_rows) == (8, ROWS, 0)
    assert job.summary["answered_rows"] == ROWS


def test_first_shard_has_its_answers_before_the_others_are_given_to_the_queue(
    world: Any, publish_linear: Any, features: Array, store: Any
) -> None:
    publish_linear()
    store.put("data/in.csv", csv_of(features))
    job = world.ask(input="data/in.csv", shard_rows=100)

    world.run(until=lambda: world.jobs.get(job.id).waits)

    waiting = world.jobs.get(job.id)
    assert waiting.shards.finished == 1
    assert store.get(f"jobs/{job.id}/1/answers/part-00000.ndjson").data.count(b"\n") == 100


def test_messages_delivered_five_times_in_any_order_have_one_effect(
    world: Any, publish_linear: Any, features: Array, store: Any
) -> None:
    publish_linear()
    store.put("data/in.csv", csv_of(features))
    world.times = 5

    job = world.ask(input="data/in.csv", shard_rows=50)
    random_ = random.Random(3)
    late: list[Any] = []
    for _ in range(4000):
        message = world.queues.take()
        if message is None:
            if not late:
                break
            message = late.pop(random_.randrange(len(late)))
        elif len(late) < 40:
            late += [message] * 5
            continue
        if message.queue == "attend":
            world.attending.attend(message.wake_up)
        elif message.queue == "batch":
            world.deliver(message)

    ended = world.jobs.get(job.id)
    assert ended.state == "succeeded"
    assert ended.shards.rows == ROWS
    assert [answer["row"] for answer in world.answers(ended)] == list(range(1, ROWS + 1))


def test_bad_rows_are_named_and_cost_no_good_ones(
    world: Any, publish_linear: Any, features: Array, store: Any
) -> None:
    publish_linear()
    lines = csv_of(features).split(b"\n")
    lines[4] = b"1,2,3"
    lines[500] = lines[500].replace(b",", b",abc,", 1)
    lines[501] = b"1,2,3,4,x,6,7,8"
    lines[999] = b'"1'
    store.put("data/in.csv", b"\n".join(lines))

    job = world.done(input="data/in.csv", shard_rows=130)

    assert job.state == "succeeded"
    failed = world.failed(job)
    assert [one["row"] for one in failed] == [5, 501, 502, 1000]
    assert failed[0]["code"] == "invalid-tensor"
    assert "the row has 3 columns" in failed[0]["detail"]
    assert "column 5: 'x' is not a number" in failed[2]["detail"]
    bad = {5, 501, 502, 1000}
    assert [one["row"] for one in world.answers(job)] == [row for row in range(1, 1001) if row not in bad]
    assert job.shards.failed_rows == 4


def test_failed_rows_keep_their_place_in_npy(
    world: Any, publish_linear: Any, features: Array, store: Any
) -> None:
    publish_linear()
    lines = ndjson_of(features[:30]).split(b"\n")
    lines[0] = lines[12] = lines[29] = b'{"no": 1}'
    store.put("data/in.jsonl", b"\n".join(lines))

    job = world.done(input="data/in.jsonl", shard_rows=10, answers="npy")

    parts = [np.load(io.BytesIO(store.get(shard["answers"]).data)) for shard in world.manifest(job)["shards"]]
    answers = np.concatenate(parts)
    assert answers.shape == (30, 3)
    assert np.flatnonzero(np.isnan(answers).any(axis=1)).tolist() == [0, 12, 29]


def test_objects_below_a_prefix_are_one_input(
    world: Any, publish_linear: Any, features: Array, store: Any
) -> None:
    publish_linear()
    for number, part in enumerate(np.split(features, 10)):
        store.put(f"data/many/{number}.csv", b"a,b,c,d,e,f,g,h\n" + csv_of(part) + b"\n")
    store.put("data/many/_SUCCESS", b"")
    store.put("data/many/none.csv", b"")

    job = world.done(input="data/many", shard_rows=150)

    assert [answer["row"] for answer in world.answers(job)] == list(range(1, ROWS + 1))
    assert job.shards.count == 7


@pytest.mark.parametrize("place", ["data/pictures.zip", "data/pictures/"])
def test_pictures_are_answered_by_their_names(
    world: Any, publish_picture: Any, store: Any, place: str
) -> None:
    publish_picture()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for number in range(20):
            data = b"no picture" if number == 7 else png(number)
            packed.writestr(f"some/{number:02}.png", data)
            store.put(f"data/pictures/{number:02}.png", data)
        packed.writestr("notes.txt", "none")
    store.put("data/pictures.zip", archive.getvalue())

    job = world.done(model="picture", input=place, shard_rows=6)

    assert job.state == "succeeded"
    answers = world.answers(job)
    assert [int(one["file"][-6:-4]) for one in answers] == [number for number in range(20) if number != 7]
    assert answers[-1]["probabilities"]["lit"] == pytest.approx(19 / 255)
    (failed,) = world.failed(job)
    assert (failed["row"], failed["code"]) == (8, "invalid-image")


def test_empty_input_succeeds_with_no_rows(world: Any, publish_linear: Any, store: Any) -> None:
    publish_linear()
    store.put("data/in.csv", b"a,b,c,d,e,f,g,h\n")

    job = world.done(input="data/in.csv")

    assert (job.state, job.summary["rows"], world.manifest(job)["shards"]) == ("succeeded", 0, [])


def test_nothing_at_the_input_fails_with_a_sentence(world: Any, publish_linear: Any) -> None:
    publish_linear()

    job = world.done(input="data/nothing")

    assert (job.state, job.failure.code) == ("failed", "invalid-input")
    assert "'data/nothing" in job.failure.detail


def test_wrong_columns_in_every_row_fail_the_job(world: Any, publish_linear: Any, store: Any) -> None:
    publish_linear()
    store.put("data/in.csv", b"1,2,3\n" * 50)

    job = world.done(input="data/in.csv")

    assert job.state == "failed"
    assert "Not one of the 50 rows has an answer. Row 1: " in job.failure.detail


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (np.zeros((50, 3), np.float32), "do not fit the model"),
        (np.zeros((50, 8), np.complex64), "of which nothing is read"),
        (np.zeros((50, 8), "U4"), "do not fit the model"),
    ],
)
def test_array_of_the_wrong_shape_or_kind_is_refused_before_a_row_is_read(
    values: Array, sentence: str, world: Any, publish_linear: Any, store: Any
) -> None:
    publish_linear()
    store.put("data/in.npy", npy_of(values))

    job = world.done(input="data/in.npy")

    assert (job.state, job.failure.code) == ("failed", "invalid-input")
    assert sentence in job.failure.detail
    assert job.shards is None


def test_input_of_too_many_shards_is_refused(world: Any, publish_linear: Any, store: Any) -> None:
    publish_linear()
    store.put("data/in.npy", npy_of(np.zeros((30_001, 8), np.float32)))

    job = world.done(input="data/in.npy", shard_rows=1)

    assert (job.state, job.failure.code) == ("failed", "invalid-input")
    assert "30,000 shards" in job.failure.detail


def test_version_is_the_one_that_was_meant_when_the_job_began(
    world: Any, publish_linear: Any, features: Array, store: Any
) -> None:
    publish_linear(seed=1)
    store.put("data/in.npy", npy_of(features))
    job = world.ask(input="data/in.npy", shard_rows=100)

    world.run(until=lambda: world.jobs.get(job.id).waits)
    publish_linear(seed=2)
    world.run()

    assert world.manifest(world.jobs.get(job.id))["version"] == 1


@pytest.mark.parametrize(
    ("name", "write"),
    [("in.csv", csv_of), ("in.ndjson", ndjson_of), ("in.npy", npy_of), ("in.parquet", parquet_of)],
)
def test_input_that_is_overwritten_by_one_of_equal_size_ends_the_job(
    world: Any, publish_linear: Any, features: Array, store: Any, name: str, write: Any
) -> None:
    publish_linear()
    before, after = write(features), write(features[::-1])
    assert len(before) == len(after)
    store.put(f"data/{name}", before)
    job = world.ask(input=f"data/{name}", shard_rows=100)
    world.run(until=lambda: world.jobs.get(job.id).waits)

    store.put(f"data/{name}", after)
    world.run()

    ended = world.jobs.get(job.id)
    assert (ended.state, ended.failure.code) == ("failed", "input-changed")
    assert f"'data/{name}' was changed" in ended.failure.detail
    assert ended.shards.finished == 1  # the first, which was read before

    world.jobs.retry(job.id)
    world.run()

    assert world.jobs.get(job.id).failure == ended.failure


def test_input_that_is_overwritten_when_all_of_it_was_read_is_answered_as_it_was(
    world: Any, publish_linear: Any, features: Array, store: Any
) -> None:
    publish_linear()
    store.put("data/in.csv", csv_of(features))
    job = world.ask(input="data/in.csv", shard_rows=100)
    world.run(until=lambda: (shards := world.jobs.get(job.id).shards) is not None and shards.is_complete)

    store.put("data/in.csv", csv_of(features[::-1]))
    world.run()

    assert world.jobs.get(job.id).state == "succeeded"


@pytest.mark.parametrize("place", ["data/pictures.zip", "data/pictures/"])
def test_picture_that_is_overwritten_ends_the_job(
    world: Any, publish_picture: Any, store: Any, place: str
) -> None:
    def put(brightness: int) -> None:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as packed:
            for number in range(12):
                packed.writestr(f"{number:02}.png", png(brightness))
        store.put("data/pictures.zip", archive.getvalue())
        store.put("data/pictures/11.png", png(brightness))

    publish_picture()
    for number in range(12):
        store.put(f"data/pictures/{number:02}.png", png(9))
    put(9)
    job = world.ask(model="picture", input=place, shard_rows=6)
    world.run(until=lambda: world.jobs.get(job.id).waits)

    put(8)
    world.run()

    ended = world.jobs.get(job.id)
    assert (ended.state, ended.failure.code) == ("failed", "input-changed")


def test_input_that_is_overwritten_between_two_workers_that_plan_ends_the_job(
    world: Any, publish_linear: Any, features: Array, store: Any
) -> None:
    publish_linear()
    store.put("data/in.npy", npy_of(features))
    world.remaining_ms = 10_000  # less than what is kept for the draft
    job = world.ask(input="data/in.npy", shard_rows=150)
    world.run(until=lambda: world.jobs.get(job.id).attempts == 3)

    store.put("data/in.npy", npy_of(features[::-1]))
    world.run()

    ended = world.jobs.get(job.id)
    assert (ended.state, ended.failure.code) == ("failed", "input-changed")
    assert ended.attempts == 4


def test_plan_that_takes_longer_than_an_invocation_is_handed_over(
    world: Any, publish_linear: Any, features: Array, store: Any
) -> None:
    publish_linear()
    for number, part in enumerate(np.split(features, 10)):
        store.put(f"data/many/{number}.csv", b"a,b,c,d,e,f,g,h\n" + csv_of(part) + b"\n")
    world.remaining_ms = 10_000  # less than what is kept for the draft

    job = world.done(input="data/many", shard_rows=150)

    assert job.state == "succeeded"
    assert job.attempts > 5
    assert [answer["row"] for answer in world.answers(job)] == list(range(1, ROWS + 1))


def test_shard_whose_workers_die_ends_with_a_reason_and_holds_up_no_other(
    world: Any, publish_linear: Any, features: Array, store: Any
) -> None:
    publish_linear()
    features[450, 0] = 66
    store.put("data/in.npy", npy_of(features))
    poison(world, KeyboardInterrupt())
    job = world.ask(input="data/in.npy", shard_rows=100)
    deaths = 0

    while (message := world.queues.take()) is not None:
        if message.queue == "attend":
            world.attending.attend(message.wake_up)
        elif message.queue == "batch":
            try:
                world.deliver(message)
            except KeyboardInterrupt:  # the function ended, and nobody sends its message again
                deaths += 1

    ended = world.jobs.get(job.id)
    assert ended.state == "succeeded"
    assert deaths == 3
    shards = world.manifest(ended)["shards"]
    assert [shard.get("code") for shard in shards] == [None] * 4 + ["worker-lost"] + [None] * 5
    assert len(world.answers(ended)) == 900


def test_nobody_is_told_what_a_service_said(
    world: Any, publish_linear: Any, features: Array, store: Any
) -> None:
    publish_linear()
    features[0, 0] = 66
    store.put("data/in.npy", npy_of(features))
    poison(world, StoreUnavailable(operation="get blobs/x", cause="arn:aws:sts::1:role/of-ours may not"))

    job = world.done(input="data/in.npy")

    assert (job.state, job.failure.code) == ("failed", "store-unavailable")
    assert "of-ours" not in msgspec.json.encode(job).decode()


class Poisoned:
    """Runs of `inference` that raise an error if one row among them begins with 66."""

    def __init__(self, inference: Inference, error: BaseException) -> None:
        self._inference = inference
        self._error = error

    def run(self, manifest: Manifest, inputs: Any, **others: Any) -> Any:
        if (inputs["features"][:, 0] == 66).any():
            raise self._error
        return self._inference.run(manifest, inputs, **others)


def poison(world: Any, error: BaseException) -> None:
    """Let runs with a row that begins with 66 raise an error."""
    before = world.app.shards.predicting
    predicting = msgspec.structs.replace(before, inference=Poisoned(before.inference, error))
    world.app = msgspec.structs.replace(
        world.app,
        working=msgspec.structs.replace(world.app.working, predicting=predicting),
        shards=msgspec.structs.replace(world.app.shards, predicting=predicting),
    )


def test_rows_that_the_model_fails_on_are_found_among_good_ones(
    world: Any, publish_linear: Any, features: Array, store: Any
) -> None:
    publish_linear()
    features[[0, 77, 78, 999], 0] = 66
    store.put("data/in.npy", npy_of(features))
    poison(world, InferenceFailed(model="glow", cause="a test"))

    job = world.done(input="data/in.npy", shard_rows=300)

    assert job.state == "succeeded"
    assert [(one["row"], one["code"]) for one in world.failed(job)] == [
        (1, "inference-failed"),
        (78, "inference-failed"),
        (79, "inference-failed"),
        (1000, "inference-failed"),
    ]
    assert len(world.answers(job)) == ROWS - 4


def test_shard_that_is_predicted_twice_writes_the_same_bytes(
    world: Any, publish_linear: Any, features: Array, store: Any
) -> None:
    publish_linear()
    store.put("data/in.csv", csv_of(features))
    job = world.done(input="data/in.csv", shard_rows=300, answers="csv")
    plan = world.app.shards.plans.plan(job.checkpoint)
    before = [store.get(plan.answers_key(number)).data for number in range(plan.shards)]

    manifest = world.app.shards.resolver.resolve("glow")
    for number in range(plan.shards):
        shard = world.app.shards.plans.shard(plan, number)
        world.app.shards.predicting.predict(plan, number, shard, manifest, float("inf"))

    assert [store.get(plan.answers_key(number)).data for number in range(plan.shards)] == before
    assert before[0].startswith(
        b"row,label,probability,probability_dark,probability_dim,probability_lit\r\n1,"
    )


class Noting:
    """A store that notes of which type the objects are that are written."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.types: dict[str, str] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def put(self, key: str, data: Any, headers: Mapping[str, str]) -> None:
        self._store.put(key, data, headers)
        self.types[key] = headers["content-type"]

    def create(self, key: str, data: bytes, headers: Mapping[str, str]) -> None:
        self._store.create(key, data, headers)
        self.types[key] = headers["content-type"]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ("csv", "text/csv; charset=utf-8; header=present"),
        ("ndjson", "application/x-ndjson"),
        ("npy", "application/x-npy"),
    ],
)
def test_results_say_of_which_type_they_are(
    world: Any,
    publish_linear: Any,
    features: Array,
    store: Store,
    tmp_path: Path,
    answers: str,
    expected: str,
) -> None:
    publish_linear()
    store.put("data/in.csv", b"1\n" + csv_of(features[:9]))
    noting = Noting(store)
    world = type(world)(noting, tmp_path)

    job = world.done(input="data/in.csv", answers=answers)

    prefix = f"jobs/{job.id}/1/"
    assert noting.types[f"{prefix}answers/part-00000.{answers}"] == expected
    assert noting.types[f"{prefix}failed/part-00000.ndjson"] == "application/x-ndjson"
    for name in ("plan.json", "plan/00000.json", "outcomes/00000.json", "manifest.json"):
        assert noting.types[prefix + name] == "application/json"
