"""What an uploader wants of an upload, in a file beside it."""

import hashlib
from collections.abc import Callable

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lampyris.adapters.memory_store import MemoryStore
from lampyris.domain.bundle import Instructions
from lampyris.domain.layout import INSTRUCTIONS_FILE, Upload
from lampyris.domain.manifest import Manifest, Rejection
from lampyris.errors import InvalidInstructions
from lampyris.publishing.inbox import read_instructions
from lampyris.registry.audit import read_entry
from lampyris.registry.documents import list_versions, read_alias, read_aliases

Files = dict[str, bytes]
Send = Callable[..., Upload]
Publish = Callable[..., Manifest | Rejection]
HOLD = {INSTRUCTIONS_FILE: b'{"release": "hold", "reason": "to be compared first"}'}


@pytest.fixture(params=["a bundle", "a bare model"])
def files(request: pytest.FixtureRequest, bundle: Files, mlp: Callable[..., onnx.ModelProto]) -> Files:
    return bundle if request.param == "a bundle" else {"model.onnx": mlp(4, 3).SerializeToString()}


def test_upload_on_hold_is_registered_and_not_live(
    store: MemoryStore, files: Files, send: Send, publish: Publish
) -> None:
    manifest = publish(send({**files, **HOLD}))

    assert isinstance(manifest, Manifest)
    assert not manifest.goes_live
    assert list_versions(store, "iris") == [1]
    assert read_aliases(store, "iris") == []


def test_upload_on_hold_is_so_however_often_it_is_delivered(
    store: MemoryStore, files: Files, send: Send, publish: Publish
) -> None:
    upload = send({**files, **HOLD})
    first = publish(upload)
    store.delete(upload.instructions_key)

    assert publish(upload) == first
    assert read_aliases(store, "iris") == []


def test_reason_is_told_in_the_manifest_the_alias_and_the_audit(
    store: MemoryStore, files: Files, send: Send, publish: Publish
) -> None:
    manifest = publish(send({**files, INSTRUCTIONS_FILE: b'{"reason": "better on petals"}'}), by="ada")

    entries = [read_entry(store, 1), read_entry(store, 2)]
    changes = [read_alias(store, "iris", "live")[0].change] + [entry.change for entry in entries if entry]
    assert isinstance(manifest, Manifest)
    for change in [manifest.published, *changes]:
        assert (change.by, change.reason) == ("ada", "better on petals")
    assert len(changes) == 3


def test_without_instructions_it_goes_live_and_names_its_upload(
    store: MemoryStore, files: Files, send: Send, publish: Publish
) -> None:
    manifest = publish(send(files))

    assert isinstance(manifest, Manifest)
    assert manifest.published.reason == "upload u1"
    assert read_alias(store, "iris", "live")[0].stable == manifest


def test_instructions_are_among_the_digests_of_what_was_uploaded(
    files: Files, send: Send, publish: Publish
) -> None:
    manifest = publish(send({**files, **HOLD}))

    assert isinstance(manifest, Manifest)
    digest = hashlib.sha256(HOLD[INSTRUCTIONS_FILE]).hexdigest()
    assert manifest.evidence.files[INSTRUCTIONS_FILE] == digest


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b"", "Input data was truncated"),
        (b"\xff", "malformed"),
        (b"[]", "Expected `object`"),
        (b'{"release": "later"}', "Invalid enum value 'later'"),
        (b'{"release": "hold", "resaon": "x"}', "unknown field `resaon`"),
        (b'{"reason": "' + 1001 * b"x" + b'"}', "length <= 1000"),
        (b" " * 10_001, "10,001 bytes; at most 10,000"),
        (b'{"reason": ' + b"[" * 9_000, "instructions.json cannot be followed"),
    ],
)
def test_instructions_that_cannot_be_followed_are_refused_with_an_example(
    store: MemoryStore, files: Files, send: Send, publish: Publish, document: bytes, why: str
) -> None:
    rejection = publish(send({**files, INSTRUCTIONS_FILE: document}))

    assert isinstance(rejection, Rejection)
    assert rejection.code == "invalid-instructions"
    assert why in rejection.detail
    assert list_versions(store, "iris") == []


def test_reason_is_written_down_as_one_line_that_no_terminal_obeys(
    files: Files, send: Send, publish: Publish
) -> None:
    manifest = publish(send({**files, INSTRUCTIONS_FILE: b'{"reason": "one\\ntwo \\u001b[31mred"}'}))

    assert isinstance(manifest, Manifest)
    assert manifest.published.reason == "one two \N{REPLACEMENT CHARACTER}[31mred"


@given(st.binary(max_size=60))
def test_noise_is_no_instructions(noise: bytes) -> None:
    try:
        assert isinstance(read_instructions(noise), Instructions)
    except InvalidInstructions:
        assert noise != b"{}"
