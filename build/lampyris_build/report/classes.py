"""A classifier class by class."""

from typing import Any, Final

from numpy.typing import NDArray

from lampyris_build.evaluation.classification import class_scores, confusion_matrix
from lampyris_build.report import told
from lampyris_build.report.certainty import certainty
from lampyris_build.report.confusion import confusion, pairs
from lampyris_build.report.markup import NOTHING, Html, beside, element, join, section, table, text
from lampyris_build.report.report import Report

_MOST_SHOWN: Final = 30  # more are shown to those who ask


def classes(report: Report) -> Html:
    if report.task != "classification" or report.classes is None or report.test.targets is None:
        return NOTHING
    answers = (report.answers[0], report.test.targets)
    counts_KK = confusion_matrix(*answers)
    return join(
        [
            section(
                "What it takes for what",
                beside(confusion(counts_KK, report.classes), pairs(counts_KK, report.classes)),
            ),
            section("Class by class", _each(*answers, report.classes)),
            section("How sure it is", certainty(*answers, report.classes)),
        ]
    )


def _each(probabilities_NK: NDArray[Any], labels_N: NDArray[Any], names: tuple[str, ...]) -> Html:
    rows = [
        (one.name, told.share(one.precision), told.share(one.recall), told.share(one.f1), f"{one.support:,}")
        for one in class_scores(probabilities_NK, labels_N, names)
    ]
    header = ("Class", "Precision", "Recall", "F1", "Samples")
    every = table(header, rows, numbers=range(1, 5), caption="Each class against all others")
    if len(names) <= _MOST_SHOWN:
        return every
    return element("details", element("summary", text(f"All {len(names)} classes")), every)
