from pathlib import Path

import numpy as np
import onnx
import pytest

from lampyris.domain.signature import TensorSpec
from lampyris_build.data.dataset import Dataset
from lampyris_build.errors import ParityFailed
from lampyris_build.evaluation.session import open_session, run
from lampyris_build.export import OPSET, check_parity
from lampyris_build.tasks.task import Answers, Task
from lampyris_build.trained import TrainedNetwork


def test_exported_graph_computes_what_torch_computes(
    trained: TrainedNetwork, dataset: Dataset, fp32: Path
) -> None:
    answers = run(open_session(fp32), dataset.test.inputs)

    np.testing.assert_allclose(answers[0], trained.predict(dataset.test.inputs)[0], atol=1e-5)


def test_probabilities_of_each_sample_sum_to_one(dataset: Dataset, fp32: Path) -> None:
    (answers,) = run(open_session(fp32), dataset.test.inputs)

    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-5)


def test_graph_has_the_inputs_and_outputs_of_its_signature(task: Task, fp32: Path) -> None:
    session = open_session(fp32)

    signature = task.signature

    (taken,), (given,) = session.get_inputs(), session.get_outputs()
    assert (taken.name, taken.type, taken.shape[1:]) == ("image", "tensor(uint8)", [8, 8, 1])
    assert (given.name, given.type, given.shape[1:]) == ("probabilities", "tensor(float)", [4])
    assert signature.inputs[0].shape == (-1, 8, 8, 1)
    assert signature.outputs[0].shape == (-1, 4)
    assert signature.labels == ("bottom-left", "bottom-right", "top-left", "top-right")
    assert signature.image is not None


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_batch_may_have_any_size(dataset: Dataset, fp32: Path, batch: int) -> None:
    (answers,) = open_session(fp32).run(None, {"image": dataset.test.inputs["image"][:batch]})

    assert answers.shape == (batch, 4)


def test_model_is_one_file_of_the_pinned_opset_and_names_no_source(fp32: Path) -> None:
    model = onnx.load(fp32, load_external_data=False)

    assert [one.version for one in model.opset_import if one.domain == ""] == [OPSET]
    assert b".py" not in fp32.read_bytes()
    assert not any(one.external_data for one in model.graph.initializer)


def test_export_is_silent(trained: TrainedNetwork, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    trained.export(tmp_path / "model.onnx")

    assert capfd.readouterr() == ("", "")


SPECS = (
    TensorSpec(name="score", datatype="FP32", shape=(-1,)),
    TensorSpec(name="image", datatype="UINT8", shape=(-1, 1)),
)


def test_parity_is_the_largest_difference_of_any_output() -> None:
    before: Answers = [np.array([1.0, 2.0], np.float32), np.array([[7], [9]], np.uint8)]
    after: Answers = [np.array([1.25, 2.0], np.float32), np.array([[9], [8]], np.uint8)]

    assert check_parity(before, after, SPECS, tolerance=2) == 2


@pytest.mark.parametrize("came", [1.5, np.nan, np.inf])
def test_graph_that_differs_from_its_model_is_refused(came: float) -> None:
    before: Answers = [np.array([1.0], np.float32), np.array([[7]], np.uint8)]
    after: Answers = [np.array([came], np.float32), np.array([[7]], np.uint8)]

    with pytest.raises(ParityFailed, match=r"'score'.*export\.tolerance allows 0\.1"):
        check_parity(before, after, SPECS, tolerance=0.1)
