"""Hold a model's documents against the entries that tell of them."""

from collections.abc import Mapping, Sequence

import msgspec

from lampyris.domain.layout import (
    BLOBS,
    MODELS,
    alias_key,
    blob_key,
    revision_key,
    revisions_prefix,
    version_key,
)
from lampyris.domain.manifest import Alias, Change, Manifest, Tombstone
from lampyris.domain.sealed import seal
from lampyris.registry.audit import Entry
from lampyris.registry.changes import Settled
from lampyris.registry.documents import decode_version, list_aliases, list_versions
from lampyris.registry.findings import ELSEWHERE, MISSING, UNTOLD, Findings
from lampyris.registry.operations import MayGoOn, check_time
from lampyris.registry.snapshot import blobs_of


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What the audit tells: entries by model and subject, in order; and what became of changes, by id.

    `erased` is the entry by which a model was last erased to the end.
    """

    entries: Mapping[tuple[str | None, str], Sequence[Entry]]
    settled: Mapping[str, Settled]
    erased: Mapping[str | None, int]

    def about(self, model: str, subject: str) -> Sequence[Entry]:
        return self.entries.get((model, subject), ())

    def subjects(self, model: str, kind: str) -> set[str]:
        """Name what there ever was of a kind, "version" or "alias"."""
        words = (subject.split(" ", 1) for of, subject in self.entries if of == model and subject)
        return {name for word, name in words if word == kind}

    def erasures(self, model: str) -> set[str]:
        """Return the changes by which a model was erased."""
        return {entry.change.id for entry in self.about(model, "") if entry.change.action == "erase"}

    def is_settled(self, change: Change, result: int) -> bool:
        """Tell whether a change had its entry."""
        settled = self.settled.get(change.id)
        return settled is not None and settled.number > 0 and settled.result == result


def check_model(findings: Findings, told: Told, model: str, may_go_on: MayGoOn) -> dict[str, int]:
    """Check a model's versions and aliases; return the sizes of the blobs that it names, by key.

    Raises: TimeIsOver.
    """
    blobs: dict[str, int] = {}
    erased = set()
    standing = set(list_versions(findings.store, model))
    ever = standing | {int(version) for version in told.subjects(model, "version")}
    numbers = range(1, max(ever, default=0) + 1)
    for version in findings.ahead(numbers, lambda version: version_key(model, version), may_go_on):
        check_time(may_go_on)
        document = _check_version(findings, told, model, version)
        if isinstance(document, Manifest) and document.closing is None:
            blobs |= {blob_key(blob.digest): blob.size_bytes for blob in blobs_of(document)}
        if isinstance(document, Tombstone) and document.upload is None:
            erased.add(str(version))
    folders = findings.store.list_folders(f"{MODELS}{model}/revisions/")
    for alias in sorted({*list_aliases(findings.store, model), *told.subjects(model, "alias"), *folders}):
        _check_alias(findings, told, model, alias, erased=erased, may_go_on=may_go_on)
    return blobs


def check_blobs(findings: Findings, sizes: Mapping[str, int]) -> None:
    """Check that blobs are there, and as large as they should be; whoever reads them checks their digests."""
    standing = {entry.key: entry.size_bytes for entry in findings.store.list(BLOBS)}
    for key, size_bytes in sizes.items():
        if key not in standing:
            findings.note(key, f"{MISSING}: a version names it")
        elif standing[key] != size_bytes:
            findings.note(key, f"has {standing[key]:,} bytes instead of {size_bytes:,}")


def _check_version(findings: Findings, told: Told, model: str, version: int) -> Manifest | Tombstone | None:
    key, entries = version_key(model, version), told.about(model, f"version {version}")
    document, digest = findings.read(key, decode_version)
    if document is None or digest is None:
        return None
    if (document.model, document.version) != (model, version):
        findings.note(key, ELSEWHERE)
    elif isinstance(document, Manifest):
        if document.closing is not None:
            digest = seal(msgspec.structs.replace(document, closing=None)).digest
        gone = [entry.number for entry in entries if entry.change.action == "delete"]
        if entries and told.erased.get(model, 0) > entries[-1].number:
            gone.append(told.erased[model])
        if gone:
            findings.note(key, f"stands there, though entry {gone[-1]} took it away", number=gone[-1])
        else:
            published = _Standing(key, digest, document.published, version)
            _check_told(findings, told, published, entries, rivals=entries)
    elif document.upload is not None or document.deleted.id not in told.erasures(model):
        rivals = [entry for entry in entries if entry.change.action == "delete"]
        _check_told(findings, told, _Standing(key, digest, document.deleted, version), entries, rivals=rivals)
    return document


class _Standing(msgspec.Struct, frozen=True):
    """A document, the change that it holds, and by what that is found again."""

    key: str
    digest: str
    change: Change
    result: int


def _check_told(
    findings: Findings, told: Told, standing: _Standing, entries: Sequence[Entry], *, rivals: Sequence[Entry]
) -> None:
    """Find the entry that tells of a document; `rivals` are those that leave no room for one to come."""
    if any(entry.document == standing.digest for entry in entries):
        return
    if rivals:
        findings.note(standing.key, UNTOLD, number=rivals[-1].number)
    elif told.is_settled(standing.change, standing.result):
        findings.note(standing.key, UNTOLD, number=told.settled[standing.change.id].number)
    else:
        findings.note_pending(standing.key)


def _check_alias(
    findings: Findings, told: Told, model: str, name: str, *, erased: set[str], may_go_on: MayGoOn
) -> None:
    key = alias_key(model, name)
    entries = _since_erased(told.about(model, f"alias {name}"), erased)
    last = max(map(_revision_of, entries), default=0)
    alias = digest = None
    if last or findings.stands(key):
        alias, digest = findings.read(key, lambda sealed: sealed.decode(Alias))
        if alias is None:
            return
        if (alias.model, alias.alias) != (model, name):
            findings.note(key, ELSEWHERE)
            return
    now = 0 if alias is None else alias.revision
    if now < last:
        findings.note(
            key, f"is at revision {now}; the audit tells of revision {last}", number=entries[-1].number
        )
    elif alias is not None and digest is not None and now:
        rivals = [entry for entry in entries if _revision_of(entry) == now]
        _check_told(findings, told, _Standing(key, digest, alias.change, now), entries, rivals=rivals)
    standing = {entry.key for entry in findings.store.list(revisions_prefix(model, name))}
    for stray in sorted(standing - {revision_key(model, name, revision) for revision in range(1, now + 1)}):
        findings.note(stray, f"is a revision that the alias never had: it is at revision {now}")
    if alias is not None:
        _check_revisions(
            findings, alias, digest, is_settled=told.is_settled(alias.change, now), may_go_on=may_go_on
        )


def _check_revisions(
    findings: Findings, alias: Alias, digest: str | None, *, is_settled: bool, may_go_on: MayGoOn
) -> None:
    """Follow an alias back to its first revision; the last one may not be written down yet."""
    expected = digest

    def key_of(revision: int) -> str:
        return revision_key(alias.model, alias.alias, revision)

    for revision in findings.ahead(range(alias.revision, 0, -1), key_of, may_go_on):
        check_time(may_go_on)
        key = key_of(revision)
        if revision == alias.revision and not is_settled and not findings.stands(key):
            expected = alias.previous
            continue
        former, found = findings.read(key, lambda sealed: sealed.decode(Alias))
        if former is None:
            expected = None
            continue
        if (former.model, former.alias, former.revision) != (alias.model, alias.alias, revision):
            findings.note(key, ELSEWHERE)
        elif expected is not None and found != expected:
            findings.note(key, "was altered: it is not what came after it followed")
        expected = former.previous


def _since_erased(entries: Sequence[Entry], erased: set[str]) -> Sequence[Entry]:
    """Leave out what an alias was before its model was erased: its revisions began anew after that."""
    for at in range(len(entries), 0, -1):
        if _versions_of(entries[at - 1]) <= erased:
            return entries[at:]
    return entries


def _versions_of(entry: Entry) -> set[str]:
    return set(entry.details.get("routes", {}))


def _revision_of(entry: Entry) -> int:
    return int(entry.details.get("revision", 0))
