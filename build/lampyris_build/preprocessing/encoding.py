"""Strings to ids, which torch cannot do: it is put before the exported graph.

Shape suffixes: N samples, L words of a text.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper

from lampyris_build.data.dataset import Feature, Inputs, Samples
from lampyris_build.data.spool import Spool
from lampyris_build.preprocessing import vocabulary as vocabularies
from lampyris_build.preprocessing.strings import category_nodes, text_nodes, word_nodes

_MOST_CATEGORIES: Final = 256
# Signs of the longest text of a chunk, times its texts: so wide their words may lie in memory.
_CHUNK_SIGNS: Final = 2**21
# The least versions that have all operators, as they are called here.
_OPSETS: Final = {"": 18, "ai.onnx.ml": 3, "com.microsoft": 1}


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """Categories (N,) to ids (N,), texts (N,) to ids of their words (N, L); other inputs stay as they are.

    `ids` holds those of each such input, by its strings. 0 is padding or a missing category, 1 what is not
    known.
    """

    features: tuple[Feature, ...]
    length: int
    ids: Mapping[str, Mapping[str, int]] = field(repr=False)

    @classmethod
    def fit(cls, features: tuple[Feature, ...], train: Samples, *, length: int, vocabulary: int) -> Self:
        """Find the strings that the training set holds more than once.

        Texts are brought to `length` words. At most `vocabulary` ids are given to them, and 256 to the
        categories of a column.
        """
        ids = {}
        for feature in features:
            values = train.inputs[feature.name]
            if feature.kind == "category":
                ids[feature.name] = vocabularies.categories(Counter(values.tolist()), _MOST_CATEGORIES)
            elif feature.kind == "text":
                ids[feature.name] = vocabularies.words(_count_words(values, length), vocabulary)
        return cls(features=features, length=length, ids=ids)

    def apply(self, inputs: Inputs) -> dict[str, NDArray[Any]]:
        """Encode raw inputs with the operators that serving runs.

        The features come in their order, then what else is asked, as it is.
        """
        kinds = {feature.name: feature for feature in self.features}
        ordered = {name: inputs[name] for name in kinds if name in inputs} | dict(inputs)
        return {
            name: self._encoded(kinds[name], values) if name in self.ids else values
            for name, values in ordered.items()
        }

    def prepend(self, path: Path) -> None:
        """Put the same before a graph that takes encoded inputs: it takes raw ones from then on."""
        if not self.ids:
            return
        model = onnx.load(path)
        for feature in self.features:
            if feature.name in self.ids:
                self._prepend(model.graph, feature)
        for domain, version in _OPSETS.items():
            _import(model, domain, version)
        onnx.save(model, path)

    def __deepcopy__(self, _: dict[int, Any]) -> Self:
        return self  # it never changes, and sessions cannot be copied

    def _nodes(self, feature: Feature, strings: str, ids: str) -> list[NodeProto]:
        id_of = self.ids[feature.name]
        if feature.kind == "category":
            return category_nodes(strings, ids, id_of)
        return text_nodes(strings, ids, id_of, self.length)

    @cached_property
    def _sessions(self) -> dict[str, onnxruntime.InferenceSession]:
        return {
            feature.name: _session(self._nodes(feature, "strings", "ids"), "ids", TensorProto.INT64)
            for feature in self.features
            if feature.name in self.ids
        }

    def _encoded(self, feature: Feature, strings: NDArray[Any]) -> NDArray[np.int64]:
        ids = Spool(np.int64, (self.length,) if feature.kind == "text" else ())
        for chunk in _run(self._sessions[feature.name], strings):
            ids.append(chunk)
        return ids.finish()

    def _prepend(self, graph: GraphProto, feature: Feature) -> None:
        (place,) = (place for place, value in enumerate(graph.input) if value.name == feature.name)
        ids = f"{feature.name}/ids"
        batch = graph.input[place].type.tensor_type.shape.dim[0]
        _rename(graph, feature.name, ids)
        raw = helper.make_tensor_value_info(feature.name, TensorProto.STRING, [batch.dim_param or "batch"])
        graph.input[place].CopyFrom(raw)
        nodes = [*self._nodes(feature, feature.name, ids), *graph.node]
        del graph.node[:]
        graph.node.extend(nodes)


def _count_words(texts: NDArray[Any], length: int) -> Counter[str]:
    session = _session(word_nodes("strings", "words", length), "words", TensorProto.STRING)
    found = Counter[str]()
    for words in _run(session, texts):
        found.update(words.ravel().tolist())
    return found


def _session(nodes: list[NodeProto], output: str, kind: int) -> onnxruntime.InferenceSession:
    strings = helper.make_tensor_value_info("strings", TensorProto.STRING, ["batch"])
    graph = helper.make_graph(
        nodes, "encoding", [strings], [helper.make_tensor_value_info(output, kind, None)]
    )
    opsets = [helper.make_opsetid(domain, version) for domain, version in _OPSETS.items()]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def _run(session: onnxruntime.InferenceSession, strings: NDArray[Any]) -> Iterator[NDArray[Any]]:
    for chunk in _chunks(strings):
        yield session.run(None, {"strings": chunk})[0]


def _chunks(strings: NDArray[Any]) -> Iterator[NDArray[Any]]:
    start, longest = 0, 0
    for place, string in enumerate(strings):
        if place > start and (place - start + 1) * max(longest, len(string)) > _CHUNK_SIGNS:
            yield strings[start:place]
            start, longest = place, 0
        longest = max(longest, len(string))
    if len(strings):
        yield strings[start:]


def _rename(graph: GraphProto, old: str, new: str) -> None:
    """Let all nodes read `new` where they read `old`, in graphs within nodes too."""
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name == old:
                node.input[place] = new
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                _rename(inner, old, new)


def _import(model: ModelProto, domain: str, version: int) -> None:
    for opset in model.opset_import:
        if opset.domain == domain:
            opset.version = max(opset.version, version)
            return
    model.opset_import.append(helper.make_opsetid(domain, version))
