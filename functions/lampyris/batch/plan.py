"""How an input is split into shards: written down once, then read by every worker of the job.

jobs/{job}/{generation}/plan.json            what holds for all shards: the version, the sizes, the pages
jobs/{job}/{generation}/plan/00000.json      a page: some hundred shards, each as pieces of objects
jobs/{job}/{generation}/answers/part-00000.* what the model said, in order
jobs/{job}/{generation}/failed/part-00000.*  the rows that it could not answer, and why
jobs/{job}/{generation}/outcomes/00000.json  what came of a shard: created once, and then it stands
jobs/{job}/{generation}/manifest.json        all of it, when the job is done
"""

from collections import OrderedDict
from typing import Literal

import msgspec

from lampyris.domain.store import Store

Format = Literal["csv", "parquet", "ndjson", "npy", "images"]
AnswerFormat = Literal["ndjson", "csv", "npy"]

_PAGES_KEPT = 4


class Piece(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Consecutive rows of one object, which is to be as it was when they were planned: `etag` says how.

    `start` and `end` count its bytes; of Parquet, its rows. `header` is the line that names the columns,
    where they are needed by name. A member of a zip has a `member` and, if it is deflated, says so.
    """

    key: str
    etag: str
    start: int
    end: int
    rows: int
    header: str = ""
    member: str = ""
    is_deflated: bool = False


class Shard(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A part of the input; `first_row` is the number of its first row in all of it, 1 for the first."""

    first_row: int
    rows: int
    pieces: tuple[Piece, ...]


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Where a page stands, and which shards are on it: from `first`, so many."""

    key: str
    first: int
    count: int


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of a shard: answers, and failed rows if there are any; or why there are no answers."""

    shard: int
    first_row: int
    rows: int
    failed_rows: int = 0
    answers: str | None = None
    answers_sha256: str = ""
    answers_size_bytes: int = 0
    failed: str | None = None
    failed_sha256: str = ""
    code: str | None = None
    detail: str = ""


class Plan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What holds for all shards of a job; `prefix` is below what their files stand.

    `first` is what came of the first shard, if that was predicted when the plan was made.
    """

    prefix: str
    model: str
    version: int
    input: str
    format: Format
    answers: AnswerFormat
    batch_size: int
    shards: int = 0
    rows: int = 0
    pages: tuple[Page, ...] = ()
    first: Outcome | None = None

    def answers_key(self, shard: int) -> str:
        return f"{self.prefix}answers/part-{shard:05}.{self.answers}"

    def failed_key(self, shard: int) -> str:
        return f"{self.prefix}failed/part-{shard:05}.ndjson"

    def outcome_key(self, shard: int) -> str:
        return f"{self.prefix}outcomes/{shard:05}.json"

    def tries_prefix(self, shard: int) -> str:
        return f"{self.prefix}tries/{shard:05}/"

    @property
    def manifest_key(self) -> str:
        return f"{self.prefix}manifest.json"


def prefix_of(job: str, generation: int) -> str:
    """Return below what everything stands that one generation of a job's workers writes."""
    return f"jobs/{job}/{generation}/"


def plan_key(prefix: str) -> str:
    return f"{prefix}plan.json"


def is_plan_key(key: str) -> bool:
    """Tell a finished plan from one that is still being made."""
    return key.endswith("/plan.json")


def page_key(prefix: str, page: int) -> str:
    return f"{prefix}plan/{page:05}.json"


# The headers of all of these that are JSON.
JSON = {"content-type": "application/json"}
encode = msgspec.json.Encoder().encode
decode_plan = msgspec.json.Decoder(Plan).decode
decode_outcome = msgspec.json.Decoder(Outcome).decode
_decode_page = msgspec.json.Decoder(tuple[Shard, ...]).decode


class Plans:
    """Plans as one execution environment has read them: no plan ever changes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._plans: OrderedDict[str, Plan] = OrderedDict()
        self._pages: OrderedDict[str, tuple[Shard, ...]] = OrderedDict()

    def plan(self, key: str) -> Plan:
        """Raises: ObjectNotFound, StoreUnavailable."""
        found = self._plans.get(key)
        if found is None:
            found = self._plans[key] = decode_plan(self._store.get(key).data)
            if len(self._plans) > _PAGES_KEPT:
                self._plans.popitem(last=False)
        return found

    def shard(self, plan: Plan, number: int) -> Shard:
        """Raises: as `plan`."""
        page = next(one for one in plan.pages if one.first <= number < one.first + one.count)
        found = self._pages.get(page.key)
        if found is None:
            found = self._pages[page.key] = _decode_page(self._store.get(page.key).data)
            if len(self._pages) > _PAGES_KEPT:
                self._pages.popitem(last=False)
        return found[number - page.first]
