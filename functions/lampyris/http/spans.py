"""The parts of a request, as a trace shows them."""

from lampyris.adapters.xray import Span
from lampyris.serving.infer import Prediction
from lampyris.serving.trace import Trace


def spans_of(trace: Trace, prediction: Prediction | None) -> list[Span]:
    """Return the parts that a request came to, in order: resolve, fetch and session if cold, run."""
    spans = []
    if trace.manifest is not None:
        spans.append(Span(name="resolve", started_s=trace.resolved_s[0], ended_s=trace.resolved_s[1]))
    if prediction is not None:
        loaded_s = prediction.started_s
        if prediction.cold:
            fetched_s = loaded_s - prediction.load.session_ms / 1000
            asked_s = fetched_s - prediction.load.fetch_ms / 1000
            spans.append(Span(name="fetch", started_s=asked_s, ended_s=fetched_s))
            spans.append(Span(name="session", started_s=fetched_s, ended_s=loaded_s))
        ended_s = loaded_s + prediction.run_ms / 1000
        spans.append(Span(name="run", started_s=loaded_s, ended_s=ended_s))
    return spans
