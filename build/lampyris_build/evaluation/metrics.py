"""What was measured of one model."""

import msgspec


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """What one form of a model is worth, and what it costs.

    `score` is 1 at best; each task says its own. `scores` holds everything else that was measured on the
    test set, by name. Latency is that of one row, on one thread. `memory_bytes` is what loading the model and
    running one row adds to a process.
    """

    score: float
    scores: dict[str, float] = {}
    size_bytes: int
    latency_p50_ms: float
    latency_p99_ms: float
    memory_bytes: int
