import json

import pytest

from lampyris import bootstrap, errors
from lampyris.http.problems import PROBLEMS, problem_reply
from lampyris.publishing import confinement, signing

# What no caller of the predict function can meet: a refused upload is told in `rejected/`, a conflict is
# between writers, a function without its settings has no callers, and publish alone tries models.
ELSEWHERE = (
    errors.UploadRefused,
    errors.Conflict,
    bootstrap.MissingSettings,
    confinement.TrialFailed,
    signing.InvalidKey,
)


def leaves(root: type[errors.LampyrisError]) -> set[type[errors.LampyrisError]]:
    branches = [error for error in root.__subclasses__() if error.__module__.startswith("lampyris.")]
    return {leaf for branch in branches for leaf in leaves(branch)} if branches else {root}


@pytest.mark.parametrize("error", sorted(leaves(errors.LampyrisError), key=str))
def test_every_error_that_a_caller_can_meet_has_a_row(error: type[errors.LampyrisError]) -> None:
    assert error in PROBLEMS or issubclass(error, ELSEWHERE)


def test_codes_are_unique_and_fit_a_urn() -> None:
    codes = [error.code for error in leaves(errors.LampyrisError)]

    assert len(set(codes)) == len(codes)
    assert all(code == code.lower() and code.replace("-", "").isalpha() for code in codes)


@pytest.mark.parametrize(
    "error",
    [
        errors.StoreUnavailable(operation="get models/glow/aliases/live.json", cause="secret-bucket refused"),
        errors.ArtifactDamaged(digest="abc123", part=3),
        errors.InferenceFailed(model="glow", cause="/tmp/lampyris/abc/graph.onnx"),
        RuntimeError("/var/task/lampyris"),
    ],
)
def test_what_is_for_the_log_never_reaches_a_caller(error: Exception) -> None:
    body = str(problem_reply(error, "req-1").body)

    assert not any(secret in body for secret in ("secret-bucket", "abc123", "/tmp", "/var", "live.json"))
    assert json.loads(body)["request_id"] == "req-1"
