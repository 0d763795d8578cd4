"""Categories and texts as ids, in the operators of ONNX: training and serving run the very same.

Words are lower-cased here only where they are ASCII. Other letters depend on the locale of whoever serves,
and the default, en_US, is not installed everywhere: a vocabulary holds their forms instead. They are parted
by onnxruntime's Tokenizer: ONNX's own StringSplit knows a single separator.

Shape suffixes: N samples, M words of the longest text, L the length that texts are brought to.
"""

from collections.abc import Mapping
from typing import Any, Final

from onnx import NodeProto, TensorProto, helper

# Ids: what follows the last word, and a category that is missing; what the training set does not teach; and
# the first that means something.
PADDING: Final = 0
UNKNOWN: Final = 1
FIRST: Final = 2

# A word in RE2: letters and digits, with apostrophes (typed or typeset) between them; or any other sign.
_WORD: Final = r"[\p{L}\p{M}\p{N}]+(?:['\x{2019}][\p{L}\p{M}\p{N}]+)*|[^\s\p{L}\p{M}\p{N}]"


def category_nodes(strings: str, ids: str, id_of: Mapping[str, int]) -> list[NodeProto]:
    """Look each string up: (N,) to (N,)."""
    return [_lookup(strings, ids, id_of)]


def word_nodes(texts: str, words: str, length: int) -> list[NodeProto]:
    """Take the first words of each text: (N,) to (N, min(M, L)), "" after the last."""
    return [
        _node("StringNormalizer", [texts], f"{words}/lower", case_change_action="LOWER", locale="C"),
        _node(
            "Tokenizer",
            [f"{words}/lower"],
            f"{words}/all",
            domain="com.microsoft",
            tokenexp=_WORD,
            mark=0,
            mincharnum=1,
            pad_value="",
        ),
        *_first(f"{words}/all", words, length),
    ]


def text_nodes(texts: str, ids: str, id_of: Mapping[str, int], length: int) -> list[NodeProto]:
    """Look each word up: (N,) to (N, L). A text without words is one that is not known.

    So no text is all padding, of which attention and means would be NaN.
    """
    return [
        *word_nodes(texts, f"{ids}/words", length),
        _lookup(f"{ids}/words", f"{ids}/found", id_of),
        _node("Shape", [texts], f"{ids}/N"),
        _constant(f"{ids}/L", [length]),
        _node("Concat", [f"{ids}/N", f"{ids}/L"], f"{ids}/shape", axis=0),
        _node(
            "ConstantOfShape",
            [f"{ids}/shape"],
            f"{ids}/padding",
            value=helper.make_tensor("value", TensorProto.INT64, [1], [PADDING]),
        ),
        _node("Concat", [f"{ids}/found", f"{ids}/padding"], f"{ids}/padded", axis=1),
        *_first(f"{ids}/padded", f"{ids}/cut", length),
        _constant(f"{ids}/least", [UNKNOWN] + [PADDING] * (length - 1)),
        _node("Max", [f"{ids}/cut", f"{ids}/least"], ids),
    ]


def _lookup(strings: str, ids: str, id_of: Mapping[str, int]) -> NodeProto:
    known = {"": PADDING, **id_of}
    return _node(
        "LabelEncoder",
        [strings],
        ids,
        domain="ai.onnx.ml",
        keys_strings=list(known),
        values_int64s=list(known.values()),
        default_int64=UNKNOWN,
    )


def _first(values: str, cut: str, length: int) -> list[NodeProto]:
    return [
        _constant(f"{cut}/start", [0]),
        _constant(f"{cut}/end", [length]),
        _constant(f"{cut}/axis", [1]),
        _node("Slice", [values, f"{cut}/start", f"{cut}/end", f"{cut}/axis"], cut),
    ]


def _constant(name: str, values: list[int]) -> NodeProto:
    return _node("Constant", [], name, value_ints=values)


def _node(operator: str, inputs: list[str], output: str, **attributes: Any) -> NodeProto:
    return helper.make_node(operator, inputs, [output], name=output, **attributes)
