"""From a fitted estimator of scikit-learn to an ONNX graph, by skl2onnx."""

import copy
import warnings
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, Final

import numpy as np
import onnx
from onnx import helper
from onnx.utils import Extractor
from skl2onnx import convert_sklearn
from skl2onnx.operator_converters.random_forest import (
    convert_sklearn_random_forest_classifier,
    convert_sklearn_random_forest_regressor_converter,
)
from sklearn.base import BaseEstimator, is_classifier
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from lampyris_build.errors import ConversionFailed, in_a_line
from lampyris_build.export import OPSET

# The last that all operators of skl2onnx are written for.
ML_OPSET: Final = 3
_ML: Final = "ai.onnx.ml"
# What skl2onnx makes of scikit-learn's own pattern of a word, and what that means in RE2.
_ASCII_WORD: Final = b"[a-zA-Z0-9_]+"
_WORD: Final = rb"[\p{L}\p{N}_]{2,}"


class _PlainAttributes:
    """A container of skl2onnx that takes numpy's numbers for attributes.

    Its converter of histogram trees hands over np.bool and np.uint32 as they are, which protobuf 7 refuses.
    """

    def __init__(self, container: Any) -> None:
        self._container = container

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def add_node(self, *arguments: Any, **attributes: Any) -> None:
        plain = {
            name: [int(one) for one in value] if _holds_integers(value) else value
            for name, value in attributes.items()
        }
        self._container.add_node(*arguments, **plain)


def _holds_integers(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(one, np.bool_ | np.integer) for one in value)


def _plainly(convert: Callable[[Any, Any, Any], None]) -> Callable[[Any, Any, Any], None]:
    def convert_plainly(scope: Any, operator: Any, container: Any) -> None:
        operator.raw_operator = _with_float32_thresholds(operator.raw_operator)
        convert(scope, operator, _PlainAttributes(container))

    return convert_plainly


def _with_float32_thresholds(trees: Any) -> Any:
    """Return histogram trees whose thresholds are the largest float32 that are not above them.

    They ask whether x <= threshold, so nothing changes for an x in float32. ONNX keeps thresholds in float32,
    and skl2onnx rounds them to the nearest: above an x that lies in the middle of two bins.
    """
    rounded = copy.deepcopy(trees)
    for tree in chain.from_iterable(rounded._predictors):  # noqa: SLF001 - where skl2onnx reads them, too
        exact = tree.nodes["num_threshold"]
        nearest = exact.astype(np.float32)
        tree.nodes["num_threshold"] = np.where(
            nearest > exact, np.nextafter(nearest, np.float32(-np.inf)), nearest
        )
    return rounded


_CONVERTERS: Final = {
    HistGradientBoostingClassifier: _plainly(convert_sklearn_random_forest_classifier),
    HistGradientBoostingRegressor: _plainly(convert_sklearn_random_forest_regressor_converter),
}


def to_graph(estimator: BaseEstimator, types: Sequence[tuple[str, Any]]) -> onnx.ModelProto:
    """Convert an estimator to a graph with one output: probabilities (N, K), or numbers (N, T).

    `types` are the names and skl2onnx's types of its inputs.

    Raises: ConversionFailed if a part of it has no converter.
    """
    classifies = is_classifier(estimator)
    try:
        with warnings.catch_warnings():
            # It asks calibrated and other estimators for attributes that scikit-learn is giving up.
            warnings.simplefilter("ignore", FutureWarning)
            model = convert_sklearn(
                estimator,
                initial_types=list(types),
                options={"zipmap": False} if classifies else None,
                target_opset={"": OPSET, _ML: ML_OPSET},
                custom_conversion_functions=_CONVERTERS,
            )
        # The label goes, and with it what only the label needs.
        wanted = model.graph.output[-1].name
        graph: onnx.ModelProto = Extractor(model).extract_model([name for name, _ in types], [wanted])
        _declare_opsets(graph)
        _read_unicode(graph)
    # Its converters are hundreds, and fail in as many ways.
    except Exception as error:
        raise ConversionFailed(model=type(estimator).__name__, reason=in_a_line(error)) from error
    return graph


def _read_unicode(model: onnx.ModelProto) -> None:
    """Let words be what scikit-learn takes for words, in any script, and be read wherever the model runs.

    The default locale, en_US, is not installed everywhere. In that of C, capital letters outside ASCII stay
    as they are, which scikit-learn lower-cases: the check of parity tells.
    """
    for node in model.graph.node:
        for attribute in list(node.attribute):
            if node.op_type == "StringNormalizer" and attribute.name == "locale":
                node.attribute.remove(attribute)
            if node.op_type == "Tokenizer" and attribute.s == _ASCII_WORD:
                attribute.s = _WORD
        if node.op_type == "StringNormalizer":
            node.attribute.append(helper.make_attribute("locale", "C"))


def _declare_opsets(model: onnx.ModelProto) -> None:
    """Declare the versions that skl2onnx was asked to write for: it declares the least that would do."""
    versions = {one.domain: one.version for one in model.opset_import} | {"": OPSET, _ML: ML_OPSET}
    del model.opset_import[:]
    model.opset_import.extend(helper.make_opsetid(domain, version) for domain, version in versions.items())
    onnx.checker.check_model(model)
