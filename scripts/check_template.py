"""Translate template.yaml as AWS does, and lint the outcome: cfn-lint does not expand the SAM transform."""

import json
import sys
from pathlib import Path
from typing import Any

import boto3
from cfnlint.api import ManualArgs, lint
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

TEMPLATE = Path(__file__).resolve().parent.parent / "template.yaml"
REGION = "eu-central-1"


def translate(template: str, parameters: dict[str, str]) -> dict[str, Any]:
    """Return the CloudFormation template that deploying the SAM template would create.

    Raises: samtranslator's InvalidDocumentException.
    """
    document = yaml_parse(template)
    for resource in document["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function" and "CodeUri" in resource["Properties"]:
            # Where `sam deploy` would have uploaded the code.
            resource["Properties"]["CodeUri"] = "s3://packages/function.zip"
    translator = Translator(
        managed_policy_map={}, sam_parser=Parser(), boto_session=boto3.Session(region_name=REGION)
    )
    translated: dict[str, Any] = translator.translate(document, parameters)
    return translated


def problems(translated: dict[str, Any]) -> list[str]:
    """List what cfn-lint finds wrong."""
    matches = lint(json.dumps(translated, indent=1), config=ManualArgs(regions=[REGION]))
    return [
        f"{match.rule.id} {match.message} (at {'/'.join(map(str, match.path or []))})" for match in matches
    ]


def main() -> int:
    failed = False
    architectures = yaml_parse(TEMPLATE.read_text())["Parameters"]["Architecture"]["AllowedValues"]
    for architecture in architectures:
        for problem in problems(translate(TEMPLATE.read_text(), {"Architecture": architecture})):
            print(f"template.yaml ({architecture}): {problem}")
            failed = True
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
