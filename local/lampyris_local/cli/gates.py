"""How gates look: what a version must keep, beside what was measured."""

from rich.table import Table
from rich.text import Text

from lampyris.domain.manifest import Gate
from lampyris_local.cli.output import figure, new_table


def gates_table(gates: tuple[Gate, ...]) -> Table:
    """Set what was measured against what a version must keep."""
    table = new_table("gate", "limit", "measured", "", numbers=("limit", "measured"))
    for gate in gates:
        mark = ("✓", "good") if gate.passed else ("✗", "bad")
        table.add_row(gate.name, figure(gate.name, gate.limit), figure(gate.name, gate.measured), Text(*mark))
    return table
