"""How a batch job begins: split the input into shards, and answer the first of them on the way.

The input is read once, in a stream. A plan that takes longer than an invocation is laid down as a draft, and
the next worker goes on from there.
"""

from collections.abc import Callable, Iterator
from functools import cache

import msgspec

from lampyris.batch.answers import outputs_for
from lampyris.batch.batch_size import Speed, Speeds, fixed_batch_size
from lampyris.batch.formats import check_format, format_of_input, objects_of, read, split
from lampyris.batch.outcomes import stand
from lampyris.batch.plan import JSON, Outcome, Page, Piece, Plan, Shard, encode, page_key, plan_key, prefix_of
from lampyris.batch.predicting import Predicting
from lampyris.batch.room import Room, shards_of
from lampyris.batch.rows import Rows
from lampyris.domain.manifest import Manifest
from lampyris.domain.store import Store
from lampyris.errors import (
    DeadlineExceeded,
    InferenceFailed,
    InputChanged,
    InvalidInput,
    InvalidRequest,
    OutOfMemory,
)
from lampyris.jobs.holding import Hold
from lampyris.jobs.job import Progress
from lampyris.jobs.specs import BatchSpec

# What a shard is to take at most, and the first one, for whose answers somebody waits.
_SHARD_S, _FIRST_S = 20.0, 0.3
_FIRST_BYTES = 2**20
# Large inputs have larger shards, so that there are some hundred, and no more than so many bytes each.
_LEAST_BYTES, _MOST_BYTES, _SHARDS = 8 * 2**20, 64 * 2**20, 256
# Where no row tells how fast the model is.
_UNKNOWN = Speed(batch_size=64, rows_per_s=1000.0)
_SAMPLE_ROWS = 64
# The job's document has a bit for each shard, and is written for each.
_MOST_SHARDS = 30_000
_PAGE_SHARDS, _PAGE_PIECES = 256, 8192
# What is left of an invocation when a draft is laid down, in seconds.
_DRAFT_S = 15.0
_SAY_EVERY_S = 5.0


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A plan that goes on behind the piece that ends at `after` of the object at `key`.

    `etag` says how that object was. `after` counts bytes, but the members of a zip; `size_bytes` is how much
    of the input was planned.
    """

    plan: Plan
    speed: Speed
    key: str = ""
    etag: str = ""
    after: int = 0
    size_bytes: int = 0


_decode_draft = msgspec.json.Decoder(Draft).decode


class Planning:
    """Plans one job for one worker."""

    def __init__(self, hold: Hold, predicting: Predicting, speeds: Speeds, deadline_s: float) -> None:
        self._hold = hold
        self._predicting = predicting
        self._store: Store = predicting.store
        self._clock: Callable[[], float] = predicting.clock
        self._speeds = speeds
        self._deadline_s = deadline_s
        self._said_s = predicting.clock()
        self._prefix = prefix_of(hold.job.id, hold.generation)
        self._page: list[Shard] = []

    def plan(self, spec: BatchSpec, resolve: Callable[[str], Manifest]) -> Plan | None:
        """Make a plan, and the first shard's answers; None if the next worker must go on with it.

        `resolve` finds a version of the model. What an alias means is decided once.
        Raises: InvalidInput, InvalidRequest if no batch can be made of it; StoreUnavailable; JobLost.
        """
        key = self._hold.job.checkpoint
        if key is None:
            manifest = resolve(spec.version)
            draft = self._begun(spec, manifest)
        else:
            draft = _decode_draft(self._store.get(key).data)
            manifest = resolve(str(draft.plan.version))
        plan = draft.plan
        total_bytes = cache(lambda: sum(one.size_bytes for one in objects_of(self._store, spec.input)))
        shards = shards_of(
            lambda room: self._pieces(draft, manifest, room),
            lambda number: _limits(spec, draft.speed, number, total_bytes),
            shards=plan.shards,
            rows=plan.rows,
        )
        for shard in shards:
            if plan.shards == _MOST_SHARDS:
                raise InvalidInput(
                    reason=f"The input makes more than {_MOST_SHARDS:,} shards of {shard.rows:,} rows or so; "
                    "ask for larger ones (shard_rows), or for several jobs."
                )
            first = self._first(plan, shard, manifest) if plan.shards == 0 else plan.first
            self._page.append(shard)
            draft = _behind(draft, shard)
            plan = msgspec.structs.replace(
                plan, first=first, shards=plan.shards + 1, rows=plan.rows + shard.rows
            )
            if self._is_page_full():
                plan = self._with_page(plan)
            self._say(draft.size_bytes, total_bytes)
            if self._clock() > self._deadline_s - _DRAFT_S:
                self._lay_down(msgspec.structs.replace(draft, plan=self._with_page(plan)))
                return None
        return self._with_page(plan)

    def _begun(self, spec: BatchSpec, manifest: Manifest) -> Draft:
        form = spec.format or format_of_input(self._store, spec.input)
        for one in manifest.signature.inputs:
            if not one.shape:
                raise InvalidInput(
                    reason=f"The model's input {one.name!r} is a single value and has no rows: "
                    "no batch can be made for it."
                )
        if next(objects_of(self._store, spec.input), None) is None:
            raise InvalidInput(reason=f"Nothing stands at {spec.input!r}, nor below it.")
        outputs_for(spec.answers, manifest.signature)
        plan = Plan(
            prefix=self._prefix,
            model=manifest.model,
            version=manifest.version,
            input=spec.input,
            format=form,
            answers=spec.answers,
            batch_size=fixed_batch_size(manifest.signature) or spec.batch_size or _UNKNOWN.batch_size,
        )
        speed = self._speed(plan, spec, manifest)
        return Draft(plan=msgspec.structs.replace(plan, batch_size=speed.batch_size), speed=speed)

    def _speed(self, plan: Plan, spec: BatchSpec, manifest: Manifest) -> Speed:
        """Find out which batch size is fastest with the input's first rows, unless the job says one."""
        sample = self._sample(plan, manifest)
        if sample is None:
            return msgspec.structs.replace(_UNKNOWN, batch_size=plan.batch_size)
        outputs = outputs_for(plan.answers, manifest.signature)
        try:
            self._predicting.run(manifest, sample.part(0, 1), outputs, self._deadline_s)
            speed = self._speeds.fastest(
                manifest,
                sample.inputs,
                lambda inputs: self._predicting.inference.run(
                    manifest, inputs, deadline_s=self._deadline_s, outputs=outputs
                ),
            )
        except (InferenceFailed, OutOfMemory, DeadlineExceeded):  # the first row is a bad one
            speed = _UNKNOWN
        is_given = spec.batch_size is not None or fixed_batch_size(manifest.signature) is not None
        return msgspec.structs.replace(speed, batch_size=plan.batch_size) if is_given else speed

    def _sample(self, plan: Plan, manifest: Manifest) -> Rows | None:
        """Read the input's first good rows; None if there are none at its beginning."""
        room = Room(_SAMPLE_ROWS, _FIRST_BYTES)
        for found in objects_of(self._store, plan.input):
            if not check_format(found, plan.input, plan.format):
                continue
            pieces = split(self._store, found, room, 0, form=plan.format, signature=manifest.signature)
            for piece in pieces:
                chunks = read(
                    self._store,
                    (piece,),
                    manifest.signature,
                    form=plan.format,
                    first_row=1,
                    batch_size=plan.batch_size,
                )
                return next((rows for chunk in chunks for rows in chunk.rows), None)
        return None

    def _pieces(self, draft: Draft, manifest: Manifest, room: Room) -> Iterator[Piece]:
        """Yield what stands behind a draft's place in the input. Raises: InputChanged."""
        plan = draft.plan
        for found in objects_of(self._store, plan.input):
            if found.key >= draft.key and check_format(found, plan.input, plan.format):
                if found.key == draft.key and found.etag != draft.etag:
                    raise InputChanged(key=found.key)
                after = draft.after if found.key == draft.key else 0
                yield from split(
                    self._store, found, room, after, form=plan.format, signature=manifest.signature
                )

    def _first(self, plan: Plan, shard: Shard, manifest: Manifest) -> Outcome | None:
        """Answer the first shard, so that there are answers while the rest is being split.

        Raises: InvalidInput, InvalidRequest if there cannot be answers, for any shard.
        """
        try:
            outcome = self._predicting.predict(plan, 0, shard, manifest, self._deadline_s - _DRAFT_S)
        except InvalidRequest:
            raise
        except (DeadlineExceeded, InferenceFailed, OutOfMemory):
            return None  # it is given to the queue like all others
        outcome = stand(self._store, plan, outcome)
        self._hold.beat(
            Progress(stage="predict", step=1, steps=0, unit="shards"),
            log=(f"{shard.rows - outcome.failed_rows:,} rows are answered: {outcome.answers}",),
        )
        return outcome

    def _lay_down(self, draft: Draft) -> None:
        key = f"{self._prefix}draft.json"
        self._store.put(key, encode(draft), JSON)
        self._hold.checkpoint(key)

    def _is_page_full(self) -> bool:
        return (
            len(self._page) >= _PAGE_SHARDS or sum(len(shard.pieces) for shard in self._page) >= _PAGE_PIECES
        )

    def _with_page(self, plan: Plan) -> Plan:
        if not self._page:
            return plan
        page = Page(
            key=page_key(self._prefix, len(plan.pages)),
            first=plan.shards - len(self._page),
            count=len(self._page),
        )
        self._store.put(page.key, encode(self._page), JSON)
        self._page = []
        return msgspec.structs.replace(plan, pages=(*plan.pages, page))

    def _say(self, done_bytes: int, total_bytes: Callable[[], int]) -> None:
        now_s = self._clock()
        if now_s - self._said_s >= _SAY_EVERY_S:
            self._said_s = now_s
            self._hold.beat(Progress(stage="plan", step=done_bytes, steps=total_bytes(), unit="bytes"))

    def write(self, plan: Plan) -> str:
        """Write a finished plan, and return its key."""
        key = plan_key(self._prefix)
        self._store.put(key, encode(plan), JSON)
        return key


def _behind(draft: Draft, shard: Shard) -> Draft:
    """Move a draft's place in the input behind a shard."""
    key, etag, after, size_bytes = draft.key, draft.etag, draft.after, draft.size_bytes
    for piece in shard.pieces:
        before = after if piece.key == key else 0
        key, etag, after = piece.key, piece.etag, before + 1 if piece.member else piece.end
        size_bytes += piece.end - piece.start
    return msgspec.structs.replace(draft, key=key, etag=etag, after=after, size_bytes=size_bytes)


def _limits(spec: BatchSpec, speed: Speed, number: int, total_bytes: Callable[[], int]) -> tuple[int, int]:
    """Return how many rows and bytes a shard takes. The first asks for no listing of a whole prefix."""
    if spec.shard_rows is not None:
        return spec.shard_rows, 2**62
    seconds = _SHARD_S if number else _FIRST_S
    rows = max(1, int(speed.rows_per_s * seconds))
    if number == 0:
        return rows, min(_FIRST_BYTES, _LEAST_BYTES)
    return rows, min(max(total_bytes() // _SHARDS, _LEAST_BYTES), _MOST_BYTES)
