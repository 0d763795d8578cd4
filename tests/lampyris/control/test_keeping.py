"""Verbs about the registry as a whole."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from lampyris.control.call import Caller, Registry
from lampyris.control.keeping import Collect, Erase, collect_all, erase_one
from lampyris.errors import MalformedRequest, ModelNotFound
from lampyris.registry.blobs import put_blobs, release


def test_garbage_is_collected_and_what_is_named_stays(run: Any, publish: Any, registry: Registry) -> None:
    manifest = publish()
    (orphan,) = put_blobs(registry.store, "nobody", [b"orphan"])
    release(registry.store, "nobody")
    later = msgspec.structs.replace(registry, now=lambda: registry.now() + timedelta(days=10_000))

    collected = collect_all(later, Collect(), Caller(by="ann", key="k"))

    assert (collected.blobs, collected.done) == (1, True)
    kept = {entry.key for entry in registry.store.list("blobs/sha256/")}
    assert kept == {f"blobs/sha256/{manifest.artifact.graph.digest}"}
    assert orphan.digest not in str(kept)


def test_collecting_has_an_entry_in_the_audit(run: Any) -> None:
    run("gc", by="eve", reason="tidy")

    (entry,) = run("audit list").items
    assert (entry.change.action, entry.change.by, entry.change.reason) == ("gc", "eve", "tidy")


def test_erased_model_is_gone_and_keeps_its_numbers(run: Any, publish: Any) -> None:
    publish()
    publish(model="ash")

    erased = run("erase", model="iris", confirm="iris")

    assert (erased.versions, erased.done) == (1, True)
    assert run("versions list", model="iris").items[0].upload is None
    assert publish().version == 2
    assert run("versions show", model="ash", version=1).model == "ash"


def test_model_is_not_erased_unless_it_is_named_twice(run: Any, publish: Any) -> None:
    publish()

    with pytest.raises(MalformedRequest, match="confirm is 'ash'"):
        run("erase", model="iris", confirm="ash")

    assert run("models show", model="iris").newest == 1


def test_model_that_is_not_there_is_not_erased(run: Any) -> None:
    with pytest.raises(ModelNotFound):
        run("erase", model="iris", confirm="iris")


def test_verb_without_time_left_says_so_and_goes_on_when_asked_again(
    publish: Any, registry: Registry
) -> None:
    publish()
    hurried = msgspec.structs.replace(registry, may_go_on=lambda: False)
    asked, caller = Erase(model="iris", confirm="iris"), Caller(by="ann", key="k")

    first = erase_one(hurried, asked, caller)
    second = erase_one(registry, asked, caller)

    assert not first.done
    assert second.done
    assert erase_one(registry, asked, caller) == second
