"""Verbs about the audit."""

from typing import Annotated

import msgspec

from lampyris.control.call import Caller, Registry
from lampyris.control.pages import Page, PageArguments
from lampyris.domain.names import check_model_name
from lampyris.registry.audit import Entry, find_end, read_entry
from lampyris.registry.reading import read_each
from lampyris.registry.verification import Verified, verify

# Where entries of one model are wanted: so many are looked through for a page, which may then be a short one.
_LOOKED_THROUGH = 1000
_READ_AT_ONCE = 100


class AuditPage(Page[Entry], frozen=True, kw_only=True):
    """Entries of the audit."""


class ListAudit(PageArguments, frozen=True, kw_only=True):
    model: Annotated[str | None, msgspec.Meta(description="Only changes of this model.")] = None


class Verify(msgspec.Struct, frozen=True, kw_only=True):
    pass


def list_all(registry: Registry, arguments: ListAudit, _caller: Caller) -> AuditPage:
    """List changes, the newest first. Raises: InvalidName, DocumentDamaged."""
    model, before = arguments.model, arguments.number_after()
    if model is not None:
        check_model_name(model)
    newest = find_end(registry.store)
    if before is not None:
        newest = min(newest, before - 1)
    oldest = max(0, newest - _LOOKED_THROUGH)
    at_once = arguments.limit if model is None else max(arguments.limit, _READ_AT_ONCE)
    found: list[Entry] = []
    for start in range(newest, oldest, -at_once):
        numbers = range(start, max(oldest, start - at_once), -1)
        entries = read_each(lambda number: read_entry(registry.store, number), numbers)
        found += [entry for entry in entries if entry is not None and model in {None, entry.model}]
        if len(found) >= arguments.limit:
            break
    found = found[: arguments.limit]
    last = found[-1].number if len(found) == arguments.limit else oldest + 1
    return AuditPage(items=tuple(found), next=str(last) if last > 1 else None)


def verify_all(registry: Registry, _arguments: Verify, _caller: Caller) -> Verified:
    """Look whether every entry is there and as it was written, and agrees with what it tells of."""
    return verify(registry.store, may_go_on=registry.may_go_on, progress=registry.progress)
