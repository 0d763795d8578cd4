import base64
import re
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from lampyris_build.data.dataset import Feature, Samples
from lampyris_build.report import Report
from lampyris_build.report.samples import samples


def _worst(html: str) -> str:
    return html.partition("<h2>Worst mistakes</h2>")[2].partition("</section>")[0]


def test_worst_mistakes_are_those_it_was_surest_of(classifier: Callable[..., Report]) -> None:
    report = classifier(("red", "green"), 4)
    answers = np.array([[0.4, 0.6], [0.9, 0.1], [0.0, 1.0], [0.2, 0.8]], np.float32)
    report = replace(report, answers=[answers])  # the classes are 0, 1, 0, 1: only the last is right

    worst = _worst(samples(report))

    assert "It is wrong about 3 of 4 samples" in worst
    assert re.findall(r'<th scope="row">(\d)</th>', worst) == ["2", "1", "0"]
    assert re.findall(r"<strong[^>]*>([^<]*)</strong>", worst) == [
        "green, 100.0 %",
        "red, 90.0 %",
        "green, 60.0 %",
    ]


def test_answer_that_is_no_number_is_a_mistake(classifier: Callable[..., Report]) -> None:
    report = classifier(("red", "green"), 4)
    answers = np.eye(2, dtype=np.float32)[[0, 1, 0, 1]]
    answers[2, 0] = np.nan

    worst = _worst(samples(replace(report, answers=[answers])))

    assert "It is wrong about 1 of 4 samples" in worst
    assert ">no number</strong>" in worst


def test_how_sure_logits_are_is_no_share(classifier: Callable[..., Report]) -> None:
    report = classifier(("red", "green"), 4)

    shown = samples(replace(report, answers=[np.array([[7.5, -2.0]] * 4, np.float32)]))

    assert ">red, 7.5</strong>" in shown
    assert "%" not in shown


def test_model_without_mistakes_has_none_to_show(classifier: Callable[..., Report]) -> None:
    report = classifier(("red", "green"), 4)

    shown = samples(replace(report, answers=[np.eye(2, dtype=np.float32)[[0, 1, 0, 1]]]))

    assert "Worst mistakes" not in shown
    assert "<h2>Samples</h2>" in shown


def test_pictures_are_shown_pixel_by_pixel(classifier: Callable[..., Report]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 5, 6, 3), dtype=np.uint8)
    report = replace(
        classifier(("red", "green"), 4),
        features=(Feature(name="image", kind="image", shape=(5, 6, 3)),),
        test=Samples(inputs={"image": pixels}, targets=np.arange(4) % 2),
    )

    shown = samples(report).split("<h2>Samples</h2>")[1]

    pictures = re.findall(r'src="data:image/png;base64,([^"]+)" alt="Sample (\d)"', shown)
    assert [int(place) for _, place in pictures] == [0, 1, 2, 3]
    for data, place in pictures:
        decoded = np.asarray(Image.open(BytesIO(base64.b64decode(data))))
        np.testing.assert_array_equal(decoded, pixels[int(place)])


def test_large_pictures_are_made_small(classifier: Callable[..., Report]) -> None:
    report = replace(
        classifier(("red", "green"), 4),
        features=(Feature(name="image", kind="image", shape=(300, 600, 1)),),
        test=Samples(inputs={"image": np.zeros((4, 300, 600, 1), np.uint8)}, targets=np.arange(4) % 2),
    )

    (data, *_) = re.findall(r"base64,([^\"]+)", samples(report))

    assert Image.open(BytesIO(base64.b64decode(data))).size == (128, 64)


def test_rows_of_a_table_have_their_columns(classifier: Callable[..., Report]) -> None:
    columns = {
        "age": np.array([41, np.nan, 3.5, 7], np.float32),
        "city": np.array(["Bern", "", "Rome", "Oslo"], object),
    }
    report = replace(
        classifier(("red", "green"), 4),
        features=(Feature(name="age", kind="number"), Feature(name="city", kind="category")),
        test=Samples(inputs=columns, targets=np.arange(4) % 2),
    )

    shown = samples(report).split("<h2>Samples</h2>")[1]

    assert re.findall(r'<th scope="row">\d</th><td>([^<]*)</td><td>([^<]*)</td>', shown) == [
        ("41", "Bern"),
        ("missing", "missing"),
        ("3.5", "Rome"),
        ("7", "Oslo"),
    ]


def test_columns_beyond_the_eighth_are_counted(classifier: Callable[..., Report]) -> None:
    columns = {f"column {number}": np.zeros(4, np.float32) for number in range(10)}
    report = replace(
        classifier(("red", "green"), 4),
        features=tuple(Feature(name=name, kind="number") for name in columns),
        test=Samples(inputs=columns, targets=np.arange(4) % 2),
    )

    shown = samples(report)

    assert "column 7" in shown
    assert "column 8" not in shown
    assert "2 more" in shown


@pytest.mark.parametrize("shape", [(20, 3), (20, 1)])
def test_series_are_drawn_even_where_values_are_missing(
    classifier: Callable[..., Report], shape: tuple[int, int]
) -> None:
    series = np.random.default_rng(0).normal(size=(4, *shape)).astype(np.float32)
    series[0, 3] = np.nan
    report = replace(
        classifier(("red", "green"), 4),
        features=(Feature(name="series", kind="series", shape=shape),),
        test=Samples(inputs={"series": series}, targets=np.arange(4) % 2),
    )

    shown = samples(report).split("<h2>Samples</h2>")[1]

    assert shown.count('class="spark"') == 4
    assert shown.count('class="line') == 4 * shape[1]
    assert "nan" not in shown


def test_worst_predictions_are_those_farthest_off(classifier: Callable[..., Report]) -> None:
    targets = np.array([1.0, 2.0, 3.0, 4.0], np.float32)
    report = replace(
        classifier(("red", "green"), 4),
        task="regression",
        classes=None,
        test=Samples(inputs={"features": np.zeros((4, 4), np.float32)}, targets=targets),
        answers=[targets + np.array([0.5, -2, 0, 1], np.float32)],
    )

    worst = _worst(samples(report))

    assert re.findall(r'<th scope="row">(\d)</th>', worst) == ["1", "3", "0", "2"]


def test_most_unusual_come_first(classifier: Callable[..., Report]) -> None:
    report = replace(
        classifier(("red", "green"), 4),
        task="anomaly",
        classes=None,
        answers=[np.array([0.1, 3.0, np.nan, 2.0], np.float32)],
    )

    shown = samples(report)

    assert re.findall(r'<th scope="row">(\d)</th>', shown) == ["1", "3", "0", "2"]
    assert re.findall(r"<td>(usual|unusual)</td>", shown) == ["unusual", "unusual", "usual", "usual"]


def test_pictures_that_were_generated_are_shown(classifier: Callable[..., Report]) -> None:
    report = replace(
        classifier(("red", "green"), 4),
        task="generation",
        classes=None,
        answers=[np.zeros((100, 8, 8, 1), np.uint8)],
    )

    assert samples(report).count("<img") == 48


def test_tokens_that_were_not_foreseen_are_marked(classifier: Callable[..., Report]) -> None:
    tokens = np.array([[0, 1, 2, 1]])
    report = replace(
        classifier(("<", "b", " "), 4),
        task="language",
        test=Samples(inputs={"tokens": tokens}, targets=tokens),
        answers=[np.eye(3, dtype=np.float32)[[[0, 2, 0, 1]]]],
    )

    assert "<blockquote>&lt;<mark>b </mark>b</blockquote>" in samples(report)
