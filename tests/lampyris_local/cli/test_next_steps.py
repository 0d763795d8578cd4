import pytest

from lampyris import errors
from lampyris_local.cli.next_steps import hint_after
from lampyris_local.client import Refused


@pytest.mark.parametrize(
    ("error", "command"),
    [
        (errors.ModelNotFound(model="iris"), "models"),
        (errors.VersionNotFound(model="iris", version=3), "versions list iris"),
        (errors.VersionDeleted(model="iris", version=3), "audit --model iris"),
        (
            errors.VersionInUse(model="iris", version=3, alias="live", use="routes requests to"),
            "aliases list iris",
        ),
        (errors.VersionClosing(model="iris", version=3), "versions delete iris 3"),
        (errors.AliasNotFound(model="iris", alias="next"), "aliases list iris"),
        (errors.AliasChanged(model="iris", alias="next", etag="5"), "aliases show iris --alias next"),
        (errors.DocumentDamaged(digest="0"), "audit --verify"),
        (errors.NothingToPromote(model="iris", alias="next"), "aliases show iris --alias next"),
        (errors.NothingToRollBack(model="iris", alias="next"), "aliases history iris --alias next"),
    ],
)
def test_error_names_the_command_that_explains_it(
    error: errors.LampyrisError, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    hint_after(error)

    assert capsys.readouterr().err.endswith(f"lampyris {command}\n")


def test_refusal_of_the_api_names_the_command_that_helps(capsys: pytest.CaptureFixture[str]) -> None:
    hint_after(Refused(status=404, problem="input-not-found", detail="There is nothing at 'data/x.csv'."))

    assert capsys.readouterr().err.endswith("lampyris data put PATH\n")


def test_error_that_explains_itself_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    hint_after(errors.InvalidSplit(reason="No."))

    assert capsys.readouterr().err == ""
