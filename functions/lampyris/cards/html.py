"""A card as one page of HTML that loads nothing, runs nothing, and says so to the browser."""

import base64
import hashlib
from html import escape

from lampyris.cards.card import Card
from lampyris.cards.section import Block, Code, Paragraph, Section, Table

_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 50rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere; }
h1 { margin-bottom: 0; }
h2 { margin: 2rem 0 .5rem; font-size: 1.15rem; border-bottom: 1px solid #8886; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { padding: .25rem 1rem .25rem 0; text-align: left; vertical-align: top; }
tr { border-bottom: 1px solid #8883; }
pre { padding: .75rem; overflow-x: auto; background: #8882; font-size: .85rem; }
"""


def content_security_policy() -> str:
    """Return the policy that fits the page: its own style, and nothing else from anywhere."""
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def to_html(card: Card) -> str:
    """Write a card as a page of its own."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(content_security_policy())}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(card.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{escape(card.title)}</h1>\n"
        + "".join(map(_section, card.sections))
        + "</main>\n</body>\n</html>\n"
    )


def _section(section: Section) -> str:
    return f"<section>\n<h2>{escape(section.title)}</h2>\n{''.join(map(_block, section.blocks))}</section>\n"


def _block(block: Block) -> str:
    match block:
        case Paragraph():
            return f"<p>{escape(block.text)}</p>\n"
        case Code():
            return f"<pre><code>{escape(block.text)}</code></pre>\n"
        case Table():
            head = f"<thead>{_row('th', block.header)}</thead>\n" if any(block.header) else ""
            body = "".join(f"{_row('td', row)}\n" for row in block.rows)
            return f"<table>\n{head}<tbody>\n{body}</tbody>\n</table>\n"


def _row(tag: str, cells: tuple[str, ...]) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"
