"""How much memory a model wants: what a fresh process takes for it, beyond what it took before."""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from lampyris_build.data.dataset import Inputs

# Run by itself: what it imports counts as taken before. Strings go as fixed-width characters, since objects
# could only be read by unpickling.
_PROGRAM: Final = """
import resource
import sys

import numpy as np
import onnxruntime

def peak_bytes():
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024
    except FileNotFoundError:  # not Linux; macOS counts bytes, and from this process' start
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

def as_many(row, shape):
    return np.repeat(row, shape[0] if isinstance(shape[0], int) else 1, axis=0)

with np.load(sys.argv[2]) as file:
    feed = dict(zip(sys.argv[3:], (file[place] for place in file.files)))
feed = {name: array.astype(object) if array.dtype.kind == "U" else array for name, array in feed.items()}
options = onnxruntime.SessionOptions()
options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
options.intra_op_num_threads = 1
try:
    with open("/proc/self/clear_refs", "w") as references:
        references.write("5")  # the peak is now what is taken now: imports may have taken more for a moment
except OSError:
    pass
before_bytes = peak_bytes()
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
session.run(None, {one.name: as_many(feed[one.name], one.shape) for one in session.get_inputs()})
print(peak_bytes() - before_bytes)
"""


def measure_memory(model: Path, inputs: Inputs) -> int:
    """Return the bytes that loading a model and running one row add to a process at their peak."""
    row = [np.asarray(values[:1]) for values in inputs.values()]
    with TemporaryDirectory() as work:
        file = Path(work) / "row.npz"
        np.savez(file, *(values.astype(str) if values.dtype == object else values for values in row))
        command = [sys.executable, "-c", _PROGRAM, str(model), str(file), *inputs]
        answer = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - no shell
    return int(answer.stdout)
