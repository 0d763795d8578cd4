"""What a function behind the API says of its work: a line a request, log and metrics in one.

The line is CloudWatch's embedded metric format: its metrics cost no call, and its other fields are what Logs
Insights queries. Nothing from a body, in or out, is ever in it. It is written here and not by Powertools,
whose import is a fifth of what the handler adds to onnxruntime's own (decision 0005).

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from lampyris.domain.manifest import Manifest

if TYPE_CHECKING:  # numpy is behind it, which not every function needs
    from lampyris.serving.infer import Prediction

NAMESPACE = "Lampyris"
_UNITS = {
    "Duration": "Milliseconds",
    "Fetch": "Milliseconds",
    "Session": "Milliseconds",
    "Init": "Milliseconds",
}
_UNITS |= {"FetchedBytes": "Bytes"}
_encode = msgspec.json.Encoder().encode


class RequestRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What is worth knowing of one request.

    `code` is that of the problem that it ended in; `manifest` the version that it meant, as far as it got;
    `stale_refreshes` how many aliases could not be read again since the last request, and served on as they
    were; `damaged_artifacts` how many failed their check since then, also of models that nobody waited for;
    `dropped_copies` how many copies for shadows were lost since then; `init_ms` stands on an environment's
    first request, if that had to wait for INIT.
    """

    request_id: str
    route: str
    status: int
    duration_ms: float
    init_ms: float | None
    manifest: Manifest | None
    prediction: "Prediction | None"
    stale_refreshes: int
    damaged_artifacts: int
    dropped_copies: int = 0
    code: str | None


class Telemetry:
    """Speaks for one execution environment."""

    def __init__(self, service: str, *, now_s: Callable[[], float]) -> None:
        self._service = service
        self._now_s = now_s
        self._directives: dict[tuple[bool, tuple[str, ...]], msgspec.Raw] = {}

    def error(self, error: Exception, request_id: str) -> None:
        """Log an error that is ours and not the caller's, with its trace."""
        import traceback  # noqa: PLC0415 - for this alone

        _print(
            {
                "level": "ERROR",
                "service": self._service,
                "request_id": request_id,
                "message": str(error),
                "exception_name": type(error).__name__,
                "exception": "".join(traceback.format_exception(error)),
            }
        )

    def request(self, record: RequestRecord) -> None:
        """Print the line of one request."""
        prediction, manifest = record.prediction, record.manifest
        metrics: dict[str, float] = {"Requests": 1, "Duration": record.duration_ms}
        fields: dict[str, object] = {"service": self._service}
        if manifest is not None:
            fields |= {"model": manifest.model, "version": str(manifest.version)}
        fields |= {"request_id": record.request_id, "route": record.route, "status": record.status}
        if record.init_ms is not None:
            metrics |= {"ColdStart": 1, "Init": record.init_ms}
        if prediction is not None:
            fields["run_ms"] = prediction.run_ms
            if prediction.cold:
                load = prediction.load
                metrics |= {"Load": 1, "Fetch": load.fetch_ms, "Session": load.session_ms}
                metrics["FetchedBytes"] = load.fetched_bytes
        if record.code is not None:
            metrics["Problems"] = 1
            fields["code"] = record.code
        if record.stale_refreshes:
            metrics["StaleAliases"] = record.stale_refreshes
        if record.damaged_artifacts:
            metrics["DamagedArtifacts"] = record.damaged_artifacts
        if record.dropped_copies:
            metrics["ShadowDropped"] = record.dropped_copies
        self._print(metrics, fields, is_model=manifest is not None)

    def count(
        self, metrics: dict[str, float], *, model: str, version: int, fields: dict[str, object]
    ) -> None:
        """Print a line of metrics about one version, which need not be the one that answers a request."""
        named = {"service": self._service, "model": model, "version": str(version)}
        self._print(metrics, {**named, **fields}, is_model=True)

    def _print(self, metrics: dict[str, float], fields: dict[str, object], *, is_model: bool) -> None:
        aws = {
            "Timestamp": int(self._now_s() * 1000),
            "CloudWatchMetrics": self._directive(tuple(metrics), is_model=is_model),
        }
        _print({"_aws": aws, **fields, **metrics})

    def _directive(self, metrics: tuple[str, ...], *, is_model: bool) -> msgspec.Raw:
        """Say which members of the line are metrics, and by what; there are few sets."""
        directive = self._directives.get((is_model, metrics))
        if directive is None:
            by = [["service"]]
            if is_model:
                by += [["service", "model"], ["service", "model", "version"]]
            listed = [_metric(name) for name in metrics]
            sets = [{"Namespace": NAMESPACE, "Dimensions": by, "Metrics": listed}]
            if "Problems" in metrics:  # by code as well, and nothing else by code: each series costs
                by_code = [[*dimensions, "code"] for dimensions in by]
                sets.append({"Namespace": NAMESPACE, "Dimensions": by_code, "Metrics": [_metric("Problems")]})
            directive = msgspec.Raw(_encode(sets))
            self._directives[is_model, metrics] = directive
        return directive


def _metric(name: str) -> dict[str, str]:
    return {"Name": name, "Unit": _UNITS.get(name, "Count")}


def _print(line: dict[str, object]) -> None:
    sys.stdout.write(_encode(line).decode() + "\n")  # one write: with two, another line could come between
