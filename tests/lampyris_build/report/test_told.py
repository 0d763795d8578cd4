from math import inf, nan

import pytest

from lampyris_build.report import told


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (told.share(0.97216), "97.22 %"),
        (told.points(-0.00312), "\N{MINUS SIGN}0.31 points"),
        (told.points(0.01), "+1.00 points"),
        (told.size(999), "999 bytes"),
        (told.size(34_512), "34.5 KB"),
        (told.size(102_400_000), "102 MB"),
        (told.size(2_500_000_000), "2.50 GB"),
        (told.milliseconds(0.0463), "0.0463 ms"),
        (told.milliseconds(2150), "2.15 s"),
        (told.seconds(7.25), "7.2 s"),
        (told.seconds(130), "2 min"),
        (told.seconds(3_700), "1 h 2 min"),
        (told.seconds(3_599), "1 h 0 min"),
        (told.dollars(0.2134), "$0.21"),
        (told.dollars(0.0000123), "$1.2e-05"),
        (told.dollars(1234.5), "$1,234.50"),
        (told.figure(12), "12"),
        (told.figure(-0.000123456), "-0.0001235"),
        (told.figure(1234567.0), "1.235e+06"),
        (told.figure(inf), "inf"),
        (told.figure(nan), "nan"),
        (told.score_name("roc_auc"), "ROC AUC"),
        (told.score_name("f1_macro"), "F1 macro"),
        (told.score_name("r2"), "R²"),
    ],
)
def test_numbers_are_told_with_their_units(words: str, expected: str) -> None:
    assert words.replace("\N{NO-BREAK SPACE}", " ") == expected
