"""Which job an S3 put begins."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from lampyris.adapters.memory_queues import MemoryQueues
from lampyris.adapters.memory_store import MemoryStore
from lampyris.adapters.memory_table import MemoryTable
from lampyris.adapters.object_store import memory_store
from lampyris.domain.store import Entry, Store, Stored
from lampyris.errors import InvalidName, MalformedRequest
from lampyris.handlers.s3_events import Created
from lampyris.jobs.intake import asked_by, may_be_followed, refused
from lampyris.jobs.job import Failure
from lampyris.jobs.jobs import Jobs
from lampyris.jobs.specs import BatchSpec, TrainSpec, checked

RECIPE = b'name = "digits"\n[dataset]\npath = "s3://bucket/data/digits.csv"\n'


@pytest.fixture
def store() -> Store:
    return memory_store()


def put(key: str, writing: str = "etag 1") -> Created:
    return Created(encoded_key=key, by="ana", writing=writing)


def test_file_below_a_model_begins_a_batch_of_its_live_version(store: Store) -> None:
    asked = asked_by(put("batch/glow/2026/some+rows.csv"), store)

    assert asked is not None
    assert (asked.kind, asked.model, asked.by) == ("batch", "glow", "ana")
    assert asked.spec["input"] == "batch/glow/2026/some rows.csv"
    assert asked.spec["version"] == "live"


def test_put_that_is_announced_five_times_makes_one_job_and_one_put_again_another(store: Store) -> None:
    jobs = Jobs(MemoryTable(), MemoryQueues(), now=lambda: datetime(2026, 1, 1, tzinfo=UTC))

    asked = [asked_by(put("batch/glow/rows.csv"), store) for _ in range(5)]
    made = [jobs.submit(one) for one in asked if one is not None]
    other = asked_by(put("batch/glow/rows.csv", "etag 2"), store)
    assert other is not None
    again = jobs.submit(other)

    assert len({job.id for job in made}) == 1
    assert again.id != made[0].id


def test_recipe_begins_a_build_and_data_begin_another_with_them(store: Store) -> None:
    store.put("watch/digits/recipe.toml", RECIPE)
    first = asked_by(put("watch/digits/recipe.toml"), store)
    store.put("watch/digits/data/new.csv", b"1")
    second = asked_by(put("watch/digits/data/new.csv"), store)
    store.put("watch/digits/data/more.csv", b"1")
    third = asked_by(put("watch/digits/data/more.csv"), store)

    assert first is not None
    assert second is not None
    assert third is not None
    assert [one.spec["data"] for one in (first, second, third)] == [
        None,
        "watch/digits/data/new.csv",
        "watch/digits/data/",
    ]
    assert len({one.key for one in (first, second, third)}) == 3
    assert first.kind == "train"
    assert first.model == "digits"


def test_data_that_are_put_together_begin_one_build(store: Store) -> None:
    store.put("watch/digits/recipe.toml", RECIPE)
    for number in range(10):
        store.put(f"watch/digits/data/{number}.csv", b"1")

    asked = [asked_by(put(f"watch/digits/data/{number}.csv", str(number)), store) for number in range(10)]

    assert len({one.key for one in asked if one is not None}) == 1


def test_put_of_data_that_another_has_followed_begins_nothing() -> None:
    store = MemoryStore(now=lambda: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=len(written)))
    written: list[str] = []
    for key in ("recipe.toml", "data/a.csv", "data/b.csv"):
        written.append(key)
        store.put(f"watch/digits/{key}", RECIPE)

    assert asked_by(put("watch/digits/data/a.csv"), store) is None
    assert asked_by(put("watch/digits/data/b.csv"), store) is not None
    assert asked_by(put("watch/digits/recipe.toml"), store) is not None


def test_data_put_in_parts_begin_a_build_though_others_were_put_since_that_was_begun() -> None:
    class Watched(MemoryStore):
        def list(self, prefix: str, after: str = "") -> Iterator[Entry]:
            for name, minute, etag in (("large.csv", 1, '"ab-2"'), ("small.csv", 2, '"cd"')):
                at = datetime(2026, 1, 1, 0, minute, tzinfo=UTC)
                yield Entry(key=f"{prefix}{name}", size_bytes=1, modified_at=at, etag=etag)

    store = Watched()
    store.put("watch/digits/recipe.toml", RECIPE)

    asked = [asked_by(put(f"watch/digits/data/{name}.csv"), store) for name in ("small", "large")]

    assert len({one.key for one in asked if one is not None}) == 1
    assert None not in asked


@pytest.mark.parametrize(
    "key", ["data/rows.csv", "batch/rows.csv", "batch/glow/", "watch/digits/notes.txt", "watch/digits/data/x"]
)
def test_other_puts_begin_nothing(store: Store, key: str) -> None:
    assert asked_by(put(key), store) is None


def test_put_where_no_model_can_be_is_refused(store: Store) -> None:
    with pytest.raises(InvalidName):
        asked_by(put("batch/Not+a+model/rows.csv"), store)
    with pytest.raises(InvalidName):
        asked_by(put("batch/%FF/rows.csv"), store)


def test_recipe_that_is_none_is_refused(store: Store) -> None:
    store.put("watch/digits/recipe.toml", b"\xff")

    with pytest.raises(MalformedRequest):
        asked_by(put("watch/digits/recipe.toml"), store)


def test_recipe_that_is_too_large_is_refused_unread() -> None:
    class Huge(MemoryStore):
        def get(self, key: str) -> Stored:
            raise AssertionError(f"{key} was read whole")

        def size_bytes(self, key: str) -> int:
            assert key == "watch/digits/recipe.toml"
            return 5 * 2**30

    with pytest.raises(MalformedRequest, match="65,536 at most"):
        asked_by(put("watch/digits/recipe.toml"), Huge())


@pytest.mark.parametrize(
    "key", ["batch/Not+a+model/rows.csv", "batch/%FF/rows.csv", "watch/digits/recipe.toml"]
)
def test_put_that_was_refused_is_refused_for_the_same_reason_when_it_is_begun_again(
    store: Store, key: str
) -> None:
    store.put("watch/digits/recipe.toml", b"name =\n\xff")
    with pytest.raises((InvalidName, MalformedRequest)) as refusal:
        asked_by(put(key), store)

    asked = refused(put(key), refusal.value)

    spec = msgspec.convert(asked.spec, BatchSpec | TrainSpec)
    with pytest.raises((InvalidName, MalformedRequest)):
        checked(spec, "")
    if isinstance(spec, TrainSpec):
        assert spec.recipe == "# watch/digits/: watch/digits/recipe.toml is not text in UTF-8.\n"


def test_data_of_a_recipe_that_cannot_be_built_are_refused_by_one_job_however_many_they_are(
    store: Store,
) -> None:
    store.put("watch/digits/recipe.toml", b"x" * 100_000)
    jobs = Jobs(MemoryTable(), MemoryQueues(), now=lambda: datetime(2026, 1, 1, tzinfo=UTC))

    for number in range(5):
        created = put(f"watch/digits/data/{number}.csv", f"etag {number}")
        with pytest.raises(MalformedRequest) as refusal:
            asked_by(created, store)
        jobs.submit(
            refused(created, refusal.value), Failure(code="malformed-request", detail=str(refusal.value))
        )

    (job,) = jobs.recent(limit=9)
    assert job.state == "failed"


@pytest.mark.parametrize(
    ("key", "is_followed"),
    [
        ("watch/digits/data/1.csv", True),
        ("watch%2Fdigits%2Fdata%2F1.csv", True),
        ("watch/digits/recipe.toml", False),
        ("batch/digits/1.csv", False),
    ],
)
def test_others_may_follow_a_put_of_data(key: str, *, is_followed: bool) -> None:
    assert may_be_followed(put(key)) is is_followed
