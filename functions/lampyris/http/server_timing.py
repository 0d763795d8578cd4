"""`Server-Timing`: where a request's time went, cold start included (W3C Server Timing)."""

from lampyris.serving.infer import Prediction


def server_timing(*, prediction: Prediction | None, init_ms: float | None, total_ms: float) -> str:
    """Write the header; durations in milliseconds.

    `init` stands on an environment's first answer only, and so do `fetch` and `session` where the model was
    loaded during INIT; else they stand where the model was loaded for this request.
    """
    parts: list[tuple[str, float]] = []
    if init_ms is not None:
        parts.append(("init", init_ms))
    if prediction is not None:
        if prediction.cold or init_ms is not None:
            parts += [("fetch", prediction.load.fetch_ms), ("session", prediction.load.session_ms)]
        parts.append(("run", prediction.run_ms))
    parts.append(("total", total_ms))
    return ", ".join(f"{name};dur={ms:.3f}" for name, ms in parts)
