import re

import numpy as np

from lampyris_build.report.confusion import confusion, pairs


def test_counts_stand_in_the_row_of_the_true_class() -> None:
    shown = confusion(np.array([[8, 2], [0, 5]]), ("cat", "dog"))

    rows = re.findall(r'<tr><th scope="row">(\w+)</th>(.*?)</tr>', shown)
    assert [(name, re.findall(r"<td[^>]*>(\d*)</td>", cells)) for name, cells in rows] == [
        ("cat", ["8", "2"]),
        ("dog", ["", "5"]),
    ]


def test_shade_is_the_share_of_the_row() -> None:
    shown = confusion(np.array([[8, 2], [0, 5]]), ("cat", "dog"))

    assert re.findall(r'class="s(\d+)"', shown) == ["8", "2", "0", "10"]


def test_class_that_does_not_occur_has_an_empty_row() -> None:
    shown = confusion(np.array([[3, 0], [0, 0]]), ("cat", "dog"))

    assert re.findall(r'class="s(\d+)"', shown) == ["10", "0", "0", "0"]


def test_matrix_of_many_classes_is_a_map() -> None:
    names = tuple(map(str, range(21)))

    shown = confusion(np.eye(21, dtype=np.int64), names)

    assert "<table" not in shown
    (diagonal,) = re.findall(r'<path d="([^"]+)" class="f10"', shown)
    assert diagonal.startswith("M0 0h1v1h-1zM1 1h1v1h-1z")
    assert diagonal.count("M") == 21


def test_pairs_come_in_the_order_of_how_often_they_were_mistaken() -> None:
    counts = np.array([[10, 1, 3], [0, 10, 0], [2, 0, 8]])

    shown = pairs(counts, ("a", "b", "c"))

    cells = re.findall(r'<th scope="row">(\w)</th><td>(\w)</td><td class="n">(\d+)</td>', shown)
    assert cells == [("a", "c", "3"), ("c", "a", "2"), ("a", "b", "1")]


def test_model_that_mistakes_nothing_is_said_to() -> None:
    assert "It took no class for another." in pairs(np.eye(2, dtype=np.int64), ("a", "b"))
