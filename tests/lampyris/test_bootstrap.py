import pytest

from lampyris.bootstrap import MissingSettings, read_settings
from lampyris.errors import InvalidName


def test_what_is_missing_is_named() -> None:
    with pytest.raises(MissingSettings, match="LAMPYRIS_BUCKET"):
        read_settings({})


def test_expected_models_may_name_an_alias() -> None:
    settings = read_settings({"LAMPYRIS_BUCKET": "b", "LAMPYRIS_PRELOAD": "glow, moth@canary,"})

    assert settings.preload == (("glow", "live"), ("moth", "canary"))


def test_an_expected_model_with_an_impossible_name_is_refused_at_once() -> None:
    with pytest.raises(InvalidName):
        read_settings({"LAMPYRIS_BUCKET": "b", "LAMPYRIS_PRELOAD": "../glow"})


def test_the_s3_endpoint_wins_over_the_general_one() -> None:
    environ = {"LAMPYRIS_BUCKET": "b", "AWS_ENDPOINT_URL": "http://all", "AWS_ENDPOINT_URL_S3": "http://s3"}

    assert read_settings(environ).endpoint == "http://s3"
