"""Choose how a model's data lies in memory. Whatever goes wrong here, the artifact stays as it is.

int8 convolutions with channels last are faster in large networks (a ResNet-50 by a third) and slower in small
ones (the recipe for MNIST by a fifth): so the two are timed.
"""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from lampyris.domain.tensors import Array
from lampyris.errors import UnsupportedModel
from lampyris.publishing.comparison import WORTH_IT, speedup
from lampyris.publishing.optimise import operators, put_channels_last, tune
from lampyris.publishing.runtime import refusing
from lampyris.serving.fetch import GRAPH_FILE, WEIGHTS_FILE
from lampyris.serving.runtime import open_session

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_INT8_CONVOLUTION = ("", "QLinearConv")
_FP32_CONVOLUTIONS = {("", "Conv"), ("com.microsoft", "FusedConv")}


def choose_layout(folder: Path, session: "InferenceSession", inputs: dict[str, Array]) -> None:
    """Put channels last in the artifact in `folder` if that is faster; `session` is the artifact's."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        other = Path(name)
        try:
            if _INT8_CONVOLUTION not in operators(folder / GRAPH_FILE):
                return
            put_channels_last(folder / GRAPH_FILE, other)
            with refusing("load the model with channels last"):
                candidate = open_session(other / GRAPH_FILE, threads=1)
            gain = speedup(session, candidate, inputs)
        except (UnsupportedModel, MemoryError):
            return
        if gain is not None and gain >= WORTH_IT:
            (folder / WEIGHTS_FILE).unlink(missing_ok=True)  # `session` holds on to its own
            for file in other.iterdir():
                file.replace(folder / file.name)


def is_tunable(folder: Path) -> bool:
    """Tell whether a file for one CPU alone could be made of the artifact in `folder`."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        try:
            if not _FP32_CONVOLUTIONS & operators(folder / GRAPH_FILE):
                return False
            return tune(folder / GRAPH_FILE, Path(name))
        except (UnsupportedModel, MemoryError):
            return False
