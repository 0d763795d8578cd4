"""What a build leaves for people to read: `report.html`, one file that opens anywhere.

`Report` is everything that it shows; `to_html` writes it. Each other file shows one part.
"""

from lampyris_build.report.html import to_html
from lampyris_build.report.report import Form, Report, Trial

__all__ = ["Form", "Report", "Trial", "to_html"]
