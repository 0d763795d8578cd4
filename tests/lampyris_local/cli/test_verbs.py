"""Every verb of the registry as a command, on a folder with versions that nobody had to try."""

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from lampyris.adapters.folder_store import FolderStore
from lampyris.control.verbs import VERBS, Verb
from lampyris.domain.manifest import Artifact, Change, Evidence, Gate, Manifest, Rejection
from lampyris.domain.signature import Signature, TensorSpec
from lampyris.registry.blobs import put_blobs, release
from lampyris.registry.documents import write_rejection
from lampyris.registry.versions import commit_version
from lampyris_local.cli.commands import app

Run = Callable[..., Result]

NOW = datetime(2026, 5, 1, 12, 30, tzinfo=UTC)
SPEC = TensorSpec(name="x", datatype="FP32", shape=(-1, 4))
# Where the words of a command are not those of its verb.
COMMANDS = {
    "models list": ["models"],
    "models show": ["models"],
    "versions bill-of-materials": ["versions", "bom"],
    "aliases shadow-differences": ["aliases", "differences"],
    "rejected list": ["rejected"],
    "rejected show": ["rejected"],
    "jobs submit": ["jobs", "submit", "train"],
    "audit list": ["audit"],
    "audit verify": ["audit"],
}


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    """A registry of two versions of iris; the second fails a gate, and is a little better."""
    store = FolderStore(tmp_path / "registry")
    for number in (1, 2):
        graph, materials = put_blobs(
            store, "iris/made", [b"graph %d" % number, b'{"bomFormat": "CycloneDX"}']
        )
        draft = Manifest(
            model="iris",
            version=0,
            created_at=NOW,
            upload=f"u{number}",
            source="0",
            signature=Signature(inputs=(SPEC,), outputs=(SPEC,)),
            artifact=Artifact(graph=graph, weights=None, onnxruntime="1.31.1"),
            published=Change(
                id=f"u{number}", action="publish", by="ann@lab", reason="more data", at=NOW, audited=0
            ),
            licences=("MIT",),
            evidence=Evidence(
                measured={"accuracy": 0.9 + number / 100, "latency_p99_ms": 0.25},
                gates=(
                    Gate(name="min_accuracy", limit=0.915, measured=0.9 + number / 100, passed=number == 2),
                ),
                bill_of_materials=materials,
            ),
        )
        commit_version(store, draft, None)
        release(store, "iris/made")
    return store


@pytest.fixture
def run(tmp_path: Path, store: FolderStore) -> Run:
    endpoint = (tmp_path / "registry").as_uri()

    def run(*arguments: object) -> Result:
        runner = CliRunner(env={"LAMPYRIS_ENDPOINT": endpoint})
        return runner.invoke(app, [str(each) for each in arguments])

    return run


@pytest.mark.parametrize("verb", [verb.name for verb in VERBS])
def test_every_verb_has_a_command(verb: str) -> None:
    result = CliRunner().invoke(app, [*COMMANDS.get(verb, verb.split()), "--help"])

    assert result.exit_code == 0
    assert "Example:" in result.stdout


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb.changes], ids=lambda verb: verb.name)
def test_every_change_takes_an_idempotency_key_and_one_of_the_registry_a_reason(verb: Verb) -> None:
    result = CliRunner().invoke(app, [*COMMANDS.get(verb.name, verb.name.split()), "--help"])

    assert "--idempotency-key" in result.stdout
    assert verb.deployed or "--reason" in result.stdout


@pytest.mark.parametrize("verb", [verb.name for verb in VERBS if verb.destructive])
def test_nothing_is_destroyed_unasked_in_a_pipe(run: Run, verb: str) -> None:
    arguments = {
        "versions delete": ("iris", 2),
        "erase": ("iris",),
        "restore": ("nowhere",),
        "jobs purge": ("0" * 32,),
    }.get(verb, ())

    result = run(*COMMANDS.get(verb, verb.split()), *arguments)

    assert result.exit_code == 1
    assert "add --yes" in result.stderr
    assert "[not-confirmed]" in result.stderr


def test_versions_are_listed_the_newest_first_with_what_they_fail(run: Run) -> None:
    rows = run("versions", "list", "iris").stdout.splitlines()[1:]

    assert [row.split()[0] for row in rows] == ["2", "1"]
    assert "fails 1 gate" in rows[1]


def test_list_tells_where_it_goes_on(run: Run) -> None:
    first = run("versions", "list", "iris", "--limit", 1)
    second = run("versions", "list", "iris", "--limit", 1, "--after", 2, "--json")

    assert "--after 2" in first.stderr
    assert [version["version"] for version in json.loads(second.stdout)["items"]] == [1]


def test_version_shows_what_was_measured_and_its_gates(run: Run) -> None:
    shown = run("versions", "show", "iris", 1).stdout

    assert "accuracy        91.00 %" in shown
    assert "min_accuracy  91.50 %   91.00 %  ✗" in shown


def test_comparison_shows_what_differs_and_all_if_asked(run: Run) -> None:
    brief = run("versions", "compare", "iris", 1, 2)
    whole = run("versions", "compare", "iris", 1, 2, "--all")

    assert "91.00 %" in brief.stdout
    assert "licences" not in brief.stdout
    assert "facts are the same" in brief.stderr
    assert "licences" in whole.stdout


def test_one_version_is_nothing_to_compare(run: Run) -> None:
    assert run("versions", "compare", "iris", 1).exit_code == 2


def test_model_card_is_markdown_or_a_web_page(run: Run, tmp_path: Path) -> None:
    printed = run("versions", "card", "iris", 1)
    written = run("versions", "card", "iris", 1, "--html", tmp_path / "card.html")

    assert printed.stdout.startswith("# ")
    assert "iris" in printed.stdout
    assert "Wrote" in written.stderr
    assert "<html" in (tmp_path / "card.html").read_text()


def test_model_card_is_one_json_document_beside_its_web_page(run: Run, tmp_path: Path) -> None:
    result = run("versions", "card", "iris", 1, "--html", tmp_path / "card.html", "--json")

    assert json.loads(result.stdout)["html"] == (tmp_path / "card.html").read_text()


def test_model_card_that_cannot_be_written_is_named(run: Run, tmp_path: Path) -> None:
    result = run("versions", "card", "iris", 1, "--html", tmp_path / "absent" / "card.html")

    assert result.exit_code == 1
    assert "[unwritable-file]" in result.stderr


def test_bill_of_materials_is_printed_as_it_is(run: Run) -> None:
    assert json.loads(run("versions", "bom", "iris", 1).stdout) == {"bomFormat": "CycloneDX"}


def test_deleted_version_says_so_and_keeps_its_number(run: Run) -> None:
    result = run("versions", "delete", "iris", 2, "--yes", "--reason", "wrong data")

    assert "no other version gets its number" in result.stdout
    assert "deleted" in run("versions", "list", "iris").stdout
    assert run("versions", "show", "iris", 2).exit_code == 1


def test_version_that_an_alias_names_is_not_deleted(run: Run) -> None:
    run("aliases", "set", "iris", 1)

    result = run("versions", "delete", "iris", 1, "--yes")

    assert result.exit_code == 1
    assert "Point the alias elsewhere first" in result.stderr
    assert "[version-in-use]" in result.stderr


def test_canary_is_split_promoted_and_rolled_back(run: Run) -> None:
    run("aliases", "set", "iris", 1)

    split = run("aliases", "split", "iris", "1=90", "2=10", "--reason", "try it")
    promoted = run("aliases", "promote", "iris")
    back = run("aliases", "rollback", "iris", "--reason", "worse on roses", "--json")

    assert "iris@live goes to version 1 (90 %), 2 (10 %) (revision 2)." in split.stdout
    assert "aliases promote iris" in split.stderr
    assert "iris@live goes to version 2 (revision 3)." in promoted.stdout
    assert "aliases rollback iris" in promoted.stderr
    assert json.loads(back.stdout)["routes"] == [{"version": 1, "weight": 100}]


def test_history_marks_what_is_now_and_what_a_rollback_restores(run: Run) -> None:
    run("aliases", "set", "iris", 1)
    run("aliases", "set", "iris", 2)

    head, now, before = run("aliases", "history", "iris").stdout.splitlines()

    assert head.split()[:2] == ["revision", "versions"]
    assert now.split()[:4] == ["2", "now", "2", "set"]
    assert before.split()[:4] == ["1", "rollback", "1", "set"]


def test_shadow_comes_and_goes(run: Run) -> None:
    run("aliases", "set", "iris", 1)

    on = run("aliases", "shadow", "iris", 2, "--percent", 20)
    off = run("aliases", "shadow", "iris", "--off", "--json")

    assert "goes to version 1, shadow 2 (20 %)" in on.stdout
    assert "aliases shadow iris --off" in on.stderr
    assert json.loads(off.stdout)["shadow"] is None


def test_shadow_needs_a_version_or_its_end(run: Run) -> None:
    assert run("aliases", "shadow", "iris").exit_code == 2
    assert run("aliases", "shadow", "iris", 2, "--off").exit_code == 2


def test_alias_that_moved_meanwhile_stays(run: Run) -> None:
    run("aliases", "set", "iris", 1)

    result = run("aliases", "set", "iris", 2, "--if-revision", 7)

    assert result.exit_code == 1
    assert "[alias-changed]" in result.stderr
    assert "versions  1" in run("aliases", "show", "iris").stdout


def test_same_key_makes_one_change(run: Run) -> None:
    first = run("aliases", "set", "iris", 1, "--idempotency-key", "k1", "--json")
    again = run("aliases", "set", "iris", 1, "--idempotency-key", "k1", "--json")
    other = run("aliases", "set", "iris", 2, "--idempotency-key", "k1")

    assert first.stdout == again.stdout
    assert "[idempotency-key-reused]" in other.stderr


def test_share_that_is_none_says_how_to_write_one(run: Run) -> None:
    result = run("aliases", "split", "iris", "1:90", "2:10")

    assert result.exit_code == 1
    assert "write VERSION=PERCENT, as in 3=90" in result.stderr


def test_differences_of_a_shadow_that_nobody_asked_yet_are_none(run: Run) -> None:
    run("aliases", "set", "iris", 1)
    run("aliases", "shadow", "iris", 2)

    summary = json.loads(run("aliases", "differences", "iris", "--json").stdout)

    assert (summary["version"], summary["requests"]) == (2, 0)
    assert "shadow: version 2" in run("aliases", "differences", "iris").stdout


def test_refusals_are_listed_and_shown(run: Run, store: FolderStore) -> None:
    write_rejection(
        store,
        Rejection(model="iris", upload="u9", code="not-onnx", detail="It is no model.", rejected_at=NOW),
    )

    listed = run("rejected", "iris")
    shown = run("rejected", "iris", "u9")

    assert "not-onnx" in listed.stdout
    assert "It is no model." in shown.stdout
    assert run("rejected", "iris", "u8").exit_code == 1


def test_audit_says_who_did_what_and_why(run: Run) -> None:
    run("aliases", "set", "iris", 1, "--reason", "first of all")

    newest = run("audit").stdout.splitlines()[1]
    entry = json.loads(run("audit", "--model", "iris", "--limit", 1, "--json").stdout)["items"][0]

    assert "alias live → 1" in newest
    assert "first of all" in newest
    assert "@" in entry["change"]["by"]


def test_garbage_goes_and_what_is_named_stays(run: Run, store: FolderStore) -> None:
    put_blobs(store, "iris/died", [b"nobody's"])
    release(store, "iris/died")

    spared = run("gc", "--yes")
    removed = run("gc", "--yes", "--grace", 0)

    assert "Removed 0 blobs" in spared.stdout
    assert "Spared 1 blob" in spared.stderr
    assert "Removed 1 blob that nothing names" in removed.stdout


def test_erased_model_leaves_its_numbers(run: Run, store: FolderStore) -> None:
    result = run("erase", "iris", "--yes", "--reason", "asked to forget")

    assert "Erased iris: 2 versions" in result.stdout
    assert not list(store.list("blobs/"))
    assert [row.split()[0] for row in run("versions", "list", "iris").stdout.splitlines()[1:]] == ["2", "1"]


def test_whole_audit_is_verified(run: Run) -> None:
    run("aliases", "set", "iris", 1)

    result = run("audit", "--verify")

    assert result.exit_code == 0
    assert "3 entries, and all that they tell of, are whole." in result.stdout


def test_altered_entry_is_found_with_exit_1(run: Run, store: FolderStore) -> None:
    run("aliases", "set", "iris", 1, "--reason", "honest")
    entry = store.get("audit/000000003.json").data
    store.put("audit/000000003.json", entry.replace(b"honest", b"forged"))

    result = run("audit", "--verify")
    document = json.loads(run("audit", "--verify", "--json").stdout)

    assert result.exit_code == 1
    assert "✗ audit/000000003.json (entry 3)" in result.stdout
    assert "audit/000000003.json" in [finding["key"] for finding in document["findings"]]


def test_audit_is_verified_whole_or_not_at_all(run: Run) -> None:
    assert run("audit", "--verify", "--model", "iris").exit_code == 2


def test_backup_brings_a_lost_registry_back(run: Run, tmp_path: Path) -> None:
    run("aliases", "set", "iris", 1)
    backed_up = run("backup", tmp_path / "backup")
    shutil.rmtree(tmp_path / "registry")

    restored = run("restore", tmp_path / "backup", "--yes")

    assert f"Backed up to {tmp_path / 'backup'}: " in backed_up.stdout
    assert restored.exit_code == 0, restored.stderr
    assert run("aliases", "show", "iris").exit_code == 0
    assert run("audit", "--verify").exit_code == 0


def test_second_backup_copies_what_is_new(run: Run, tmp_path: Path) -> None:
    run("backup", tmp_path / "backup")
    run("aliases", "set", "iris", 1)

    again = json.loads(run("backup", tmp_path / "backup", "--json").stdout)

    assert again["done"]
    assert again["skipped"] > again["documents"] > 0
    assert again["blobs"] == 0


def test_what_is_no_backup_is_not_restored(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    result = run("restore", tmp_path / "empty", "--yes")

    assert result.exit_code == 1
    assert "backup" in result.stderr
