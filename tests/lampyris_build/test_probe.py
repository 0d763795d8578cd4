from pathlib import Path

import numpy as np

from lampyris.domain.tensors import array_of
from lampyris_build.data.dataset import Dataset
from lampyris_build.evaluation import open_session, probabilities
from lampyris_build.export import signature_of
from lampyris_build.probe import make_probe


def test_probe_holds_inputs_with_the_answers_of_the_model(dataset: Dataset, int8: Path) -> None:
    probe = make_probe(int8, "int8", signature_of(dataset), dataset.test.inputs)

    (asked,), (answered,) = probe.inputs, probe.outputs
    answers = probabilities(open_session(int8), array_of(asked))
    assert asked.shape == (16, 8, 8, 1)
    np.testing.assert_allclose(array_of(answered), answers, atol=probe.atol)


def test_tolerance_tells_the_model_from_one_that_errs(dataset: Dataset, int8: Path) -> None:
    probe = make_probe(int8, "int8", signature_of(dataset), dataset.test.inputs)

    wrong = np.roll(array_of(probe.outputs[0]), 1, axis=1)

    assert np.abs(wrong - array_of(probe.outputs[0])).max() > 10 * probe.atol


def test_fp32_is_held_to_a_narrower_tolerance(dataset: Dataset, fp32: Path, int8: Path) -> None:
    signature = signature_of(dataset)

    narrow = make_probe(fp32, "fp32", signature, dataset.test.inputs)

    assert narrow.atol < make_probe(int8, "int8", signature, dataset.test.inputs).atol


def test_probe_of_few_samples_takes_them_all(dataset: Dataset, fp32: Path) -> None:
    probe = make_probe(fp32, "fp32", signature_of(dataset), dataset.test.inputs[:3])

    assert probe.inputs[0].shape == (3, 8, 8, 1)
