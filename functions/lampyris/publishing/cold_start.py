"""The process in which a cold start is timed; `confinement` starts it.

It does what a new predict environment does once it has the artifact: Python starts, numpy and onnxruntime are
imported, the session is opened and runs once. Without the fetch from the store, and without HTTP; on the CPU
that publishing has, which may be more or less than predicting has.
"""

import gc
import os
import sys
from time import monotonic

from lampyris.lean_imports import MSGSPEC, NUMPY, hiding, without

with hiding(MSGSPEC), without(*NUMPY):  # as the predict function does
    import msgspec  # noqa: F401 - imported here, so that those below find it
    import onnxruntime  # noqa: F401 - as msgspec

from lampyris.publishing.first_run import ANSWERED_FILE, read_row
from lampyris.publishing.limits import OUT_OF_MEMORY, keep_to
from lampyris.serving.fetch import GRAPH_FILE
from lampyris.serving.runtime import is_out_of_memory, open_session


def main(folder: str, memory_bytes: int, time_s: int) -> None:
    """Answer once, and write down when; or end by the alarm, or with OUT_OF_MEMORY."""
    keep_to(memory_bytes=memory_bytes, time_s=time_s)
    try:
        session = open_session(f"{folder}/{GRAPH_FILE}", threads=1)
        session.run(None, read_row(folder, [value.name for value in session.get_inputs()]))
    except Exception as error:
        if is_out_of_memory(error):
            os._exit(OUT_OF_MEMORY)
        raise
    answered_s = monotonic()

    from pathlib import Path  # noqa: PLC0415 - 7 ms that a cold start does without

    Path(folder, ANSWERED_FILE).write_text(str(answered_s), encoding="ascii")


if __name__ == "__main__":
    gc.disable()  # as the predict function does while it starts
    _folder, _, _memory_bytes, _time_s = sys.argv[1:]
    main(_folder, int(_memory_bytes), int(_time_s))
