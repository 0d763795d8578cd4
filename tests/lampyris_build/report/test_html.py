import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from lampyris_build.data.dataset import Feature, Samples
from lampyris_build.report import Report, to_html

_VOID = {"meta", "img", "br"}
EVIL = "<script>alert(1)</script>\"'&amp;"


class Page(HTMLParser):
    """Reads a page and takes down its tags; every tag must be closed in its place."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def every(self, *names: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag in names]


def headings(html: str) -> list[str]:
    return re.findall(r"<h2>(.*?)</h2>", html)


def test_report_that_has_everything_shows_everything(whole: Report) -> None:
    assert headings(to_html(whole)) == [
        "Choice",
        "Compression",
        "Scores",
        "Learning",
        "Cross-validation",
        "What it takes for what",
        "Class by class",
        "How sure it is",
        "Worst mistakes",
        "Samples",
        "Data",
        "Provenance",
    ]


def test_what_a_build_has_not_got_is_left_out(classifier: Callable[..., Report]) -> None:
    shown = headings(to_html(classifier()))

    assert not {"Choice", "Compression", "Learning", "Generalisation", "Cross-validation"} & set(shown)


def test_page_is_well_formed_and_can_be_heard(whole: Report) -> None:
    page = Page(to_html(whole))

    assert page.every("html") == [{"lang": "en"}]
    assert all(one["alt"] for one in page.every("img"))
    assert all(one["aria-label"] and one["role"] == "img" for one in page.every("svg"))
    assert all(one.get("scope") in {"row", "col"} for one in page.every("th"))
    assert len(page.every("caption")) == len(page.every("table"))


def test_page_loads_nothing_and_runs_nothing(whole: Report) -> None:
    html = to_html(whole)
    page = Page(html)

    assert not page.every("script", "link", "iframe", "object", "form", "a")
    assert all(str(one["src"]).startswith("data:image/png;base64,") for one in page.every("img"))
    assert not any(name.startswith("on") or name == "style" for _, attrs in page.tags for name in attrs)
    assert "url(" not in html
    assert "http:" not in html
    assert "https:" not in html


def test_policy_admits_the_page_s_own_style_and_nothing_else(whole: Report) -> None:
    html = to_html(whole)
    style = html.split("<style>")[1].split("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()

    policies = [one["content"] for one in Page(html).every("meta") if one.get("http-equiv")]

    assert policies == [
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    ]


def test_no_name_and_no_value_becomes_markup(whole: Report) -> None:
    words = np.full(200, EVIL, dtype=object)
    report = replace(
        whole,
        model=EVIL,
        classes=(EVIL, "green", "blue"),
        features=(Feature(name=EVIL, kind="text"),),
        test=Samples(inputs={EVIL: words}, targets=whole.test.targets),
        notes=(EVIL,),
        statement=EVIL,
        choice=EVIL,
        trials=tuple(replace(one, name=EVIL) for one in whole.trials),
        forms=tuple(replace(one, name=EVIL, reason=EVIL) for one in whole.forms),
        elapsed_s={EVIL: 1.0},
        provenance={EVIL: {EVIL: EVIL}},
        recipe=EVIL,
        counts={EVIL: 3},
    )

    html = to_html(report)

    page = Page(html)
    assert "<script" not in html
    assert not page.every("script")
    assert "".join(page.words).count(EVIL) > 20


def test_same_report_gives_the_same_page(whole: Report) -> None:
    assert to_html(whole) == to_html(whole)


@pytest.mark.parametrize("count", [2, 20, 21, 100])
def test_page_of_many_classes_stays_small(classifier: Callable[..., Report], count: int) -> None:
    report = classifier(tuple(f"class number {number}" for number in range(count)), 1000)

    html = to_html(report)

    assert len(html.encode()) < 300_000
    assert len(Page(html).every("h1")) == 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30, 0.0])
@pytest.mark.parametrize("count", [1, 3])
def test_answers_that_make_no_sense_can_be_shown(
    classifier: Callable[..., Report], value: float, count: int
) -> None:
    labels = np.arange(count) % 2
    features = (Feature(name="series", kind="series", shape=(5, 2)), Feature(name="number", kind="number"))
    inputs = {
        "series": np.full((count, 5, 2), value, np.float32),
        "number": np.full(count, value, np.float32),
    }
    odd = replace(classifier(), features=features, test=Samples(inputs=inputs, targets=labels))
    answers_NK, answers_N = np.full((count, 2), value, np.float32), np.full(count, value, np.float32)
    reports = (
        replace(odd, classes=("red", "green"), answers=[answers_NK]),
        replace(odd, task="regression", classes=None, answers=[answers_N]),
        replace(odd, task="anomaly", classes=None, answers=[answers_N]),
    )

    for report in reports:
        html = to_html(report)

        assert Page(html).every("h1")
        assert not re.findall(r' d="[^"]*(?:nan|inf)', html)
