from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper

from lampyris.publishing.inspection import inspect
from lampyris_build.data.dataset import Feature, Samples
from lampyris_build.preprocessing.encoding import Encoding

TEXTS = (
    "The cat sat on the mat.",
    "École! the DOG didn't sit; the dog ate",
    "A straße\nan école, a dog",
    "ÉCOLE\tdidn't\r\nmat",
    "",
)
TEXT = Feature(name="review", kind="text")
COLOUR = Feature(name="colour", kind="category")
PRICE = Feature(name="price", kind="number")
LENGTH = 6

Raw = Callable[[Sequence[str]], NDArray[np.int64]]


def strings(*values: str) -> NDArray[Any]:
    return np.array(values, object)


def text_encoding(*texts: str, length: int = LENGTH, vocabulary: int = 100) -> Encoding:
    samples = Samples(inputs={"review": strings(*texts)}, targets=None)
    return Encoding.fit((TEXT,), samples, length=length, vocabulary=vocabulary)


def ids_of(encoding: Encoding, *texts: str) -> list[list[int]]:
    ids: list[list[int]] = encoding.apply({"review": strings(*texts)})["review"].tolist()
    return ids


def write_graph(path: Path, *inputs: tuple[str, int, list[str | int]]) -> None:
    """Write a graph that gives back the encoded inputs that it takes."""
    nodes = [helper.make_node("Identity", [name], [f"{name}/out"]) for name, _, _ in inputs]
    takes = [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in inputs]
    gives = [helper.make_tensor_value_info(f"{name}/out", kind, shape) for name, kind, shape in inputs]
    graph = helper.make_graph(nodes, "graph", takes, gives)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)


@pytest.fixture(scope="module")
def encoding() -> Encoding:
    return text_encoding(*TEXTS)


@pytest.fixture(scope="module")
def served(encoding: Encoding, tmp_path_factory: pytest.TempPathFactory) -> onnxruntime.InferenceSession:
    """The encoding before a graph that gives back what it takes, as onnxruntime runs it."""
    path = tmp_path_factory.mktemp("graph") / "model.onnx"
    write_graph(path, ("review", TensorProto.INT64, ["batch", LENGTH]))
    encoding.prepend(path)
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def test_words_are_known_by_their_frequency_and_those_seen_once_are_not() -> None:
    encoding = text_encoding("b a b", "a b once")

    assert ids_of(encoding, "b a once never") == [[2, 3, 1, 1, 0, 0]]


def test_vocabulary_is_no_larger_than_asked() -> None:
    encoding = text_encoding("a a a b b b c c", length=8, vocabulary=4)

    assert ids_of(encoding, "a b c") == [[2, 3, 1, 0, 0, 0, 0, 0]]


def test_words_beyond_the_length_are_neither_read_nor_learnt() -> None:
    encoding = text_encoding("a a b b", "a a b b", length=2)

    assert ids_of(encoding, "a b a b a b") == [[2, 1]]


@pytest.mark.parametrize("form", ["école", "École", "ÉCOLE", "ÉCole"])
def test_capital_letters_make_no_difference(encoding: Encoding, form: str) -> None:
    (known,) = ids_of(encoding, "école")

    assert known[0] > 1
    assert ids_of(encoding, form) == [known]


@pytest.mark.parametrize("form", ["été", "Été", "ÉTÉ"])
def test_capital_letters_that_the_training_set_lacks_are_known(form: str) -> None:
    assert ids_of(text_encoding("été été"), form) == [[2, 0, 0, 0, 0, 0]]


def test_signs_stand_apart_and_apostrophes_do_not(encoding: Encoding) -> None:
    assert ids_of(encoding, "mat.") == ids_of(encoding, "mat .")
    assert len([one for one in ids_of(encoding, "didn't")[0] if one]) == 1


def test_any_white_space_parts_words(encoding: Encoding) -> None:
    assert ids_of(encoding, "\tthe\ncat\r\n dog\f") == ids_of(encoding, "the cat dog")


@pytest.mark.parametrize("text", ["", " ", "\n\t "])
def test_text_without_words_is_one_unknown_word(encoding: Encoding, text: str) -> None:
    assert ids_of(encoding, text) == [[1, 0, 0, 0, 0, 0]]
    assert ids_of(encoding, text, text) == [[1, 0, 0, 0, 0, 0]] * 2


def test_training_set_without_words_knows_none() -> None:
    assert ids_of(text_encoding("", " "), "the cat") == [[1, 1, 0, 0, 0, 0]]


def test_no_texts_are_no_ids(encoding: Encoding) -> None:
    assert encoding.apply({"review": strings()})["review"].shape == (0, LENGTH)


def test_long_texts_among_short_ones_are_encoded_as_they_are_alone(encoding: Encoding) -> None:
    texts = ["the cat " * 200_000, "the dog", "mat " * 700_000, "", "dog"]

    together = ids_of(encoding, *texts)

    assert together == [ids_of(encoding, text)[0] for text in texts]


@given(texts=st.lists(st.text(st.characters(codec="utf-8")), min_size=1, max_size=4))
@example(texts=["İstanbul ẞ ΑΣ Ǆ ŉ", "ﬁ \u0301 \u200d"])
@example(texts=["a\0b", "\0"])
@example(texts=["\ufeffthe", "\U0010ffff \ue000"])
@example(texts=[word * 3000 for word in ("x", "'", "é ", "漢")])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
def test_raw_texts_through_the_graph_give_the_ids_that_training_saw(
    encoding: Encoding, served: onnxruntime.InferenceSession, texts: list[str]
) -> None:
    raw = strings(*texts)

    (ids,) = served.run(None, {"review": raw})

    np.testing.assert_array_equal(ids, encoding.apply({"review": raw})["review"])


@given(text=st.lists(st.sampled_from([*"aé'.! \n", "the", "cat", "École"]), max_size=40).map("".join))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_text_is_read_alike_alone_and_beside_others(encoding: Encoding, text: str) -> None:
    assert ids_of(encoding, text)[0] == ids_of(encoding, "the cat " * 5, text)[1]


def test_categories_are_known_if_seen_twice() -> None:
    samples = Samples(inputs={"colour": strings("red", "red", "Red", "", "", "blue", "blue")}, targets=None)

    encoding = Encoding.fit((COLOUR,), samples, length=1, vocabulary=8)

    seen = encoding.apply({"colour": strings("blue", "red", "Red", "", "pink")})["colour"]
    assert seen.tolist() == [2, 3, 1, 0, 1]


def test_category_column_has_256_ids_at_most() -> None:
    values = strings(*(f"{number}" for number in range(1000) for _ in range(2)))
    samples = Samples(inputs={"colour": values}, targets=None)

    encoding = Encoding.fit((COLOUR,), samples, length=1, vocabulary=8)

    assert encoding.apply({"colour": values})["colour"].max() == 255


def test_numbers_pass_as_they_are_and_features_keep_their_order(tmp_path: Path) -> None:
    inputs = {"price": np.array([1.5, np.nan], np.float32), "colour": strings("red", "red")}
    encoding = Encoding.fit((COLOUR, PRICE), Samples(inputs=inputs, targets=None), length=1, vocabulary=8)
    path = tmp_path / "model.onnx"
    write_graph(path, ("colour", TensorProto.INT64, ["batch"]), ("price", TensorProto.FLOAT, ["batch"]))

    encoded = encoding.apply(inputs)
    encoding.prepend(path)

    assert list(encoded) == ["colour", "price"]
    assert encoded["price"] is inputs["price"]
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [(one.name, one.type, one.shape) for one in session.get_inputs()] == [
        ("colour", "tensor(string)", ["batch"]),
        ("price", "tensor(float)", ["batch"]),
    ]
    colour, price = session.run(None, inputs)
    np.testing.assert_array_equal(colour, encoded["colour"])
    np.testing.assert_array_equal(price, inputs["price"])


def test_graph_without_strings_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    write_graph(path, ("price", TensorProto.FLOAT, ["batch"]))
    before = path.read_bytes()
    samples = Samples(inputs={"price": np.zeros(2, np.float32)}, targets=None)

    Encoding.fit((PRICE,), samples, length=1, vocabulary=8).prepend(path)

    assert path.read_bytes() == before


def test_graphs_within_nodes_read_the_ids_too(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    ids = helper.make_tensor_value_info("colour", TensorProto.INT64, ["batch"])
    result = helper.make_tensor_value_info("result", TensorProto.INT64, ["batch"])
    branch = helper.make_graph([helper.make_node("Neg", ["colour"], ["result"])], "branch", [], [result])
    true = helper.make_node(
        "Constant", [], ["true"], value=helper.make_tensor("", TensorProto.BOOL, [], [True])
    )
    choice = helper.make_node("If", ["true"], ["result"], then_branch=branch, else_branch=branch)
    graph = helper.make_graph([true, choice], "graph", [ids], [result])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    samples = Samples(inputs={"colour": strings("red", "red")}, targets=None)

    Encoding.fit((COLOUR,), samples, length=1, vocabulary=8).prepend(path)

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert session.run(None, {"colour": strings("red", "pink")})[0].tolist() == [-2, -1]


def test_publishing_takes_a_graph_with_an_encoding(encoding: Encoding, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    write_graph(path, ("review", TensorProto.INT64, ["batch", LENGTH]))

    encoding.prepend(path)

    onnx.checker.check_model(onnx.load(path))
    inspect(path)


def test_copy_encodes_alike_after_use(encoding: Encoding) -> None:
    first = ids_of(encoding, "the cat")

    assert ids_of(deepcopy(encoding), "the cat") == first
