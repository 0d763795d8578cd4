"""A cold start of the predict function: import the handler, answer one request."""

from event import Context, infer_event, tell_parent

from lampyris.handlers.predict import handler

response = handler(infer_event(), Context())
if response["statusCode"] != 200:  # noqa: PLR2004 - HTTP's own number
    raise SystemExit(response["body"])
tell_parent()
