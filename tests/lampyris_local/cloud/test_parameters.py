from typing import Any

import pytest

from lampyris_local.cloud.intrinsics import TemplateError
from lampyris_local.cloud.parameters import parameter_values

DECLARED: dict[str, Any] = {
    "Architecture": {"Type": "String", "Default": "arm64", "AllowedValues": ["arm64", "x86_64"]},
    "Memory": {"Type": "Number", "Default": 512, "MinValue": 128, "MaxValue": 10240},
    "Quoted": {"Type": "Number", "Default": "2", "MinValue": "1", "MaxValue": "3"},
    "Models": {"Type": "CommaDelimitedList", "Default": "a, b"},
    "Names": {"Type": "String", "Default": "", "AllowedPattern": "[a-z]*"},
    "Word": {"Type": "String", "Default": "", "MaxLength": "4"},
}


def test_defaults_hold_where_nothing_overrides_them() -> None:
    values = parameter_values(DECLARED, {})

    assert values == {
        "Architecture": "arm64",
        "Memory": 512,
        "Quoted": 2,
        "Models": ["a", "b"],
        "Names": "",
        "Word": "",
    }


def test_overrides_are_read_by_their_type() -> None:
    values = parameter_values(DECLARED, {"Memory": "1769", "Models": "x,y,z", "Architecture": "x86_64"})

    assert values["Memory"] == 1769
    assert values["Models"] == ["x", "y", "z"]
    assert values["Architecture"] == "x86_64"


@pytest.mark.parametrize(
    ("overrides", "complaint"),
    [
        ({"Memroy": "1"}, "no parameter Memroy; did you mean Memory"),
        ({"Zebra": "1"}, "no parameter Zebra; it has Architecture, Memory"),
        ({"Architecture": "mips"}, "may be arm64, x86_64"),
        ({"Memory": "lots"}, "must be a number"),
        ({"Memory": "64"}, "between 128 and 10240"),
        ({"Quoted": "4"}, "between 1 and 3"),
        ({"Names": "A1"}, r"must match \[a-z\]\*"),
        ({"Word": "12345"}, "has 5 letters; it may have 4 at most"),
    ],
)
def test_wrong_override_is_refused(overrides: dict[str, str], complaint: str) -> None:
    with pytest.raises(TemplateError, match=complaint):
        parameter_values(DECLARED, overrides)


def test_parameter_without_default_needs_a_value() -> None:
    with pytest.raises(TemplateError, match="Email has no default"):
        parameter_values({"Email": {"Type": "String"}}, {})


def test_unknown_parameter_type_is_refused() -> None:
    with pytest.raises(TemplateError, match="knows String, Number and CommaDelimitedList"):
        parameter_values({"Image": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": "x"}}, {})
