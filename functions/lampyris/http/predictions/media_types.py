"""Media types: what predictions are taken and given as, and how headers name them."""

import re
from collections.abc import Sequence

import msgspec

from lampyris.errors import NotAcceptable

JSON = "application/json"
CSV = "text/csv"
NDJSON = "application/x-ndjson"
NPY = "application/x-npy"
IMAGES = ("image/png", "image/jpeg", "image/webp")
FORMS = ("multipart/form-data", "multipart/mixed")
TAKEN = (JSON, *IMAGES, CSV, NDJSON, NPY, *FORMS)
GIVEN = (JSON, CSV, NDJSON, NPY)

_PARAMETER = re.compile(r';\s*([^\s=;"]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s;"]*)')
_ESCAPED = re.compile(r"\\(.)")


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """A body, or a part of one, with what its Content-Type says."""

    media_type: str
    parameters: dict[str, str]
    body: bytes


def read_header(value: str) -> tuple[str, dict[str, str]]:
    """Read a value with parameters, as Content-Type and Content-Disposition have it; names in lower case.

    Source: RFC 9110, section 5.6.6.
    """
    first, separator, _ = value.partition(";")
    parameters = {}
    if separator:
        for name, text in _PARAMETER.findall(value):
            parameters[name.lower()] = _ESCAPED.sub(r"\1", text[1:-1]) if text[:1] == '"' else text
    return first.strip().lower(), parameters


def chosen_media_type(accept: str, given: Sequence[str] = GIVEN) -> str:
    """Return which of the given an Accept header wants most; the first if it does not care.

    Of equal weights, a type that is named outdoes a range of types, and then their order decides.
    Source: RFC 9110, section 12.5.1.
    Raises: NotAcceptable.
    """
    if accept in {"", "*/*", given[0]}:
        return given[0]
    weights: dict[str, float] = {}
    for item in accept.split(","):
        name, parameters = read_header(item)
        weights[name] = _weight(parameters.get("q", "1"))
    best, best_rank = None, (0.0, 0)
    for media_type in given:
        # The range that says most about a type is the one that counts for it.
        ranges = ("*/*", f"{media_type.partition('/')[0]}/*", media_type)
        specific, weight = max(
            ((position, weights[name]) for position, name in enumerate(ranges) if name in weights),
            default=(0, 0.0),
        )
        if weight > 0 and (weight, specific) > best_rank:
            best, best_rank = media_type, (weight, specific)
    if best is None:
        raise NotAcceptable(
            reason=f"Nothing here is what Accept {accept!r} asks for; offered are {', '.join(given)}."
        )
    return best


def _weight(text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0
