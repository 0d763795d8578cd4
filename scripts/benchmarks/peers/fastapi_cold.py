"""A cold start of FastAPI + Mangum + boto3: import the handler, answer one request."""

from event import Context, answer_parent, check, infer_event
from fastapi_app import handler

check(handler(infer_event(), Context()))
answer_parent()
