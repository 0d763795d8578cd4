"""What came of each shard, as the store keeps it: the first outcome that is written stands."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from lampyris.batch.plan import JSON, Outcome, Plan, decode_outcome, encode
from lampyris.domain.store import Store
from lampyris.errors import ObjectExists, ObjectNotFound

_READERS = 16
_AT_ONCE = 1024


def standing(store: Store, plan: Plan, shard: int) -> Outcome | None:
    """Return a shard's outcome, if it has one. Raises: StoreUnavailable."""
    try:
        return decode_outcome(store.get(plan.outcome_key(shard)).data)
    except ObjectNotFound:
        return None


def stand(store: Store, plan: Plan, outcome: Outcome) -> Outcome:
    """Write an outcome down, unless the shard has one by now; return the one that stands.

    Raises: StoreUnavailable.
    """
    key = plan.outcome_key(outcome.shard)
    try:
        store.create(key, encode(outcome), JSON)
    except ObjectExists:
        return decode_outcome(store.get(key).data)
    return outcome


def all_outcomes(store: Store, plan: Plan) -> Iterator[Outcome]:
    """Yield the outcomes of all shards, in order. Raises: ObjectNotFound, StoreUnavailable."""
    with ThreadPoolExecutor(_READERS) as readers:
        for first in range(0, plan.shards, _AT_ONCE):
            numbers = range(first, min(first + _AT_ONCE, plan.shards))
            keys = [plan.outcome_key(number) for number in numbers]
            yield from readers.map(lambda key: decode_outcome(store.get(key).data), keys)
