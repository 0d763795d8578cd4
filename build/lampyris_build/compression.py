"""From fp32 to int8: static quantisation, calibrated on training data."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from numpy.typing import NDArray
from onnxruntime import quantization

_BATCH: Final = 64
# What the networks are made of. The preprocessing before and the softmax after stay in fp32: they cost next
# to nothing, and 8 bits would round small probabilities away.
_QUANTIZED: Final = ("Conv", "Relu", "Reshape", "Gemm")


def quantize(model: Path, name: str, inputs: NDArray[Any], out: Path) -> None:
    """Write an int8 version of the model at `out`: 8-bit activations, weights by output channel.

    `inputs` are raw training inputs for the model's input `name`; the ranges that they cause in the network
    become the ranges of its activations.

    Weights take 7 of their 8 bits: x86 without VNNI adds two products of 8-bit numbers in 16 bits, where they
    can overflow. With 7 bits they cannot, and every processor gives the same answer.
    """
    with TemporaryDirectory() as work:
        prepared = Path(work) / "prepared.onnx"
        quantization.quant_pre_process(str(model), str(prepared))
        quantization.quantize_static(
            str(prepared),
            str(out),
            _Calibration(name, inputs),
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=list(_QUANTIZED),
            per_channel=True,
            reduce_range=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            # Logits stay in fp32: in 256 steps, probabilities would come in steps too.
            extra_options={"OpTypesToExcludeOutputQuantization": ["Gemm"]},
        )


class _Calibration:
    """Hands inputs to onnxruntime batch by batch."""

    def __init__(self, name: str, inputs: NDArray[Any]) -> None:
        self._feeds = ({name: inputs[start : start + _BATCH]} for start in range(0, len(inputs), _BATCH))

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        return next(self._feeds, None)
