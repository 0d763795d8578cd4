"""Versions side by side."""

from typing import Any

import pytest

from lampyris.control.comparison import Comparison
from lampyris.domain.manifest import Evidence, Gate
from lampyris.domain.signature import Signature, TensorSpec
from lampyris.errors import VersionNotFound


def rows(comparison: Comparison) -> dict[tuple[str, str], tuple[Any, ...]]:
    return {(row.group, row.name): row.values for row in comparison.rows}


def test_versions_stand_side_by_side_in_the_order_asked_for(run: Any, publish: Any) -> None:
    publish(
        evidence=Evidence(measured={"accuracy": 0.9, "latency_p99_ms": 3.0}),
        metrics={"int8": {"accuracy": 0.91}},
    )
    publish(evidence=Evidence(measured={"accuracy": 0.8}), licences=("MIT",))

    found = rows(run("versions compare", model="iris", versions=(2, 1)))

    assert found["measured", "accuracy"] == (0.8, 0.9)
    assert found["measured", "latency_p99_ms"] == (None, 3.0)
    assert found["metrics", "int8 accuracy"] == (None, 0.91)
    assert found["origin", "licences"] == ("MIT", None)


def test_signatures_that_differ_are_told(run: Any, publish: Any) -> None:
    publish()
    wider = TensorSpec(name="x", datatype="FP32", shape=(-1, 8))
    publish(signature=Signature(inputs=(wider,), outputs=(), labels=("dark", "lit")))

    comparison = run("versions compare", model="iris", versions=(1, 2))

    differing = {row.name: row.values for row in comparison.rows if row.group == "signature" and row.differs}
    assert differing == {
        "input x": ("FP32 [-1, 4]", "FP32 [-1, 8]"),
        "output p": ("FP32 [-1, 3]", None),
        "labels": (None, "dark, lit"),
    }


def test_gates_say_what_was_measured_and_where_the_limit_was(run: Any, publish: Any) -> None:
    failed = Gate(name="accuracy", limit=0.9, measured=0.8, passed=False)
    unknown = Gate(name="drop", limit=0.1, measured=None, passed=False)
    publish(evidence=Evidence(gates=(failed, unknown)))
    publish()

    found = rows(run("versions compare", model="iris", versions=(1, 2)))

    assert found["gates", "accuracy"] == ("failed: 0.8, limit 0.9", None)
    assert found["gates", "drop"] == ("failed: not measured, limit 0.1", None)


def test_what_is_equal_does_not_differ(run: Any, publish: Any) -> None:
    publish()
    publish()

    comparison = run("versions compare", model="iris", versions=(1, 2))

    assert {row.name for row in comparison.rows if row.differs} == {"digest", "upload"}


def test_version_that_is_not_there_is_named(run: Any, publish: Any) -> None:
    publish()

    with pytest.raises(VersionNotFound, match="no version 2"):
        run("versions compare", model="iris", versions=(1, 2))
