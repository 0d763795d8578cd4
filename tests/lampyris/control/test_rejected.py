"""Verbs about refused uploads."""

from datetime import UTC, datetime
from typing import Any

import pytest

from lampyris.control.call import Registry
from lampyris.domain.layout import NOWHERE
from lampyris.domain.manifest import Rejection
from lampyris.errors import InvalidName, RejectionNotFound
from lampyris.registry.documents import write_rejection


@pytest.fixture
def rejections(registry: Registry) -> list[Rejection]:
    found = [
        Rejection(
            model=model,
            upload=upload,
            code="not-onnx",
            detail="No.",
            rejected_at=datetime(2026, 1, 1, tzinfo=UTC),
        )
        for model, upload in ((NOWHERE, "a" * 32), ("ash", "u1"), ("ash", "u2"), ("birch", "u1"))
    ]
    for rejection in found:
        write_rejection(registry.store, rejection)
    return found


def test_refusals_are_paged_by_model_and_upload(run: Any, rejections: list[Rejection]) -> None:
    first = run("rejected list", limit=3)
    second = run("rejected list", limit=3, after=first.next)

    assert [*first.items, *second.items] == rejections
    assert second.next is None


def test_refusals_of_one_model_are_its_own(run: Any, rejections: list[Rejection]) -> None:
    assert list(run("rejected list", model="ash").items) == rejections[1:3]
    assert list(run("rejected list", model="ash", limit=1, after="ash/u1").items) == rejections[2:3]


def test_what_was_put_where_no_model_can_be_is_found(run: Any, rejections: list[Rejection]) -> None:
    assert list(run("rejected list", model=NOWHERE).items) == rejections[:1]
    assert run("rejected show", model=NOWHERE, upload="a" * 32) == rejections[0]


def test_refusal_is_shown(run: Any, rejections: list[Rejection]) -> None:
    assert run("rejected show", model="birch", upload="u1") == rejections[3]


def test_upload_that_was_not_refused_is_not_found(run: Any, rejections: list[Rejection]) -> None:
    with pytest.raises(RejectionNotFound, match="'u2' of model 'birch'"):
        run("rejected show", model="birch", upload="u2")


def test_model_is_named_by_the_grammar(run: Any) -> None:
    with pytest.raises(InvalidName):
        run("rejected list", model="..")
    with pytest.raises(InvalidName):
        run("rejected show", model="ash", upload="../u1")


def test_page_that_begins_nowhere_is_a_page_all_the_same(run: Any, rejections: list[Rejection]) -> None:
    assert list(run("rejected list", after="birch").items) == rejections[3:]
