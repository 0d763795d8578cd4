from typing import Any

import pytest

from lampyris_local.cloud.intrinsics import NO_VALUE, Intrinsics, TemplateError, load

VALUES = {
    "Stage": "prod",
    "Memory": 512,
    "Zones": ["a", "b", "c"],
    "Flag": True,
    "AWS::Region": "eu-west-1",
    "AWS::NoValue": NO_VALUE,
}
CONDITIONS = """
Resources: {}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
  IsTest: !Equals [!Ref Stage, test]
  NotProd: !Not [!Condition IsProd]
  Both: !And [!Condition IsProd, !Condition IsTest]
  Either: !Or [!Condition IsProd, !Condition IsTest]
  Strange: !Contains [a, b]
"""


@pytest.fixture
def intrinsics() -> Intrinsics:
    return Intrinsics(
        mappings={"Sizes": {"prod": {"memory": 2048}}},
        conditions=load(CONDITIONS)["Conditions"],
        ref=lambda name: VALUES[name],
        attribute=lambda resource, attribute: f"{resource}/{attribute}",
        finish=lambda made: made.replace("https://aws", "http://here"),
    )


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("!Ref Memory", 512),
        ("{Ref: Memory}", 512),
        ("!GetAtt Queue.Arn", "Queue/Arn"),
        ("!GetAtt Table.Stream.Arn", "Table/Stream.Arn"),
        ("{'Fn::GetAtt': [Queue, Arn]}", "Queue/Arn"),
        ("!Sub '${Stage}-${AWS::Region}-${Queue.Arn}'", "prod-eu-west-1-Queue/Arn"),
        ("!Sub ['${Stage}-${Own}', {Own: !Ref Memory}]", "prod-512"),
        ("!Sub '${!Literal} ${Flag}'", "${Literal} true"),
        ("!Sub 'https://aws/x'", "http://here/x"),
        ("!Join [',', [a, !Ref Stage]]", "a,prod"),
        ("!Join ['', ['https://', aws]]", "http://here"),
        ("!Select [1, !Ref Zones]", "b"),
        ("!Split ['|', 'x|y']", ["x", "y"]),
        ("!Select [0, !Split ['/', 'p/q']]", "p"),
        ("!FindInMap [Sizes, !Ref Stage, memory]", 2048),
        ("!If [IsProd, 1, 2]", 1),
        ("!If [IsTest, 1, 2]", 2),
        ("[1, !If [IsTest, 2, !Ref AWS::NoValue], 3]", [1, 3]),
        ("{a: 1, b: !Ref AWS::NoValue}", {"a": 1}),
        ("{deep: [{er: !Ref Stage}]}", {"deep": [{"er": "prod"}]}),
        ("2012-10-17", "2012-10-17"),
    ],
)
def test_function_resolves_to_its_value(intrinsics: Intrinsics, written: str, expected: Any) -> None:
    node = load(f"Resources: {{}}\nValue: {written}")["Value"]

    resolved = intrinsics.resolve(node)

    assert resolved == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [("IsProd", True), ("IsTest", False), ("NotProd", False), ("Both", False), ("Either", True)],
)
def test_condition_holds_or_not(intrinsics: Intrinsics, name: str, expected: bool) -> None:  # noqa: FBT001 - a table
    held = intrinsics.condition(name)

    assert held is expected


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("!ImportValue other", "does not know Fn::ImportValue; it knows Fn::FindInMap"),
        ("!Base64 text", "does not know Fn::Base64"),
        ("!Select [3, !Ref Zones]", "no item 3 among 3"),
        ("!FindInMap [Sizes, test, memory]", "no Sizes.test.memory"),
        ("!If [Absent, 1, 2]", "no condition Absent"),
        ("!If [Strange, 1, 2]", "does not know the condition Fn::Contains"),
        ("!If [IsProd, 1]", "Fn::If takes a list of 3"),
    ],
)
def test_what_cannot_be_resolved_is_told(intrinsics: Intrinsics, written: str, complaint: str) -> None:
    node = load(f"Resources: {{}}\nValue: {written}")["Value"]

    with pytest.raises(TemplateError, match=complaint):
        intrinsics.resolve(node)


@pytest.mark.parametrize("text", ["Outputs: {}", "[]", "Resources: 3"])
def test_template_without_resources_is_refused(text: str) -> None:
    with pytest.raises(TemplateError, match="no section Resources"):
        load(text)


def test_broken_yaml_is_told_with_its_place() -> None:
    with pytest.raises(TemplateError, match="line 2"):
        load("Resources: {\n]")
