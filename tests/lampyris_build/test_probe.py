from pathlib import Path

import numpy as np

from lampyris.domain.tensors import array_of
from lampyris_build.data.dataset import Dataset, Inputs
from lampyris_build.evaluation.session import open_session, run
from lampyris_build.probe import _drawn, make_probe
from lampyris_build.tasks.task import Task


def test_probe_holds_inputs_with_the_answers_of_the_model(task: Task, dataset: Dataset, int8: Path) -> None:
    probe = make_probe(int8, task.signature, dataset.test.inputs, rounded=True)

    (asked,), (answered,) = probe.inputs, probe.outputs
    (answers,) = run(open_session(int8), {"image": array_of(asked)})
    assert asked.shape == (16, 8, 8, 1)
    np.testing.assert_allclose(array_of(answered), answers, atol=probe.atol)


def test_tolerance_tells_the_model_from_one_that_errs(task: Task, dataset: Dataset, int8: Path) -> None:
    probe = make_probe(int8, task.signature, dataset.test.inputs, rounded=True)

    wrong = np.roll(array_of(probe.outputs[0]), 1, axis=1)

    assert np.abs(wrong - array_of(probe.outputs[0])).max() > 10 * probe.atol


def test_model_that_is_not_rounded_is_held_to_a_narrower_tolerance(
    task: Task, dataset: Dataset, fp32: Path
) -> None:
    narrow = make_probe(fp32, task.signature, dataset.test.inputs, rounded=False)

    assert narrow.atol < make_probe(fp32, task.signature, dataset.test.inputs, rounded=True).atol


def test_probe_of_few_samples_takes_them_all(task: Task, dataset: Dataset, fp32: Path) -> None:
    few = dataset.test.take(slice(0, 3)).inputs

    assert make_probe(fp32, task.signature, few, rounded=False).inputs[0].shape == (3, 8, 8, 1)


def test_rows_with_a_missing_number_are_not_asked() -> None:
    inputs: Inputs = {
        "age": np.array([1, np.nan, 3, 4], np.float32),
        "town": np.array(["a", "b", "", "d"], object),
    }

    asked = _drawn(inputs, more=1)

    assert asked["age"].tolist() == [1, 3, 4]
    assert asked["town"].tolist() == ["a", "", "d"]


def test_where_every_row_misses_a_number_one_is_filled_up() -> None:
    asked = _drawn({"age": np.full(4, np.nan, np.float32)}, more=1)

    assert asked["age"].tolist() == [0.0]


def test_large_answers_make_for_few_rows() -> None:
    asked = _drawn({"age": np.zeros(100, np.float32)}, more=100_000)

    assert len(asked["age"]) == 2
