"""The control function as Lambda starts it: lean, and able to sign with what its environment holds."""

import json
import os
import subprocess
import sys
from typing import Any

ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "AWS_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "ASIATEST",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "token",
    "LAMPYRIS_BUCKET": "registry",
    "LAMPYRIS_PREDICT_MEMORY_MB": "1024",
}
UNWANTED = {"boto3", "numpy", "onnxruntime", "pydantic", "aws_lambda_powertools"}


def run(code: str) -> Any:
    """Run code in a fresh interpreter; it prints one JSON document as its last line."""
    done = subprocess.run(
        [sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


ASK = """
import json, sys
from lampyris.handlers.control import handler
class Context:
    aws_request_id = "req-1"
    def get_remaining_time_in_millis(self): return 10_000
event = {"rawPath": "PATH", "headers": {}, "requestContext": {"http": {"method": "METHOD"}}}
response = handler(event, Context())
print(json.dumps({"response": response, "loaded": sorted(sys.modules)}))
"""


def ask(method: str, path: str) -> Any:
    return run(ASK.replace("METHOD", method).replace("PATH", path))


def test_upload_is_signed_by_the_functions_role_and_needs_no_prediction_library() -> None:
    answer = ask("POST", "/uploads")

    document = json.loads(answer["response"]["body"])
    assert answer["response"]["statusCode"] == 201
    assert document["url"].startswith(
        f"https://s3.eu-central-1.amazonaws.com/registry/uploads/{document['upload']}?"
    )
    assert "X-Amz-Security-Token=token" in document["url"]
    assert "X-Amz-Expires=900" in document["url"]
    assert document["limit_bytes"] == 128 * 2**20
    assert not UNWANTED.intersection(answer["loaded"])


def test_question_to_the_registry_needs_no_prediction_library_and_no_boto3() -> None:
    answer = ask("GET", "/models/Iris")

    assert json.loads(answer["response"]["body"])["code"] == "invalid-name"
    assert not UNWANTED.intersection(answer["loaded"])
