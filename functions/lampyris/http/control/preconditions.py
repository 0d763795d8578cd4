"""If-Match and If-None-Match (RFC 9110, section 13): an alias' ETag is its revision, in quotes."""

import re
from collections.abc import Callable
from typing import Literal

from lampyris.control.aliases import AliasState, OneAlias
from lampyris.errors import AliasChanged, KeyReused, MalformedRequest
from lampyris.http.event import Request

_ABSENT = 0
_TAG = re.compile(r'[ \t,]*(W/)?"([\x21\x23-\x7e\x80-\xff]*)"[ \t]*(?:,|\Z)')
_REVISION = re.compile("[1-9][0-9]{0,17}")
_MOST_TAGS = 20

# Each as (is weak, tag).
Tags = list[tuple[bool, str]]
# Makes a change for a caller who knows this revision: 0 that the alias is not there, None whichever it is.
Run = Callable[[int | None], AliasState]


def etag(alias: AliasState) -> str:
    """Return the ETag of an alias."""
    return f'"{alias.revision}"'


def refuse_preconditions(request: Request) -> None:
    """Raises: MalformedRequest if a change that nothing here has an ETag for depends on one."""
    for name in ("If-Match", "If-None-Match"):
        if name.lower() in request.headers:
            raise MalformedRequest(reason=f"{name} names the ETag of an alias; nothing else has one.")


def is_known(request: Request, found: AliasState) -> bool:
    """Say whether a reader has what was found already: If-None-Match names it.

    Raises: AliasChanged if there is an If-Match that does not name it; MalformedRequest.
    """
    wanted, known = _tags(request, "If-Match"), _tags(request, "If-None-Match")
    revision = str(found.revision)
    if isinstance(wanted, list) and (False, revision) not in wanted:
        raise AliasChanged(model=found.model, alias=found.alias, etag=revision)
    return known == "*" or (isinstance(known, list) and revision in (tag for _, tag in known))


def run_expecting(
    request: Request, about: OneAlias, run: Run, show: Callable[[], AliasState | None]
) -> AliasState:
    """Make a change of an alias if its preconditions hold; `show` reads the alias, None if it is not there.

    Of several tags each is tried: it is in the write itself that the registry compares one with the alias.
    Raises: AliasChanged, MalformedRequest, and what `run` raises.
    """
    wanted, unwanted = _tags(request, "If-Match"), _tags(request, "If-None-Match")
    if unwanted is not None:
        if wanted is not None or unwanted != "*":
            raise MalformedRequest(
                reason="With a change, If-None-Match is * and stands alone: to make what is not there yet."
            )
        return run(_ABSENT)
    if wanted is None:
        return run(None)
    if wanted == "*" and show() is not None:
        return run(None)
    reused: KeyReused | None = None
    for weak, tag in () if wanted == "*" else wanted:
        if weak or not _REVISION.fullmatch(tag):
            continue  # If-Match compares strongly, and no revision has another tag than its number
        try:
            return run(int(tag))
        except AliasChanged:
            continue
        except KeyReused as error:  # or the change was made, but at another one of these revisions
            reused = error
    if reused is not None:
        raise reused
    found = show()
    raise AliasChanged(
        model=about.model, alias=about.alias, etag=None if found is None else str(found.revision)
    )


def _tags(request: Request, name: str) -> Tags | Literal["*"] | None:
    """Read a header; None if it is not there. Raises: MalformedRequest."""
    if name.lower() not in request.headers:
        return None
    value = request.header(name.lower()).strip(" \t")
    if value == "*":
        return "*"
    tags: Tags = []
    end = 0
    while found := _TAG.match(value, end):
        tags.append((found[1] is not None, found[2]))
        end = found.end()
    if not tags or value[end:].strip(" \t,") or len(tags) > _MOST_TAGS:
        raise MalformedRequest(
            reason=f"{name} is {value[:80]!r}; use * or ETags in quotes, {_MOST_TAGS} at most, with commas."
        )
    return tags
