"""JSON bodies: what is wrong with one, in a sentence that names the place."""

from collections.abc import Callable
from typing import TypeVar, get_args

import msgspec

from lampyris.domain.datatypes import Datatype
from lampyris.errors import MalformedRequest

T = TypeVar("T")


def decode_body(decode: Callable[[str | bytes], T], body: str | bytes) -> T:
    """Decode a body with a msgspec decoder. Raises: MalformedRequest naming what departs."""
    try:
        return decode(body)
    except msgspec.ValidationError as error:
        hint = f" Datatypes are {', '.join(get_args(Datatype))}." if "enum" in str(error) else ""
        raise MalformedRequest(reason=f"The body is not such a request: {error}.{hint}") from None
    except RecursionError:
        raise MalformedRequest(reason="The body is nested too deeply.") from None
    except (msgspec.DecodeError, UnicodeError) as error:
        raise MalformedRequest(reason=f"The body is not valid JSON: {error}.") from None
