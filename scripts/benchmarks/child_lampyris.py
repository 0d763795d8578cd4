"""A cold start of the predict function: import the handler, answer one request.

With an argument, the request carries its pixels as a binary tensor; else as JSON.
"""

import sys

from event import Context, answer_parent, check, infer_event, pixels_event
from lampyris.handlers.predict import handler

check(handler(pixels_event() if len(sys.argv) > 1 else infer_event(), Context()))
answer_parent()
