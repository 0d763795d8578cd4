"""Which words a model knows: those that the training set holds more than once, the most frequent first.

What it holds once is not known: from that a model learns what to make of all that it never saw.
"""

from collections import Counter
from collections.abc import Iterable
from itertools import count
from typing import Final

from lampyris_build.preprocessing.strings import FIRST

_OFTEN: Final = 2
_LOWER: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def categories(found: Counter[str], most: int) -> dict[str, int]:
    """Return the id of each category, `most` ids in all."""
    return dict(zip(_frequent(found, most), count(FIRST)))


def words(found: Counter[str], most: int) -> dict[str, int]:
    """Return the id of each form of a word, `most` ids in all; forms that differ in case share one.

    ASCII is lower-cased already. Of other words the forms are those found, the one that begins with a capital
    letter, and the one that has only such.
    """
    lower = Counter[str]()
    for form, times in found.items():
        lower[form.lower()] += times
    id_of = dict(zip(_frequent(lower, most), count(FIRST)))
    forms = {
        form.translate(_LOWER)
        for word in id_of
        if not word.isascii()
        for form in (word, word.capitalize(), word.upper())
    }
    known = {form: id_of[form.lower()] for form in sorted({*found, *forms}) if form.lower() in id_of}
    return id_of | known


def _frequent(found: Counter[str], most: int) -> Iterable[str]:
    often = [word for word, times in found.items() if word and times >= _OFTEN]
    return sorted(often, key=lambda word: (-found[word], word))[: most - FIRST]
