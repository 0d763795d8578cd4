import pytest

from lampyris.jobs.prices import architecture_of, rate_usd_per_ms


def test_an_hour_of_a_gigabyte_costs_what_the_table_says() -> None:
    assert rate_usd_per_ms(1024, "arm64") * 3_600_000 == pytest.approx(0.0000133334 * 3600)
    assert rate_usd_per_ms(2048, "x86_64") * 1000 == pytest.approx(2 * 0.0000166667)


@pytest.mark.parametrize(
    ("machine", "architecture"), [("aarch64", "arm64"), ("arm64", "arm64"), ("x86_64", "x86_64")]
)
def test_machines_are_priced_by_their_architecture(machine: str, architecture: str) -> None:
    assert architecture_of(machine) == architecture
