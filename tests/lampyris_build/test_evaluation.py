from pathlib import Path

import numpy as np

from lampyris_build.data.dataset import Dataset, Samples
from lampyris_build.evaluation import agreement, measure, open_session, probabilities


def test_accuracy_is_the_share_of_right_answers(dataset: Dataset, fp32: Path) -> None:
    predicted = probabilities(open_session(fp32), dataset.test.inputs).argmax(axis=1)
    labels = predicted.copy()
    labels[:20] = (labels[:20] + 1) % 4

    metrics = measure({"fp32": fp32}, Samples(inputs=dataset.test.inputs, labels=labels))

    assert metrics["fp32"].accuracy == 1 - 20 / len(labels)


def test_size_and_latency_are_those_of_each_model(dataset: Dataset, fp32: Path, int8: Path) -> None:
    metrics = measure({"fp32": fp32, "int8": int8}, dataset.test)

    for name, path in (("fp32", fp32), ("int8", int8)):
        assert metrics[name].size_bytes == path.stat().st_size
        assert 0 < metrics[name].latency_p50_ms <= metrics[name].latency_p99_ms


def test_model_agrees_with_itself(dataset: Dataset, fp32: Path) -> None:
    assert agreement(fp32, fp32, dataset.test.inputs) == 1


def test_many_inputs_are_answered_in_their_order(dataset: Dataset, fp32: Path) -> None:
    session = open_session(fp32)
    many = np.concatenate([dataset.test.inputs] * 4)

    answers = probabilities(session, many)

    np.testing.assert_allclose(answers[-1:], probabilities(session, many[-1:]), atol=1e-6)
    assert len(answers) == len(many)
