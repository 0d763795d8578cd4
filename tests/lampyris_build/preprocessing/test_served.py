"""Raw input through the exported graph, as onnxruntime serves it, against the path that training took."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import nn

from lampyris_build.data.dataset import Dataset, Feature, Inputs, Kind, Samples
from lampyris_build.learner import Learner
from lampyris_build.preprocessing.encoding import Encoding
from lampyris_build.tasks.classification import Classification
from lampyris_build.trained import TrainedNetwork

RNG = np.random.default_rng(0)
COUNT = 60
LENGTH = 5
COLOURS = ["red", "Grün", "blue", "", "ocker"]
WORDS = ["the", "Cat", "ÉCOLE", "won't", "!", "\t", ""]


def strings(values: list[str]) -> NDArray[Any]:
    return np.array(values, object)


def some_texts() -> NDArray[Any]:
    return strings([" ".join(RNG.choice(WORDS, RNG.integers(0, 9))) for _ in range(COUNT)])


def served_and_trained(
    features: tuple[Feature, ...], inputs: Inputs, path: Path
) -> tuple[onnxruntime.InferenceSession, TrainedNetwork]:
    """Export a network of random weights with all that stands before it."""
    torch.manual_seed(0)
    samples = Samples(inputs=inputs, targets=np.arange(COUNT) % 3)
    dataset = Dataset(
        name="some",
        digest="",
        features=features,
        classes=("a", "b", "c"),
        train=samples,
        validation=samples,
        test=samples,
    )
    encoding = Encoding.fit(features, samples, length=LENGTH, vocabulary=20)
    task = Classification(dataset, label_smoothing=0.0)
    preprocessing = task.preprocessing(replace(samples, inputs=encoding.apply(inputs)))
    width = int(np.prod(preprocessing.shape))
    network: list[nn.Module] = [nn.Flatten(), nn.Linear(width, 3)]
    if preprocessing.vocabulary_size:
        network = [nn.Embedding(preprocessing.vocabulary_size, 4), nn.Flatten(), nn.Linear(width * 4, 3)]
    learner = Learner(
        preprocessing=preprocessing, augmentation=nn.Identity(), network=nn.Sequential(*network), task=task
    )
    trained = TrainedNetwork(learner, encoding, samples.take(slice(0, 2)).inputs)
    trained.export(path)
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]), trained


def check_equal(session: onnxruntime.InferenceSession, trained: TrainedNetwork, inputs: Inputs) -> None:
    (served,) = session.run(None, dict(inputs))
    (expected,) = trained.predict(inputs)
    np.testing.assert_allclose(served, expected, atol=1e-5)
    assert np.isfinite(served).all()


TABLE: dict[str, tuple[Kind, NDArray[Any]]] = {
    "age": ("number", np.where(np.arange(COUNT) % 7, np.arange(COUNT), np.nan).astype(np.float32)),
    "colour": ("category", strings([COLOURS[place % 4] for place in range(COUNT - 1)] + ["ocker"])),
    "price": ("number", RNG.lognormal(8, 3, COUNT).astype(np.float32)),
    "size": ("category", strings(["s", "m", "l"] * (COUNT // 3))),
}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> tuple[onnxruntime.InferenceSession, TrainedNetwork]:
    features = tuple(Feature(name=name, kind=kind) for name, (kind, _) in TABLE.items())
    inputs = {name: values for name, (_, values) in TABLE.items()}
    return served_and_trained(features, inputs, tmp_path_factory.mktemp("table") / "model.onnx")


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> tuple[onnxruntime.InferenceSession, TrainedNetwork]:
    features = (Feature(name="review", kind="text"),)
    return served_and_trained(
        features, {"review": some_texts()}, tmp_path_factory.mktemp("text") / "model.onnx"
    )


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("image", RNG.integers(0, 256, (COUNT, 6, 5, 3), dtype=np.uint8)),
        ("series", RNG.normal(3, 100, (COUNT, 8, 2)).astype(np.float32)),
    ],
)
def test_arrays_are_served_as_they_were_trained_on(kind: Kind, values: NDArray[Any], tmp_path: Path) -> None:
    features = (Feature(name="x", kind=kind, shape=values.shape[1:]),)

    session, trained = served_and_trained(features, {"x": values}, tmp_path / "model.onnx")

    for rows in (1, 2, COUNT):
        check_equal(session, trained, {"x": values[:rows]})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(
    rows=st.lists(
        st.tuples(
            st.floats(width=32, allow_infinity=False, min_value=-1e6, max_value=1e6) | st.just(float("nan")),
            st.sampled_from(COLOURS) | st.text(st.characters(codec="utf-8")),
            st.floats(width=32, allow_infinity=False, min_value=-1e6, max_value=1e6) | st.just(float("nan")),
            st.sampled_from(["s", "m", "l"]) | st.text(st.characters(codec="utf-8")),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_tables_are_served_as_they_were_trained_on(
    table: tuple[onnxruntime.InferenceSession, TrainedNetwork], rows: list[tuple[float, str, float, str]]
) -> None:
    age, colour, price, size = zip(*rows, strict=True)

    inputs = {
        "age": np.array(age, np.float32),
        "colour": strings(list(colour)),
        "price": np.array(price, np.float32),
        "size": strings(list(size)),
    }

    check_equal(*table, inputs)


def test_columns_of_a_table_are_inputs_by_their_names(
    table: tuple[onnxruntime.InferenceSession, TrainedNetwork],
) -> None:
    session, trained = table

    assert {one.name: one.type for one in session.get_inputs()} == {
        "age": "tensor(float)",
        "colour": "tensor(string)",
        "price": "tensor(float)",
        "size": "tensor(string)",
    }
    assert [spec.datatype for spec in trained.signature.inputs] == ["FP32", "BYTES", "FP32", "BYTES"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(
    texts=st.lists(
        st.text(st.characters(codec="utf-8")) | st.lists(st.sampled_from(WORDS)).map(" ".join),
        min_size=1,
        max_size=4,
    )
)
def test_texts_are_served_as_they_were_trained_on(
    text: tuple[onnxruntime.InferenceSession, TrainedNetwork], texts: list[str]
) -> None:
    check_equal(*text, {"review": strings(texts)})
