from datetime import UTC, datetime, timedelta

from lampyris.adapters.memory_store import MemoryStore

START = datetime(2026, 1, 1, tzinfo=UTC)


def test_time_of_a_writing_is_what_the_clock_says() -> None:
    hours = iter(range(10))
    store = MemoryStore(now=lambda: START + timedelta(hours=next(hours)))

    store.put("m/a", b"1")
    store.put("m/b", b"1")

    assert [entry.modified_at for entry in store.list("m/")] == [START, START + timedelta(hours=1)]


def test_each_writing_has_an_etag_of_its_own_even_of_the_same_bytes() -> None:
    store = MemoryStore()
    etags = set()
    for _ in range(3):
        store.put("m/key", b"same")
        etags.add(store.get("m/key").etag)

    assert len(etags) == 3


def test_address_of_an_object_in_memory_names_its_key() -> None:
    assert MemoryStore().presign("GET", "answers/1", 60) == "memory:///answers/1"
