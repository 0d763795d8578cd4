import copy
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from lampyris_build.data.dataset import Dataset
from lampyris_build.errors import ParityFailed
from lampyris_build.evaluation import open_session, probabilities
from lampyris_build.export import OPSET, check_parity, export_onnx, signature_of
from lampyris_build.preprocessing import Classifier


def test_exported_graph_computes_what_torch_computes(
    classifier: Classifier, dataset: Dataset, fp32: Path
) -> None:
    raw = torch.from_numpy(dataset.test.inputs)

    answers = probabilities(open_session(fp32), dataset.test.inputs)

    expected = torch.softmax(classifier(raw), dim=1).detach().numpy()
    np.testing.assert_allclose(answers, expected, atol=1e-5)


def test_probabilities_of_each_sample_sum_to_one(dataset: Dataset, fp32: Path) -> None:
    answers = probabilities(open_session(fp32), dataset.test.inputs)

    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-5)


def test_graph_has_the_inputs_and_outputs_of_its_signature(dataset: Dataset, fp32: Path) -> None:
    session = open_session(fp32)

    signature = signature_of(dataset)

    (taken,), (given,) = session.get_inputs(), session.get_outputs()
    assert (taken.name, taken.type, taken.shape[1:]) == ("image", "tensor(uint8)", [8, 8, 1])
    assert (given.name, given.type, given.shape[1:]) == ("probabilities", "tensor(float)", [4])
    assert signature.inputs[0].shape == (-1, 8, 8, 1)
    assert signature.outputs[0].shape == (-1, 4)
    assert signature.labels == ("bottom-left", "bottom-right", "top-left", "top-right")
    assert signature.image is not None


@pytest.mark.parametrize("batch", [1, 2, 7])
def test_batch_may_have_any_size(dataset: Dataset, fp32: Path, batch: int) -> None:
    (answers,) = open_session(fp32).run(None, {"image": dataset.test.inputs[:batch]})

    assert answers.shape == (batch, 4)


def test_model_is_one_file_of_the_pinned_opset_and_names_no_source(fp32: Path) -> None:
    model = onnx.load(fp32, load_external_data=False)

    assert [one.version for one in model.opset_import if one.domain == ""] == [OPSET]
    assert b".py" not in fp32.read_bytes()
    assert not any(one.external_data for one in model.graph.initializer)


def test_export_is_silent(
    classifier: Classifier, dataset: Dataset, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    export_onnx(classifier, dataset, tmp_path / "model.onnx")

    assert capfd.readouterr() == ("", "")


def test_graph_that_differs_from_torch_is_refused(
    classifier: Classifier, dataset: Dataset, fp32: Path
) -> None:
    other = copy.deepcopy(classifier)
    with torch.no_grad():
        next(other.parameters()).mul_(1.2)

    assert check_parity(classifier, dataset, fp32, tolerance=1e-4) <= 1e-4
    with pytest.raises(ParityFailed, match=r"export\.tolerance allows 0\.0001"):
        check_parity(other, dataset, fp32, tolerance=1e-4)
