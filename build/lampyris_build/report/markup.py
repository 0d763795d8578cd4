"""The words of a page: every text is escaped on its way in, so that no name or value can become markup."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


NOTHING: Final = Html("")


def text(words: object) -> Html:
    return words if isinstance(words, Html) else Html(escape(str(words)))


def join(parts: Iterable[Html]) -> Html:
    return Html("".join(parts))


def element(tag: str, *content: Html, **attributes: object) -> Html:
    """Wrap content in a tag; `class_` stands for class, `aria_label` for aria-label."""
    told = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(str(value))}"' for name, value in attributes.items()
    )
    return Html(f"<{tag}{told}>{''.join(content)}</{tag}>")


def paragraph(words: str) -> Html:
    return element("p", text(words))


def section(title: str, *content: Html) -> Html:
    """Put a heading over content; nothing if there is none."""
    if not any(content):
        return NOTHING
    return element("section", element("h2", text(title)), *content)


def figure(picture: Html, caption: str) -> Html:
    return element("figure", picture, element("figcaption", text(caption)))


def figures(*drawn: Html) -> Html:
    """Set figures beside each other, as far as there is room."""
    return element("div", *drawn, class_="figures") if drawn else NOTHING


def beside(*parts: Html) -> Html:
    """Set parts of any width beside each other, as far as there is room."""
    return element("div", *parts, class_="beside")


def scrolled(content: Html, label: str) -> Html:
    """Let what may be wider than the page scroll by itself, by keyboard too."""
    return element("div", content, class_="wide", tabindex=0, role="region", aria_label=label)


def table(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    caption: str,
    numbers: range = range(0),
) -> Html:
    """Lay out rows under a header; the first cell names its row, `numbers` are the columns of figures."""
    head = [_cell("th", cell, place in numbers, scope="col") for place, cell in enumerate(header)]
    content = [
        element("caption", text(caption)),
        element("thead", element("tr", *head)),
        element("tbody", *(_row(row, numbers) for row in rows)),
    ]
    return scrolled(element("table", *content), caption)


def _row(cells: Sequence[str], numbers: range) -> Html:
    first, *others = cells
    written = [_cell("td", cell, place in numbers) for place, cell in enumerate(others, start=1)]
    return element("tr", _cell("th", first, 0 in numbers, scope="row"), *written)


def _cell(tag: str, cell: str, is_number: bool, **attributes: str) -> Html:  # noqa: FBT001 - the cell's kind
    if is_number:
        attributes["class_"] = "n"
    return element(tag, text(cell), **attributes)
