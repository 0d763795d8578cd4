import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from lampyris_build.data.dataset import Samples
from lampyris_build.report import Report
from lampyris_build.report.numbers import numbers, unusual


def _regression(report: Report, targets: np.ndarray, predicted: np.ndarray) -> Report:
    return replace(
        report,
        task="regression",
        classes=None,
        test=Samples(inputs={"features": np.zeros((len(targets), 4))}, targets=targets),
        answers=[predicted],
    )


@pytest.mark.parametrize(("targets", "figures"), [(1, 2), (3, 6), (10, 12)])
def test_each_target_has_its_scatter_and_its_errors(
    classifier: Callable[..., Report], targets: int, figures: int
) -> None:
    true = np.random.default_rng(0).normal(size=(50, targets)).astype(np.float32)

    shown = numbers(_regression(classifier(), true, true + 0.5))

    assert shown.count("<figure>") == figures
    assert "0.5 on average" in shown


def test_prediction_that_is_no_number_is_left_out(classifier: Callable[..., Report]) -> None:
    true = np.arange(10, dtype=np.float32)
    predicted = true.copy()
    predicted[3] = np.nan

    shown = numbers(_regression(classifier(), true, predicted))

    assert not re.findall(r'd="[^"]*nan', shown)


@pytest.mark.parametrize("targets", [None, np.zeros(200, np.int64)])
def test_scores_without_what_is_unusual_have_one_figure(
    classifier: Callable[..., Report], targets: np.ndarray | None
) -> None:
    report = classifier()
    test = Samples(inputs=report.test.inputs, targets=targets)

    shown = unusual(replace(report, task="anomaly", test=test, answers=[np.arange(200.0)]))

    assert shown.count("<figure>") == 1


def test_scores_of_what_is_unusual_stand_apart_and_have_a_curve(classifier: Callable[..., Report]) -> None:
    report = classifier()
    targets = (np.arange(200) >= 180).astype(np.int64)
    test = Samples(inputs=report.test.inputs, targets=targets)

    shown = unusual(replace(report, task="anomaly", test=test, answers=[np.arange(200.0)]))

    assert ">unusual<" in shown
    assert "the area under it is 1.0000" in shown
