"""What came of giving copies of requests to a shadow: one document for each copy, and a summary of them."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import islice
from math import ceil
from typing import Literal

import msgspec

from lampyris.domain.layout import comparison_key, comparisons_prefix
from lampyris.domain.names import check_alias_name, check_model_name
from lampyris.domain.store import Store
from lampyris.errors import ObjectExists, ObjectNotFound
from lampyris.registry.documents import read_alias
from lampyris.registry.reading import read_each


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """How a shadow answered a copy of a request, beside the version that answered the caller.

    `code` says why the shadow did not answer; then nothing is known of its answer. `agrees` allows for
    rounding alone. `biggest_difference` is between numbers in the same place, None where there are none to
    compare; `same_class` whether the most probable class of every row is the same, None for what is no
    classifier. Neither run includes the loading of its model.
    """

    format: Literal[1] = 1
    id: str
    model: str
    alias: str
    revision: int
    answered: int
    shadow: int
    at: datetime
    answered_ms: float
    shadow_ms: float | None = None
    agrees: bool | None = None
    biggest_difference: float | None = None
    same_class: bool | None = None
    code: str | None = None


class ShadowSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a shadow from some copies, the newest first; `next` is where the older ones begin.

    `failed` counts, by code, those that the shadow did not answer; `differing` those that it answered
    otherwise; `class_agreement` is the share of those with classes in which they were the same. Times are of
    the runs alone. `version` is None if this alias had no shadow that was ever asked.
    """

    model: str
    alias: str
    version: int | None
    requests: int
    differing: int
    failed: dict[str, int]
    class_agreement: float | None
    biggest_difference: float | None
    answered_p50_ms: float | None
    answered_p99_ms: float | None
    shadow_p50_ms: float | None
    shadow_p99_ms: float | None
    newest_at: datetime | None
    oldest_at: datetime | None
    next: str | None


def write_comparison(store: Store, comparison: Comparison) -> bool:
    """Write down how a shadow did, once for each copy; return whether this was the first time."""
    key = comparison_key(comparison.model, comparison.alias, comparison.shadow, comparison.id)
    try:
        store.create(key, msgspec.json.encode(comparison))
    except ObjectExists:
        return False
    return True


def summarise(
    store: Store, model: str, alias: str, version: int | None = None, *, limit: int = 1000, after: str = ""
) -> ShadowSummary:
    """Sum up what the newest `limit` copies came to, or those that are older than `after` (a `next`).

    Without `version` it is the alias' shadow, or else the highest version that ever was.
    Raises: InvalidName; without `version` AliasNotFound, ModelNotFound.
    """
    check_model_name(model)
    check_alias_name(alias)
    chosen = _shadow_of(store, model, alias) if version is None else version
    comparisons: list[Comparison] = []
    next_ = None
    if chosen is not None:
        prefix = f"{comparisons_prefix(model, alias)}{chosen}/"
        start = comparison_key(model, alias, chosen, after) if after else ""
        keys = [entry.key for entry in islice(store.list(prefix, start), limit + 1)]
        if len(keys) > limit:
            next_ = keys[limit - 1].removeprefix(prefix).removesuffix(".json")
        found = read_each(lambda key: _read(store, key), keys[:limit])
        comparisons = [comparison for comparison in found if comparison is not None]
    return _sum_up(model, alias, chosen, comparisons, next_)


def _shadow_of(store: Store, model: str, alias: str) -> int | None:
    found, _ = read_alias(store, model, alias)
    if found.shadow is not None:
        return found.shadow.manifest.version
    return max(map(int, store.list_folders(comparisons_prefix(model, alias))), default=None)


def _read(store: Store, key: str) -> Comparison | None:
    try:
        return msgspec.json.decode(store.get(key).data, type=Comparison)
    except ObjectNotFound:  # it has expired since it was listed
        return None


def _sum_up(
    model: str, alias: str, version: int | None, comparisons: list[Comparison], next_: str | None
) -> ShadowSummary:
    classified = [each.same_class for each in comparisons if each.same_class is not None]
    answered_ms = [each.answered_ms for each in comparisons]
    shadow_ms = [each.shadow_ms for each in comparisons if each.shadow_ms is not None]
    return ShadowSummary(
        model=model,
        alias=alias,
        version=version,
        requests=len(comparisons),
        differing=sum(each.agrees is False for each in comparisons),
        failed=dict(Counter(each.code for each in comparisons if each.code is not None)),
        class_agreement=sum(classified) / len(classified) if classified else None,
        biggest_difference=max(
            (each.biggest_difference for each in comparisons if each.biggest_difference is not None),
            default=None,
        ),
        answered_p50_ms=_percentile(answered_ms, 50),
        answered_p99_ms=_percentile(answered_ms, 99),
        shadow_p50_ms=_percentile(shadow_ms, 50),
        shadow_p99_ms=_percentile(shadow_ms, 99),
        newest_at=max((each.at for each in comparisons), default=None),
        oldest_at=min((each.at for each in comparisons), default=None),
        next=next_,
    )


def _percentile(values: Sequence[float], percent: int) -> float | None:
    """Return the smallest value that so many percent do not exceed; None of no values."""
    return sorted(values)[ceil(len(values) * percent / 100) - 1] if values else None
