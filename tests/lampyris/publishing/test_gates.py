"""Which measurements keep to which gates, and what is said of those that do not."""

import re

import msgspec
import pytest

from lampyris.domain.bundle import Gates
from lampyris.domain.layout import BUNDLE_FILE
from lampyris.domain.manifest import Gate
from lampyris.errors import CorruptBundle
from lampyris.publishing.gates import failure, judge
from lampyris.publishing.inbox import read_bundle

ALL = Gates(
    min_accuracy=0.97,
    max_drop_fp32=0.01,
    max_drop_live=0.01,
    max_size_bytes=1_000_000,
    max_latency_p99_ms=5,
    max_cold_start_ms=400,
)
GOOD = {
    "accuracy": 0.98,
    "samples": 1000.0,
    "accuracy_fp32": 0.975,
    "accuracy_live": 0.97,
    "size_bytes": 300_000.0,
    "latency_p50_ms": 0.4,
    "latency_p99_ms": 0.9,
    "cold_start_ms": 210.0,
}
NAMES = [name for name in msgspec.structs.asdict(ALL) if name != "on_failure"]


def failed(gates: tuple[Gate, ...]) -> list[str]:
    return [gate.name for gate in gates if not gate.passed]


def test_good_version_passes_every_gate_that_is_set() -> None:
    gates = judge(ALL, GOOD, has_live=True)

    assert [gate.name for gate in gates] == NAMES
    assert failed(gates) == []


def test_gates_that_are_not_set_are_not_judged() -> None:
    assert judge(Gates(), GOOD, has_live=True) == ()
    assert [gate.name for gate in judge(Gates(max_size_bytes=1), GOOD, has_live=True)] == ["max_size_bytes"]


@pytest.mark.parametrize(
    ("figure", "value", "gate", "measured"),
    [
        ("accuracy", 0.9699, "min_accuracy", 0.9699),
        ("accuracy_fp32", 0.991, "max_drop_fp32", 0.011),
        ("accuracy_live", 0.991, "max_drop_live", 0.011),
        ("size_bytes", 1_000_001.0, "max_size_bytes", 1_000_001.0),
        ("latency_p99_ms", 5.1, "max_latency_p99_ms", 5.1),
        ("cold_start_ms", 401.0, "max_cold_start_ms", 401.0),
    ],
)
def test_figure_beyond_its_limit_fails_its_gate_alone(
    figure: str, value: float, gate: str, measured: float
) -> None:
    gates = judge(ALL, {**GOOD, figure: value}, has_live=True)

    assert failed(gates) == [gate]
    assert {one.name: one.measured for one in gates}[gate] == pytest.approx(measured, abs=1e-12)


def test_figure_at_its_limit_passes() -> None:
    at_the_limit = {
        "accuracy": 0.97,
        "accuracy_fp32": 0.98,  # in binary, 0.98 - 0.97 is more than 0.01
        "accuracy_live": 0.98,
        "size_bytes": 1_000_000.0,
        "latency_p99_ms": 5.0,
        "cold_start_ms": 400.0,
    }

    assert failed(judge(ALL, at_the_limit, has_live=True)) == []


def test_gate_whose_figure_could_not_be_measured_fails() -> None:
    gates = judge(ALL, {}, has_live=True)

    assert failed(gates) == NAMES
    assert {gate.measured for gate in gates} == {None}


def test_where_nothing_is_live_nothing_can_drop() -> None:
    alone = {name: value for name, value in GOOD.items() if name != "accuracy_live"}

    assert failed(judge(ALL, alone, has_live=False)) == []
    assert failed(judge(ALL, alone, has_live=True)) == ["max_drop_live"]


def test_better_than_live_can_be_demanded() -> None:
    gates = Gates(max_drop_live=-0.005)

    assert failed(judge(gates, GOOD, has_live=True)) == []
    assert failed(judge(gates, {**GOOD, "accuracy_live": 0.979}, has_live=True)) == ["max_drop_live"]


@pytest.mark.parametrize(
    ("gates", "reason"),
    [
        ({"min_acuracy": 0.9}, "unknown field `min_acuracy` - at `$.gates`"),
        ({"min_accuracy": 97}, r"Expected `float` <= 1.0 - at `$.gates.min_accuracy`"),
        ({"max_size_bytes": 0}, r"Expected `int` >= 1 - at `$.gates.max_size_bytes`"),
        ({"on_failure": "ignore"}, "Invalid enum value 'ignore' - at `$.gates.on_failure`"),
    ],
)
def test_gate_that_there_is_not_makes_a_bundle_unreadable(
    bundle: dict[str, bytes], gates: dict[str, object], reason: str
) -> None:
    document = msgspec.json.decode(bundle[BUNDLE_FILE])

    with pytest.raises(CorruptBundle, match=re.escape(reason)):
        read_bundle(msgspec.json.encode({**document, "gates": gates}))


def test_failure_names_every_gate_that_failed_what_came_and_what_would_have_passed() -> None:
    measured = {**GOOD, "accuracy": 0.512, "size_bytes": 2_000_000.0}
    del measured["cold_start_ms"]

    error = failure(judge(msgspec.structs.replace(ALL, max_drop_fp32=None), measured, has_live=False))

    assert error.code == "gate-failed"
    assert str(error) == (
        "Measured here, the version does not keep to its gates: "
        "the accuracy on the bundle's test set is 0.512, where min_accuracy asks for at least 0.97; "
        "the drop of accuracy against the live version is 0.458, where max_drop_live asks for at most 0.01; "
        "the size is 2,000,000 bytes, where max_size_bytes asks for at most 1,000,000 bytes; "
        "the cold start could not be measured, where max_cold_start_ms asks for at most 400 ms. "
        "Improve the model, or change [gates] in its recipe, and publish again."
    )
