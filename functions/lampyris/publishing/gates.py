"""Hold what was measured against the gates that a recipe sets: may this version go live?"""

from collections.abc import Mapping

from lampyris.domain.bundle import Gates
from lampyris.domain.manifest import Gate
from lampyris.errors import GateFailed

# Accuracies are shares of a test set: 0.97 - 0.96 must not be more than 0.01 in the last binary digit.
_DIGITS = 9
# What each gate is about, how its figures are written, and their unit.
_WORDS = {
    "min_accuracy": ("the accuracy on the bundle's test set", ".4g", ""),
    "max_drop_fp32": ("the drop of accuracy against fp32", ".4g", ""),
    "max_drop_live": ("the drop of accuracy against the live version", ".4g", ""),
    "max_size_bytes": ("the size", ",.0f", " bytes"),
    "max_latency_p99_ms": ("the p99 latency", ".4g", " ms"),
    "max_cold_start_ms": ("the cold start", ".4g", " ms"),
}


def judge(gates: Gates, measured: Mapping[str, float], *, has_live: bool) -> tuple[Gate, ...]:
    """Return every gate that is set, with its verdict; `measured` is by the names of `Evidence`.

    A gate whose figure could not be measured fails. So does that of the live version, if there is one to
    compare with (`has_live`); where there is none, nothing can drop.
    """
    figures = {
        "min_accuracy": measured.get("accuracy"),
        "max_drop_fp32": _drop(measured, "accuracy_fp32"),
        "max_drop_live": _drop(measured, "accuracy_live"),
        "max_size_bytes": measured.get("size_bytes"),
        "max_latency_p99_ms": measured.get("latency_p99_ms"),
        "max_cold_start_ms": measured.get("cold_start_ms"),
    }
    limits = {name: getattr(gates, name) for name in figures}
    return tuple(
        Gate(
            name=name,
            limit=limit,
            measured=figures[name],
            passed=_keeps(name, limit, figures[name], has_live=has_live),
        )
        for name, limit in limits.items()
        if limit is not None
    )


def _drop(measured: Mapping[str, float], reference: str) -> float | None:
    if reference not in measured or "accuracy" not in measured:
        return None
    return round(measured[reference] - measured["accuracy"], _DIGITS)


def _keeps(name: str, limit: float, figure: float | None, *, has_live: bool) -> bool:
    if figure is None:
        return name == "max_drop_live" and not has_live
    return figure >= limit if name.startswith("min_") else figure <= limit


def failure(gates: tuple[Gate, ...]) -> GateFailed:
    """Say which gates failed, what was measured and what would have passed."""
    failed = "; ".join(_sentence(gate) for gate in gates if not gate.passed)
    return GateFailed(
        reason=f"Measured here, the version does not keep to its gates: {failed}. "
        "Improve the model, or change [gates] in its recipe, and publish again."
    )


def _sentence(gate: Gate) -> str:
    what, form, unit = _WORDS[gate.name]
    came = "could not be measured" if gate.measured is None else f"is {gate.measured:{form}}{unit}"
    bound = "at least" if gate.name.startswith("min_") else "at most"
    return f"{what} {came}, where {gate.name} asks for {bound} {gate.limit:{form}}{unit}"
