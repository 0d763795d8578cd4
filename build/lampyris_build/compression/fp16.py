"""16-bit weights: half the bytes.

Processors without 16-bit arithmetic widen a layer's weights each time it runs: that saves bytes, not time.

Source: Micikevicius et al. 2018 (mixed precision training), section 2.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from lampyris_build.compression.graph import layers, prepared, replace_nodes

_LARGEST: Final = float(np.finfo(np.float16).max)
# Inputs that hold no numbers of the network's: indices, and the lengths of series.
_WHOLE: Final = {"Gather": (1,), "GRU": (4,), "LSTM": (4,)}


def fp16(path: Path, out: Path) -> None:
    """Write a version of the model at `out` whose layers compute in fp16, and what is between them in fp32.

    A layer in fp32 behind a cast of its weights would be as fast as before, but as large as before as well
    once publishing has folded its constants.
    """
    model = prepared(path)
    replace_nodes(model.graph, _Narrowing(model.graph).nodes())
    onnx.save(model, out)


class _Narrowing:
    """Makes the nodes of a graph anew, its layers in fp16 and with casts around them."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self._graph = graph
        self._constants = {one.name: one for one in graph.initializer}
        self._narrow: set[str] = set()

    def nodes(self) -> Iterator[onnx.NodeProto]:
        found = layers(self._graph)
        for node in list(self._graph.node):
            if node.name not in found:
                yield node
                continue
            numbers = [place for place, name in enumerate(node.input) if name]
            for place in numbers:
                if place not in _WHOLE.get(node.op_type, ()):
                    yield from self._narrowed(node.input[place])
                    node.input[place] += "_fp16"
            answers = [name for name in node.output if name]
            node.output[:] = [name and f"{name}_fp16" for name in node.output]
            yield node
            self._narrow |= set(answers)
            for name in answers:
                yield helper.make_node("Cast", [f"{name}_fp16"], [name], to=TensorProto.FLOAT)

    def _narrowed(self, name: str) -> Iterator[onnx.NodeProto]:
        """Make the tensor `name` in fp16, unless it is there already."""
        if name in self._narrow:
            return
        self._narrow.add(name)
        if name in self._constants:
            values = numpy_helper.to_array(self._constants[name]).clip(-_LARGEST, _LARGEST).astype(np.float16)
            self._graph.initializer.append(numpy_helper.from_array(values, f"{name}_fp16"))
        else:
            yield helper.make_node("Cast", [name], [f"{name}_fp16"], to=TensorProto.FLOAT16)
