"""Samples of the test set with what the model says of them, and those that it is most wrong about."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lampyris_build.evaluation.classification import are_probabilities, predicted_classes
from lampyris_build.report import told
from lampyris_build.report.inputs import picture, shown
from lampyris_build.report.markup import Html, element, join, paragraph, section, table, text
from lampyris_build.report.report import Report

_MISTAKES: Final = 18
_SAMPLES: Final = 12
_PICTURES: Final = 48
_TEXTS: Final = 5
_MOST_COLUMNS: Final = 8
_GALLERY: Final = ("image", "series")


@dataclass(frozen=True, kw_only=True)
class _Told:
    """What is to be said of a sample: its place in the test set, what is right, what the model answered."""

    place: int
    truth: str
    answer: str
    is_right: bool = True


def samples(report: Report) -> Html:
    match report.task:
        case "classification":
            return _classified(report)
        case "regression":
            return _measured(report)
        case "anomaly":
            return _unusual(report)
        case "generation":
            return _generated(report)
        case "language":
            return _foreseen(report)


def _classified(report: Report) -> Html:
    assert report.classes is not None
    if report.test.targets is None:
        return Html("")
    names, probabilities_NK, labels_N = report.classes, report.answers[0], report.test.targets
    predicted_N = predicted_classes(probabilities_NK)
    sure_N = np.nan_to_num(probabilities_NK.max(axis=1).astype(np.float64))
    is_share = are_probabilities(probabilities_NK)

    def tell(place: int) -> _Told:
        is_right = bool(predicted_N[place] == labels_N[place])
        sure = f"{100 * sure_N[place]:.1f} %" if is_share else told.figure(sure_N[place])
        answer = f"{names[predicted_N[place]]}, {sure}" if predicted_N[place] >= 0 else "no number"
        return _Told(place=place, truth=names[labels_N[place]], answer=answer, is_right=is_right)

    wrong = np.flatnonzero(predicted_N != labels_N)
    worst = wrong[np.argsort(-sure_N[wrong], kind="stable")][:_MISTAKES]
    return join(
        [
            section(
                "Worst mistakes",
                paragraph(
                    f"It is wrong about {len(wrong):,} of {len(labels_N):,} samples; these are the answers "
                    "that it was surest of. First what is right, then the answer, and how sure it was."
                )
                if len(wrong)
                else Html(""),
                _all(report, [tell(int(place)) for place in worst]) if len(wrong) else Html(""),
            ),
            section("Samples", _all(report, [tell(place) for place in _spaced(len(labels_N))])),
        ]
    )


def _measured(report: Report) -> Html:
    if report.test.targets is None:
        return Html("")
    count = len(report.test)
    predicted_NT = report.answers[0].reshape(count, -1)
    true_NT = report.test.targets.reshape(count, -1)
    errors_N = np.abs(predicted_NT - true_NT).mean(axis=1)

    def tell(place: int) -> _Told:
        return _Told(
            place=place,
            truth=", ".join(told.figure(float(value)) for value in true_NT[place]),
            answer=", ".join(told.figure(float(value)) for value in predicted_NT[place]),
        )

    worst = np.argsort(-np.nan_to_num(errors_N, nan=np.inf), kind="stable")[:_SAMPLES]
    return join(
        [
            section("Worst mistakes", _all(report, [tell(int(place)) for place in worst])),
            section("Samples", _all(report, [tell(place) for place in _spaced(count)])),
        ]
    )


def _unusual(report: Report) -> Html:
    scores_N, targets_N = report.answers[0].reshape(-1), report.test.targets

    def tell(place: int) -> _Told:
        truth = "" if targets_N is None else ("unusual" if targets_N[place] else "usual")
        return _Told(
            place=place,
            truth=truth,
            answer=f"score {told.figure(float(scores_N[place]))}",
            is_right=truth != "usual",
        )

    most = np.argsort(-np.nan_to_num(scores_N), kind="stable")[:_SAMPLES]
    return section("What it finds most unusual", _all(report, [tell(int(place)) for place in most]))


def _generated(report: Report) -> Html:
    pictures = report.answers[0][:_PICTURES]
    drawn = [
        picture(pixels, f"generated picture {number}") for number, pixels in enumerate(pictures, start=1)
    ]
    return section("What it makes of random numbers", element("div", *drawn, class_="pictures"))


def _foreseen(report: Report) -> Html:
    if report.classes is None or report.test.targets is None:
        return Html("")
    texts = []
    for place in _spaced(len(report.test))[:_TEXTS]:
        wanted_T = report.test.targets[place]
        right_T = report.answers[0][place].argmax(axis=-1) == wanted_T
        texts.append(element("blockquote", _marked(wanted_T, right_T, report.classes)))
    return section(
        "What it foresees",
        paragraph("Parts of the test set. What is marked, the model did not expect there."),
        *texts,
    )


def _marked(tokens_T: NDArray[np.int64], right_T: NDArray[np.bool_], names: tuple[str, ...]) -> Html:
    """Write tokens out, with those that were not foreseen marked."""
    parts = []
    for token, is_right in zip(tokens_T.tolist(), right_T.tolist(), strict=True):
        parts.append(text(names[token]) if is_right else element("mark", text(names[token])))
    return Html("".join(parts).replace("</mark><mark>", ""))


def _spaced(count: int) -> list[int]:
    """Choose samples from all over the test set."""
    return sorted({int(place) for place in np.linspace(0, count - 1, min(count, _SAMPLES))})


def _all(report: Report, chosen: list[_Told]) -> Html:
    if len(report.features) == 1 and report.features[0].kind in _GALLERY:
        return element("div", *(_card(report, one) for one in chosen), class_="gallery")
    features = report.features[:_MOST_COLUMNS]
    left_out = len(report.features) - len(features)
    rows = [
        (
            str(one.place),
            *(
                shown(feature, report.test.inputs[feature.name][one.place], feature.name)
                for feature in features
            ),
            *(["…"] if left_out else []),
            one.truth,
            _answer(one),
        )
        for one in chosen
    ]
    more = [f"{left_out} more"] if left_out else []
    header = ("Sample", *(feature.name for feature in features), *more, "Truth", "Answer")
    return table(header, rows, caption="Rows of the test set")


def _card(report: Report, one: _Told) -> Html:
    (feature,) = report.features
    shape = shown(feature, report.test.inputs[feature.name][one.place], f"Sample {one.place}")
    truth = [text(f"{one.truth} → ")] if one.truth else []
    return element("figure", shape, element("figcaption", *truth, _answer(one)))


def _answer(one: _Told) -> Html:
    return element("strong", text(one.answer), class_="right" if one.is_right else "wrong")
