"""Keys in the bucket, and back."""

from string import ascii_lowercase, digits

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lampyris.domain.layout import (
    BUNDLE_FILE,
    Upload,
    alias_key,
    aliases_prefix,
    artifact_of_wish,
    blob_key,
    rejected_key,
    rejected_prefix,
    tuned_key,
    version_key,
    version_of_key,
    versions_prefix,
    wish_key,
)
from lampyris.errors import InvalidName

ENDS = st.sampled_from(ascii_lowercase + digits)
NAMES = ENDS | st.builds("{}{}{}".format, ENDS, st.text(ascii_lowercase + digits + "_-", max_size=61), ENDS)
SHA256 = st.text("0123456789abcdef", min_size=64, max_size=64)
ONNX_FILES = st.builds("{}.onnx".format, st.text(ascii_lowercase + digits + "_.+ -", max_size=20))


@given(model=NAMES, upload=NAMES, file=st.just(BUNDLE_FILE) | ONNX_FILES)
def test_upload_is_read_back_from_its_key(model: str, upload: str, file: str) -> None:
    place = Upload(model=model, upload=upload, file=file)

    assert Upload.from_key(place.key) == place


@given(model=NAMES, version=st.integers(1, 10**9 - 1))
def test_version_is_read_back_from_its_key(model: str, version: int) -> None:
    key = version_key(model, version)

    assert version_of_key(key) == version
    assert key.startswith(versions_prefix(model))


@pytest.mark.parametrize("stray", ["notes.txt", "0.json", "01.json", "-1.json", "1.json.bak", "deep/1.json"])
def test_stray_object_beside_versions_is_none(stray: str) -> None:
    assert version_of_key(versions_prefix("iris") + stray) is None


@given(
    artifact=SHA256 | st.builds("{}-{}".format, SHA256, SHA256), cpu=SHA256.map(lambda digits: digits[:32])
)
def test_artifact_is_read_back_from_the_key_of_a_wish(artifact: str, cpu: str) -> None:
    assert artifact_of_wish(wish_key(artifact, cpu)) == artifact


@pytest.mark.parametrize(
    "key", ["", "tuning/", f"tuning/{'A' * 64}/{'0' * 32}.json", f"tuned/{'a' * 64}/{'0' * 32}.json"]
)
def test_key_that_is_no_wish_is_refused(key: str) -> None:
    with pytest.raises(InvalidName, match=r"tuning/\{artifact\}/\{cpu\}\.json"):
        artifact_of_wish(key)


def test_every_kind_of_document_has_its_place() -> None:
    assert blob_key("abc") == "blobs/sha256/abc"
    assert version_key("iris", 3) == "models/iris/versions/3.json"
    assert alias_key("iris", "live") == "models/iris/aliases/live.json"
    assert rejected_key("iris", "u1") == "rejected/iris/u1.json"
    assert tuned_key("abc", "def") == "tuned/abc/def.json"
    assert alias_key("iris", "live").startswith(aliases_prefix("iris"))
    assert rejected_key("iris", "u1").startswith(rejected_prefix("iris"))


def test_bundle_is_complete_with_its_document() -> None:
    upload = Upload.from_key("inbox/iris/u1/bundle.json")

    assert upload is not None
    assert upload.is_bundle
    assert upload.file_key("model.onnx") == "inbox/iris/u1/files/model.onnx"
    assert upload.file_key("model.onnx").startswith(upload.prefix)


def test_bare_model_is_not_a_bundle() -> None:
    upload = Upload.from_key("inbox/iris/u1/My Model (2).onnx")

    assert upload == Upload(model="iris", upload="u1", file="My Model (2).onnx")
    assert not upload.is_bundle


@pytest.mark.parametrize(
    "key",
    [
        "inbox/iris/u1/files/model.onnx",
        "inbox/iris/u1/files/bundle.json",
        "inbox/iris/u1/files/deep/model.onnx",
        "inbox/iris/u1/notes.txt",
        "inbox/iris/u1/",
        "models/iris/u1/model.onnx",
        "inbox",
        "",
    ],
)
def test_key_that_completes_nothing_is_no_upload(key: str) -> None:
    assert Upload.from_key(key) is None


@pytest.mark.parametrize(
    "key",
    [
        "inbox/Iris/u1/model.onnx",
        "inbox/iris/../bundle.json",
        "inbox//u1/model.onnx",
        "inbox/iris/U 1/m.onnx",
        "inbox/iris/u1/m\x1b[31m.onnx",
        f"inbox/{64 * 'a'}/u1/model.onnx",
    ],
)
def test_upload_named_against_the_grammar_is_refused(key: str) -> None:
    with pytest.raises(InvalidName):
        Upload.from_key(key)


@pytest.mark.parametrize(
    ("key", "place"),
    [
        ("inbox/model.onnx", r"inbox/\{model\}/\{upload\}/model\.onnx"),
        ("inbox/iris/model.onnx", r"inbox/\{model\}/\{upload\}/model\.onnx"),
        ("inbox/iris/bundle.json", r"inbox/\{model\}/\{upload\}/bundle\.json"),
        ("inbox/iris/u1/deep/model.onnx", r"inbox/\{model\}/\{upload\}/model\.onnx"),
    ],
)
def test_model_dropped_at_the_wrong_depth_is_told_where_it_belongs(key: str, place: str) -> None:
    with pytest.raises(InvalidName, match=place):
        Upload.from_key(key)
