"""Dynamic int8: 8-bit weights in matrix products and LSTMs; activations become 8 bits while they run.

It needs no calibration, and suits networks whose activations vary much, as Transformers. Convolutions stay as
they are, since onnxruntime has no fast kernel for them without known ranges, and so do GRUs, for lack of any.

Source: Wu et al. 2020 (integer quantization for deep learning inference), section 3.
"""

from pathlib import Path
from typing import Final

from onnxruntime import quantization

from lampyris_build.compression.graph import prepared

_QUANTIZED: Final = ("MatMul", "Gemm", "LSTM", "Gather")


def dynamic_int8(path: Path, out: Path) -> None:
    """Write a version of the model at `out` with weights of 7 bits: see `static_int8` why not 8."""
    quantization.quantize_dynamic(
        prepared(path),
        str(out),
        op_types_to_quantize=list(_QUANTIZED),
        per_channel=True,
        reduce_range=True,
        weight_type=quantization.QuantType.QInt8,
    )
