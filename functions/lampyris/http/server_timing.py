"""`Server-Timing`: where a request's time went, cold start included (W3C Server Timing)."""

from lampyris.serving.infer import Prediction


def server_timing(*, prediction: Prediction | None, init_ms: float | None, total_ms: float) -> str:
    """Write the header; durations in milliseconds.

    `init` stands on an environment's first answer only, and so do `fetch` and `session` where the model was
    loaded during INIT; else they stand where the model was loaded for this request.
    """
    parts = "" if init_ms is None else f"init;dur={init_ms:.3f}, "
    if prediction is not None:
        if prediction.cold or init_ms is not None:
            load = prediction.load
            parts += f"fetch;dur={load.fetch_ms:.3f}, session;dur={load.session_ms:.3f}, "
        parts += f"run;dur={prediction.run_ms:.3f}, "
    return f"{parts}total;dur={total_ms:.3f}"
