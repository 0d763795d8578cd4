"""Names and provenance come from strangers: on a card they are text, and nothing else."""

from collections.abc import Callable, Iterable
from html.parser import HTMLParser
from urllib.parse import urlsplit

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from lampyris.cards.card import Card, model_card
from lampyris.cards.html import content_security_policy, to_html
from lampyris.cards.markdown import to_markdown
from lampyris.domain.manifest import Evidence, Manifest
from lampyris.domain.signature import Signature, TensorSpec

ManifestOf = Callable[..., Manifest]
PAGE_TAGS = {"html", "head", "meta", "title", "style", "body", "main", "section"}
OWN_TAGS = PAGE_TAGS | {"h1", "h2", "p", "pre", "code", "table", "thead", "tbody", "tr", "th", "td"}
ATTACKS = [
    "<script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "</title><img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "'-alert(1)-'",
    "[click](javascript:alert(1))",
    "![x](https://example.org/pixel.png)",
    "<https://example.org>",
    "[x]: https://example.org\n\n[x]",
    "`<b>`",
    "``` \n<script>alert(1)</script>\n```",
    "a | b\n|---|---|\n| c | d |",
    "# heading\n- item\n> quote\n---",
    "*bold* __bold__ ~~gone~~ $x$",
    "&lt;script&gt; &#60;b&#62;",
    "\\<b\\>",
    "{{7*7}} ${7*7} <%= 7 %>",
    "\x1b[31mred\x00\u202egnp",
]


class Page(HTMLParser):
    """The tags and attributes of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: Iterable[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.extend(attrs)

    def handle_data(self, data: str) -> None:
        self.text += data


def card_saying(manifest: Manifest, text: str) -> Card:
    """Put a text wherever an uploader can put one."""
    spec = TensorSpec(name=text, datatype="FP32", shape=(-1, 1))
    return model_card(
        msgspec.structs.replace(
            manifest,
            signature=Signature(inputs=(spec,), outputs=(spec,), labels=(text,)),
            published=msgspec.structs.replace(manifest.published, by=text, reason=text),
            licences=(text,),
            metrics={text: {text: 1.0}},
            provenance={text: {text: text}, "list": [text], "intended_use": text, "limitations": text},
            evidence=Evidence(measured={text: 1.0}, files={text: text}),
        )
    )


def rendered(markdown: str) -> Page:
    return Page(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(markdown))


@pytest.mark.parametrize("attack", ATTACKS)
def test_page_holds_no_tag_and_no_attribute_of_a_strangers(manifest_of: ManifestOf, attack: str) -> None:
    page = Page(to_html(card_saying(manifest_of(), attack)))

    assert set(page.tags) <= OWN_TAGS
    assert page.tags.count("style") == 1
    assert {name for name, _ in page.attributes} <= {"lang", "charset", "http-equiv", "content", "name"}


@pytest.mark.parametrize("attack", ATTACKS)
def test_markdown_holds_no_markup_of_a_strangers(manifest_of: ManifestOf, attack: str) -> None:
    plain, attacked = (rendered(to_markdown(card_saying(manifest_of(), text))) for text in ("plain", attack))

    assert attacked.tags == plain.tags
    assert attacked.attributes == plain.attributes


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=40))
@example(text="-")
@example(text="+ a list")
@example(text="1. a list")
@example(text="12) a list")
@example(text="    indented code")
@example(text="===")
def test_any_text_shows_as_it_is_in_both_forms(manifest_of: ManifestOf, text: str) -> None:
    card = card_saying(manifest_of(), text)
    page, markdown = Page(to_html(card)), rendered(to_markdown(card))

    assert set(page.tags) <= OWN_TAGS
    assert set(markdown.tags) <= OWN_TAGS
    shown = card.sections[0].blocks[0].rows[3][1]  # type: ignore[union-attr]  # the details are a table
    assert shown in page.text
    assert shown in markdown.text


def test_page_is_on_its_own_and_says_so(manifest_of: ManifestOf) -> None:
    html = to_html(model_card(manifest_of()))

    assert ("http-equiv", "Content-Security-Policy") in Page(html).attributes
    assert ("content", content_security_policy()) in Page(html).attributes
    assert "default-src 'none'" in content_security_policy()
    assert "unsafe" not in content_security_policy()
    assert not any(urlsplit(word).netloc for word in html.split())
