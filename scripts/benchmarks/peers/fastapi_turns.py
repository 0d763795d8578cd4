"""FastAPI + Mangum, warm: Powertools logs each request and counts it, as its documentation has it."""

from time import perf_counter
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from fastapi_app import handler as answer

from event import Context, take_turns

logger = Logger(service="predict")
metrics = Metrics(namespace="Benchmark", service="predict")


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: Context) -> dict[str, Any]:
    started_s = perf_counter()
    response: dict[str, Any] = answer(event, context)
    duration_ms = (perf_counter() - started_s) * 1000
    metrics.add_metric(name="Duration", unit=MetricUnit.Milliseconds, value=duration_ms)
    logger.info("request", route=event["routeKey"], status=response["statusCode"], duration_ms=duration_ms)
    return response


take_turns(handler)
