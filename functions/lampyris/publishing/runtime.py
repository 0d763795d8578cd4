"""What onnxruntime's failures mean: it raises classes with no common root, and says the rest in words."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from lampyris.errors import UnsupportedModel
from lampyris.serving.runtime import is_out_of_memory

# What stands before its words: a code, our own folder's name, and where in its sources it was.
_PREFIX = re.compile(
    r"^(\[ONNXRuntimeError\] : \d+ : \w+ : )?"
    r"(Load model from \S+ failed:)?"
    r"(/onnxruntime_src/\S+:\d+ .*?\) (?=[A-Z]))?"
)
_REASON_LENGTH = 400


@contextmanager
def refusing(what: str) -> Iterator[None]:
    """Turn a failure of onnxruntime into a refusal that says `what` could not be done.

    Raises: MemoryError if memory was what it lacked, else UnsupportedModel.
    """
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        said = _PREFIX.sub("", str(error))
        if is_out_of_memory(error):
            raise MemoryError(said) from error
        raise UnsupportedModel(reason=f"onnxruntime cannot {what}: {said[:_REASON_LENGTH]}") from error
