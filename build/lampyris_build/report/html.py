"""The page: one file that loads nothing and runs nothing, and says so to the browser."""

import base64
import hashlib
from html import escape
from typing import Final

from lampyris_build.report.choice import choice
from lampyris_build.report.classes import classes
from lampyris_build.report.compression import compression
from lampyris_build.report.folds import folds
from lampyris_build.report.learning import learning
from lampyris_build.report.numbers import numbers, unusual
from lampyris_build.report.provenance import data, provenance
from lampyris_build.report.report import Report
from lampyris_build.report.samples import samples
from lampyris_build.report.style import STYLE
from lampyris_build.report.verdict import scores, verdict

# In the order of the page. Each gives nothing where the report has nothing for it.
_PARTS: Final = (
    verdict,
    choice,
    compression,
    scores,
    learning,
    folds,
    classes,
    numbers,
    unusual,
    samples,
    data,
    provenance,
)


def to_html(report: Report) -> str:
    """Write the report as a page of its own; the same report gives the same page, byte by byte."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(report.model)}: build report</title>\n"
        f"<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(filter(None, (part(report) for part in _PARTS)))
        + "\n</main>\n</body>\n</html>\n"
    )
