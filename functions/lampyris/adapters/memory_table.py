"""A table in this process's memory."""

from collections.abc import Sequence
from threading import Lock

from lampyris.errors import ItemChanged, ItemExists, ItemNotFound
from lampyris.jobs.table import Item


class MemoryTable:
    """A Table without anything behind it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._items: dict[str, Item] = {}
        self._places: dict[str, tuple[str, str]] = {}
        self._revision = 0

    def get(self, key: str) -> Item:
        try:
            return self._items[key]
        except KeyError:
            raise ItemNotFound(key=key) from None

    def create(self, key: str, data: bytes, listed: tuple[str, str] | None = None) -> Item:
        with self._lock:
            if key in self._items:
                raise ItemExists(key=key)
            if listed is not None:
                self._places[key] = listed
            return self._write(key, data)

    def replace(self, item: Item, data: bytes) -> Item:
        with self._lock:
            self._check(item)
            return self._write(item.key, data)

    def delete(self, item: Item) -> None:
        with self._lock:
            self._check(item)
            del self._items[item.key]
            self._places.pop(item.key, None)

    def list(self, name: str, *, limit: int, before: str | None = None) -> Sequence[Item]:
        with self._lock:
            places = [
                (place, key)
                for key, (list_name, place) in self._places.items()
                if list_name == name and (before is None or place < before)
            ]
            return [self._items[key] for _, key in sorted(places, reverse=True)[:limit]]

    def _check(self, item: Item) -> None:
        found = self._items.get(item.key)
        if found is None or found.revision != item.revision:
            raise ItemChanged(key=item.key)

    def _write(self, key: str, data: bytes) -> Item:
        self._revision += 1
        self._items[key] = Item(key=key, data=data, revision=self._revision)
        return self._items[key]
