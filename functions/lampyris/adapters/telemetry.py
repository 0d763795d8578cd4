"""What the predict function says of its work, through Powertools: a line a request, log and metrics in one.

The line is CloudWatch's embedded metric format: its metrics cost no call, and its other fields are what Logs
Insights queries. Nothing from a body, in or out, is ever in it.
"""

from collections.abc import Callable
from typing import Any

import msgspec
from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics

from lampyris.serving.infer import Prediction

NAMESPACE = "Lampyris"
_UNITS = {
    "Duration": "Milliseconds",
    "Fetch": "Milliseconds",
    "Load": "Count",
    "Problems": "Count",
    "Session": "Milliseconds",
}


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

    def __init__(self, service: str, *, now_s: Callable[[], float]) -> None:
        self._service = service
        self._now_s = now_s
        self._frames: dict[tuple[str | None, tuple[str, ...]], dict[str, Any]] = {}
        self._logger = Logger(service=service)
        self._metrics = EphemeralMetrics(namespace=NAMESPACE, service=service)

    def error(self, error: Exception, request_id: str) -> None:
        """Log an error that is ours and not the caller's, with its trace."""
        self._logger.error(str(error), exc_info=error, extra={"request_id": request_id})

    def request(self, record: RequestRecord) -> None:
        """Print the line of one request."""
        prediction = record.prediction
        model = None if prediction is None else prediction.manifest.model
        cold = prediction is not None and prediction.cold
        values: dict[str, list[float]] = {"Duration": [record.duration_ms]}
        fields: dict[str, object] = {
            "request_id": record.request_id,
            "route": record.route,
            "status": record.status,
        }
        if record.code is not None:
            values["Problems"] = [1]
            fields["code"] = record.code
        if prediction is not None:
            fields["version"] = prediction.manifest.version
            fields["run_ms"] = prediction.run_ms
            if cold:
                values["Load"] = [1]
                values["Fetch"] = [prediction.load.fetch_ms]
                values["Session"] = [prediction.load.session_ms]
        frame = self._frame(model, tuple(values))
        frame["_aws"]["Timestamp"] = int(self._now_s() * 1000)
        print(msgspec.json.encode({**frame, **fields, **values}).decode())  # noqa: T201 - stdout is the log

    def _frame(self, model: str | None, names: tuple[str, ...]) -> dict[str, Any]:
        """Return the line without its values, as Powertools writes it; there are few such frames."""
        frame = self._frames.get((model, names))
        if frame is None:
            metrics = {name: {"Unit": _UNITS[name], "StorageResolution": 60, "Value": []} for name in names}
            dimensions = {"service": self._service} | ({} if model is None else {"model": model})
            frame = dict(self._metrics.serialize_metric_set(metrics, dimensions, {}))
            self._frames[model, names] = frame
        return frame
