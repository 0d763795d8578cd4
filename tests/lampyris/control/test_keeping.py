"""Verbs about the registry as a whole."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from lampyris.adapters.object_store import memory_store
from lampyris.control.call import Caller, Registry
from lampyris.control.keeping import Collect, Erase, Restore, collect_all, erase_one, restore_all
from lampyris.control.verbs import VERBS
from lampyris.domain.layout import audit_key
from lampyris.errors import MalformedRequest, ModelNotFound, NoBackup
from lampyris.registry.blobs import put_blobs, release
from lampyris.registry.documents import list_models


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


def test_backup_is_restored_to_where_nothing_is(run: Any, publish: Any, registry: Registry) -> None:
    publish()

    copied = run("backup", by="eve")

    empty = msgspec.structs.replace(registry, store=memory_store())
    restored = restore_all(empty, Restore(), Caller(by="eve", key="k"))
    assert copied.done
    assert restored.done
    assert list_models(empty.store) == ["iris"]
    assert run("audit list").items[0].change.action == "backup"


@pytest.mark.parametrize("verb", ["backup", "restore"])
def test_where_no_place_for_backups_is_it_is_said_how_to_have_one(verb: str, registry: Registry) -> None:
    without = msgspec.structs.replace(registry, backups=None)
    (found,) = (one for one in VERBS if one.name == verb)

    with pytest.raises(NoBackup, match="BackupBucket"):
        found.run(without, found.arguments(), Caller(by="ann", key="k"))


def test_untouched_audit_is_found_in_order(run: Any, publish: Any) -> None:
    publish()

    verified = run("audit verify")

    assert (verified.entries, verified.findings, verified.done) == (2, (), True)


def test_altered_entry_is_found(run: Any, publish: Any, registry: Registry) -> None:
    publish()
    key = audit_key(1)
    registry.store.put(key, registry.store.get(key).data.replace(b"ann", b"eve"))

    assert any(finding.number == 1 for finding in run("audit verify").findings)
