"""Static int8: weights and activations in 8 bits, the ranges of activations found with training data.

Source: Jacob et al. 2018 (integer-arithmetic-only inference); Wu et al. 2020 (how to choose the ranges).
"""

from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, Final

import onnx
from numpy.typing import NDArray
from onnxruntime import quantization

from lampyris_build.compression.context import Context
from lampyris_build.compression.graph import network, prepared
from lampyris_build.data.dataset import Inputs
from lampyris_build.recipe.compression import StaticInt8

# Histograms hold the activations of so many rows at once.
_BATCH: Final = 32
# What networks are made of. The preprocessing before and the softmax after stay in fp32: they cost next to
# nothing, and 8 bits would round small probabilities away.
_QUANTIZED: Final = (
    "Conv",
    "ConvTranspose",
    "Gemm",
    "MatMul",
    "Relu",
    "Reshape",
    "Flatten",
    "Gather",
    "Add",
    "MaxPool",
    "AveragePool",
    "GlobalAveragePool",
)
# What stands between convolutions.
_PASSING: Final = ("Add", "AveragePool", "MaxPool", "Relu")
_METHODS: Final = {
    "min-max": quantization.CalibrationMethod.MinMax,
    "entropy": quantization.CalibrationMethod.Entropy,
    "percentile": quantization.CalibrationMethod.Percentile,
}


def static_int8(path: Path, step: StaticInt8, context: Context, out: Path) -> None:
    """Write an int8 version of the model at `out`; the ranges that raw training inputs cause become its own.

    Weights take 7 of their 8 bits: x86 without VNNI adds two products of 8-bit numbers in 16 bits, where they
    can overflow. With 7 bits they cannot, and every processor gives the same answer.
    """
    model = prepared(path)
    calibration = _Calibration(context.calibration, step.samples)
    # onnxruntime prints what it does with histograms.
    with redirect_stdout(StringIO()):
        quantization.quantize_static(
            model,
            str(out),
            calibration,
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=list(_QUANTIZED),
            nodes_to_exclude=_left_in_fp32(model.graph),
            calibrate_method=_METHODS[step.method],
            per_channel=step.per_channel,
            reduce_range=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            extra_options={
                # Logits stay in fp32: in 256 steps, probabilities would come in steps too.
                "OpTypesToExcludeOutputQuantization": ["Gemm", "MatMul"],
                "CalibStridedMinMax": calibration.batch,
            },
        )


def _left_in_fp32(graph: onnx.GraphProto) -> list[str]:
    """Name what is not the network's, and what would lose more by rounding than it saves.

    That are additions elsewhere than between convolutions, and products of two activations: where attention
    is, values differ too much in size to share 256 steps.
    """
    inside = network(graph)
    weights = {one.name for one in graph.initializer}
    convolved: set[str] = set()
    for node in graph.node:
        if node.op_type == "Conv" or (node.op_type in _PASSING and convolved & set(node.input)):
            convolved.add(node.output[0])
    gains = {"Add": convolved, "MatMul": weights, "Gather": weights}
    return [
        node.name
        for node in graph.node
        if node.name not in inside or not gains.get(node.op_type, set(node.input)) & set(node.input)
    ]


class _Calibration(quantization.CalibrationDataReader):  # type: ignore[misc]  # onnxruntime carries no types
    """Hands inputs to onnxruntime, batch by batch; the last rows are left out where they fill no batch."""

    def __init__(self, inputs: Inputs, samples: int) -> None:
        rows = min(samples, len(next(iter(inputs.values()))))
        self.batch = min(_BATCH, rows)
        self._inputs = inputs
        self._rows = rows - rows % self.batch
        self._feeds: Iterator[dict[str, NDArray[Any]]] = iter(())

    def __len__(self) -> int:
        return self._rows

    def set_range(self, start_index: int, end_index: int) -> None:
        self._feeds = iter([{name: values[start_index:end_index] for name, values in self._inputs.items()}])

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        return next(self._feeds, None)
