"""A cold start of FastAPI + Mangum + boto3: import the handler, answer one request."""

from fastapi_app import handler

from event import Context, answer_parent, check, infer_event

check(handler(infer_event(), Context()))
answer_parent()
