"""Uploads that S3's events announce, as SQS hands them over."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lampyris.domain.layout import NOWHERE, misplaced_upload, rejected_prefix
from lampyris.handlers.publish import App
from lampyris.publishing.confinement import Accepted
from lampyris.registry.documents import (
    list_models,
    list_versions,
    read_aliases,
    read_rejection,
    read_version,
)

Drop = Callable[..., str]
Record = Callable[..., dict[str, Any]]
Deliver = Callable[..., list[int]]


def test_upload_that_an_event_announces_is_published(app: App, drop: Drop, deliver: Deliver) -> None:
    key = drop("iris", "u1")

    assert deliver([key]) == []
    assert list_versions(app.store, "iris") == [1]


def test_key_with_spaces_and_signs_is_read_as_s3_encodes_it(
    app: App, drop: Drop, record: Record, deliver: Deliver
) -> None:
    key = drop("iris", "u1", file="Mein Modell +1 (ä) 100%.onnx")

    deliver([key])

    assert "+Modell+%2B1" in record(key)["s3"]["object"]["key"]
    assert list_versions(app.store, "iris") == [1]


def test_every_record_of_every_message_is_handled(app: App, drop: Drop, deliver: Deliver) -> None:
    iris, rose, lily = drop("iris", "u1"), drop("rose", "u1"), drop("lily", "u1")

    deliver([iris, rose], [lily])

    assert list_models(app.store) == ["iris", "lily", "rose"]


def test_version_names_who_put_its_upload_into_the_inbox(app: App, drop: Drop, deliver: Deliver) -> None:
    deliver([drop("iris", "u1")])

    assert read_version(app.store, "iris", 1).published.by == "AWS:AROAEXAMPLE:ada"


@pytest.mark.parametrize("principal", ["", "x" * 10_000, "AWS:\x1b[31mada"])
def test_principal_of_any_kind_is_written_down_fit_to_print(
    app: App, drop: Drop, record: Record, deliver: Deliver, principal: str
) -> None:
    told = record(drop("iris", "u1")) | {"userIdentity": {"principalId": principal}}

    assert deliver([told]) == []
    by = read_version(app.store, "iris", 1).published.by
    assert by.isprintable()
    assert 0 < len(by) <= 256


@pytest.mark.parametrize(
    ("key", "event"),
    [
        ("inbox/iris/u1/files/model.onnx", "ObjectCreated:Put"),
        ("inbox/iris/u1/model.onnx", "ObjectRemoved:Delete"),
    ],
)
def test_event_that_completes_no_upload_is_done_at_once(
    app: App, record: Record, deliver: Deliver, capsys: pytest.CaptureFixture[str], key: str, event: str
) -> None:
    assert deliver([record(key, event=event)]) == []
    assert list(app.store.list("models/")) == []
    assert list(app.store.list("rejected/")) == []
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "body",
    ['{"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "registry"}', '{"Records": []}'],
)
def test_message_that_is_about_nothing_is_done_at_once(deliver: Deliver, body: str) -> None:
    assert deliver(body) == []


def test_refused_upload_is_done_and_leaves_its_reason(app: App, drop: Drop, deliver: Deliver) -> None:
    key = drop("iris", "u1", data=b"\x80pickle")

    assert deliver([key]) == []
    rejection = read_rejection(app.store, "iris", "u1")
    assert rejection is not None
    assert rejection.code == "not-onnx"


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("inbox/Iris/u1/model.onnx", "'Iris' cannot be the name of a model: use 1 to 63 lower-case letters"),
        ("inbox/iris/U 1/bundle.json", "'U 1' cannot be the name of an upload"),
        (f"inbox/{64 * 'a'}/u1/model.onnx", "cannot be the name of a model: use 1 to 63"),
        ("inbox/model.onnx", "put it at inbox/{model}/{upload}/model.onnx"),
        ("inbox/iris/u1/deep/model.onnx", "put it at inbox/{model}/{upload}/model.onnx"),
        ("inbox/../u1/model.onnx", "'..' cannot be the name of a model"),
        ("inbox/iris/u1/\x1b[31m.onnx", "leave out its control characters"),
    ],
)
def test_upload_whose_place_is_none_is_refused_under_no_models_name(
    app: App, deliver: Deliver, capsys: pytest.CaptureFixture[str], key: str, why: str
) -> None:
    assert deliver([key]) == []

    rejection = read_rejection(app.store, NOWHERE, misplaced_upload(key))
    assert rejection is not None
    assert rejection.code == "invalid-name"
    assert why in rejection.detail
    assert rejection.detail.isprintable()
    assert list_models(app.store) == []
    line = json.loads(capsys.readouterr().out)
    assert (line["Refused"], line["upload"], line["code"]) == ([1.0], rejection.upload, "invalid-name")


def test_refusal_of_a_place_delivered_again_stays_as_it_was(app: App, deliver: Deliver) -> None:
    key = "inbox/Iris/u1/model.onnx"
    deliver([key])
    (before,) = app.store.list(rejected_prefix(NOWHERE))

    deliver([key])

    assert list(app.store.list(rejected_prefix(NOWHERE))) == [before]


def test_key_that_is_not_text_is_refused_under_no_models_name(
    app: App, record: Record, deliver: Deliver
) -> None:
    encoded = "inbox/iris/u1/%FF.onnx"

    assert deliver([record(encoded=encoded)]) == []
    rejection = read_rejection(app.store, NOWHERE, misplaced_upload(encoded))
    assert rejection is not None
    assert "use UTF-8" in rejection.detail


def test_message_that_fails_comes_again_and_the_others_do_not(
    app: App, log: io.StringIO, drop: Drop, deliver: Deliver
) -> None:
    good, broken = drop("iris", "u1"), drop("rose", "u1")

    def break_for_rose(folder: Path) -> Accepted:
        if list_versions(app.store, "iris"):
            raise OSError("No space left on device")
        return app.trial(folder)

    first = deliver([good], [broken], to=replace(app, trial=break_for_rose))
    second = deliver([broken])

    assert first == [2]
    assert "No space left on device" in log.getvalue()
    assert second == []
    assert list_versions(app.store, "rose") == [1]


@pytest.mark.parametrize("body", ["", "not JSON", "[]", '{"Records": [{"eventName": "ObjectCreated:Put"}]}'])
def test_message_that_s3_did_not_write_fails_alone(app: App, drop: Drop, deliver: Deliver, body: str) -> None:
    key = drop("iris", "u1")

    assert deliver(body, [key]) == [1]
    assert list_versions(app.store, "iris") == [1]


def test_line_of_an_upload_holds_its_metrics_and_its_name(
    drop: Drop, deliver: Deliver, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = drop("iris", "u1"), drop("iris", "u2", data=b"\x80secret")

    deliver([good], [bad])

    output = capsys.readouterr().out
    published, refused = (json.loads(line) for line in output.splitlines())
    assert published["Published"] == [1.0]
    assert (published["model"], published["upload"], published["version"]) == ("iris", "u1", 1)
    assert refused["Refused"] == [1.0]
    assert (refused["model"], refused["upload"], refused["code"]) == ("iris", "u2", "not-onnx")
    assert published["_aws"]["CloudWatchMetrics"][0]["Dimensions"] == [["service"]]
    assert "secret" not in output


def test_upload_on_hold_is_told_as_held(
    app: App, drop: Drop, deliver: Deliver, capsys: pytest.CaptureFixture[str]
) -> None:
    key = drop("iris", "u1")
    app.store.put("inbox/iris/u1/instructions.json", b'{"release": "hold"}')

    deliver([key])

    line = json.loads(capsys.readouterr().out)
    assert (line["Held"], line["version"]) == ([1.0], 1)
    assert read_aliases(app.store, "iris") == []
