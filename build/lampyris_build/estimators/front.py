"""What stands between what callers send and an estimator.

Shape suffixes: N samples, F features.
"""

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from skl2onnx.common.data_types import FloatTensorType
from torch import nn

from lampyris_build.compression.tidying import tidy
from lampyris_build.data.dataset import Inputs
from lampyris_build.export import export_module
from lampyris_build.imports.graph import join
from lampyris_build.preprocessing.encoding import Encoding
from lampyris_build.preprocessing.module import Preprocessing
from lampyris_build.tasks.task import as_tensors

_BATCH = 1024
_OUTPUT = "preprocessed"


class Front(Protocol):
    """Makes of raw inputs what an estimator is given, and does the same in ONNX."""

    @property
    def types(self) -> list[tuple[str, Any]]:
        """Name the estimator's inputs, with skl2onnx's types."""
        ...

    def features(self, inputs: Inputs) -> Any:
        """Return what scikit-learn's `fit` and `predict` are given for raw inputs."""
        ...

    def write(self, model: onnx.ModelProto, path: Path) -> None:
        """Put the same before the converted estimator, and write both as one file."""
        ...


class _Vectors(nn.Module):
    """Preprocessed samples of any shape as vectors (N, F)."""

    def __init__(self, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.preprocessing = preprocessing

    def forward(self, *encoded: torch.Tensor) -> torch.Tensor:
        x: torch.Tensor = self.preprocessing(*encoded)
        return x.flatten(1)


class PreprocessedFront:
    """Gives an estimator what networks see, as vectors: standardised, categories one-hot, pixels in a row.

    `example` are two raw samples, to export with.
    """

    def __init__(self, encoding: Encoding, preprocessing: Preprocessing, example: Inputs) -> None:
        self._encoding = encoding
        self._vectors = _Vectors(preprocessing)
        self._example = example
        self.width = int(np.prod(preprocessing.shape))

    @property
    def types(self) -> list[tuple[str, Any]]:
        return [(_OUTPUT, FloatTensorType([None, self.width]))]

    def features(self, inputs: Inputs) -> NDArray[np.float32]:
        rows = len(next(iter(inputs.values())))
        features_NF = np.empty((rows, self.width), np.float32)
        with torch.inference_mode():
            for start in range(0, rows, _BATCH):
                batch = {name: values[start : start + _BATCH] for name, values in inputs.items()}
                vectors = self._vectors(*as_tensors(self._encoding.apply(batch)))
                features_NF[start : start + _BATCH] = vectors.numpy()
        return features_NF

    def write(self, model: onnx.ModelProto, path: Path) -> None:
        example = self._encoding.apply(self._example)
        export_module(self._vectors, as_tensors(example), inputs=list(example), outputs=[_OUTPUT], path=path)
        onnx.save(join(onnx.load(path), model), path)
        tidy(path)
        self._encoding.prepend(path)
