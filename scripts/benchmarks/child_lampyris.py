"""A cold start of the predict function: import the handler, answer one request."""

from event import Context, answer_parent, check, infer_event
from lampyris.handlers.predict import handler

check(handler(infer_event(), Context()))
answer_parent()
