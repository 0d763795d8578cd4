"""What the predict function says of its work, through Powertools: a line a request, log and metrics in one.

The line is CloudWatch's embedded metric format: its metrics cost no call, and its other fields are what Logs
Insights queries. Nothing from a body, in or out, is ever in it.
"""

import msgspec
from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics

from lampyris.serving.infer import Prediction

NAMESPACE = "Lampyris"


class RequestRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is worth knowing of one request; `code` names the problem that it ended in."""

    request_id: str
    route: str
    status: int
    code: str | None
    duration_ms: float
    prediction: Prediction | None


class Telemetry:
    """Speaks for one execution environment."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._logger = Logger(service=service)
        self._metrics = EphemeralMetrics(namespace=NAMESPACE, service=service)

    def error(self, error: Exception, request_id: str) -> None:
        """Log an error that is ours and not the caller's, with its trace."""
        self._logger.error(str(error), exc_info=error, extra={"request_id": request_id})

    def request(self, record: RequestRecord) -> None:
        """Print the line of one request."""
        metrics = {"Duration": _metric("Milliseconds", record.duration_ms)}
        dimensions = {"service": self._service}
        fields: dict[str, object] = {
            "request_id": record.request_id,
            "route": record.route,
            "status": record.status,
        }
        if record.code is not None:
            metrics["Problems"] = _metric("Count", 1)
            fields["code"] = record.code
        prediction = record.prediction
        if prediction is not None:
            dimensions["model"] = prediction.manifest.model
            fields["version"] = prediction.manifest.version
            fields["run_ms"] = round(prediction.run_ms, 3)
            if prediction.cold:
                metrics["Load"] = _metric("Count", 1)
                metrics["Fetch"] = _metric("Milliseconds", prediction.load.fetch_ms)
                metrics["Session"] = _metric("Milliseconds", prediction.load.session_ms)
        line = self._metrics.serialize_metric_set(metrics, dimensions, fields)
        print(msgspec.json.encode(line).decode())  # noqa: T201 - stdout is the log


def _metric(unit: str, value: float) -> dict[str, object]:
    """Write one value as Powertools' `add_metric` does, without its checks of what is constant here."""
    return {"Unit": unit, "StorageResolution": 60, "Value": [value]}
