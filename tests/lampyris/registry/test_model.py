"""The registry against a plain model of it: whatever is asked for in whatever order, both say the same.

Operations are interrupted at random calls, and asked for again at once, later or never.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import permutations, product
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from lampyris.adapters.memory_store import MemoryStore
from lampyris.domain.layout import blob_key, change_key
from lampyris.domain.manifest import Alias, Manifest, Tombstone
from lampyris.errors import (
    AliasChanged,
    AliasNotFound,
    InvalidSplit,
    KeyReused,
    LampyrisError,
    ModelNotFound,
    NothingToPromote,
    NothingToRollBack,
    ObjectNotFound,
    VersionClosing,
    VersionDeleted,
    VersionInUse,
    VersionNotFound,
)
from lampyris.registry.aliases import publish_to_alias
from lampyris.registry.collection import collect
from lampyris.registry.documents import find_version, list_versions
from lampyris.registry.erasure import erase
from lampyris.registry.moves import find_alias, shadow_of, shares_of

settings.register_profile("registry", max_examples=1_000, stateful_step_count=50, deadline=None)

NOW = datetime(2026, 7, 1, tzinfo=UTC)
Shares = tuple[tuple[int, int], ...]
Target = tuple[int, int] | None
OPEN, CLOSING, DELETED = "open", "closing", "deleted"


class Refused(Exception):
    """The model says no, with this error."""

    def __init__(self, error: type[LampyrisError]) -> None:
        super().__init__(error.__name__)
        self.error = error


@dataclass(frozen=True)
class Revision:
    """What an alias points at. `past` are the revisions that rollbacks would restore, with their versions."""

    number: int
    shares: Shares = ()
    shadow: Target = None
    past: tuple[tuple[int, int], ...] = ()

    @property
    def before(self) -> int | None:
        return self.past[-1][0] if self.past else None

    @property
    def held(self) -> set[int]:
        """The versions that no deletion may take away."""
        targets = (*self.shares, *([self.shadow] if self.shadow else []))
        return {version for version, _ in targets} | {version for _, version in self.past[-1:]}

    @property
    def answer(self) -> object:
        return self.number, self.shares, self.shadow, self.before


UNBORN = Revision(0)
Decide = Callable[[Revision], tuple[Shares, Target] | None]


def _beside(shadow: Target, shares: Shares) -> Target:
    return None if shadow is None or shadow[0] in dict(shares) else shadow


@dataclass
class Model:
    """The registry in plain words.

    `answers` are by key: what was asked for, and what was answered, None if that is gone. `entries` are the
    changes that the audit has, or will have when their documents are changed again.
    """

    uploads: list[str | None] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    aliases: dict[str, list[Revision]] = field(default_factory=dict)
    newest_published: dict[str, int] = field(default_factory=dict)
    answers: dict[str, tuple[object, object]] = field(default_factory=dict)
    entries: set[tuple[str, str]] = field(default_factory=set)

    def copy(self) -> "Model":
        return Model(
            uploads=[*self.uploads],
            states=[*self.states],
            aliases={alias: [*revisions] for alias, revisions in self.aliases.items()},
            newest_published={**self.newest_published},
            answers={**self.answers},
            entries={*self.entries},
        )

    @property
    def seen(self) -> object:
        """What is there to see."""
        aliases = {alias: revisions[-1].answer for alias, revisions in self.aliases.items()}
        return [*zip(self.uploads, self.states, strict=True)], aliases, self.newest_published

    def commit(self, upload: str) -> tuple[int, str]:
        if upload not in self.uploads:
            self.uploads.append(upload)
            self.states.append(OPEN)
            self.entries.add((f"publish:iris/{upload}", f"version {len(self.uploads)}"))
        version = self.uploads.index(upload) + 1
        return version, self.states[version - 1]

    def publish(self, upload: str) -> object:
        version, state = self.commit(upload)

        def decide(current: Revision) -> tuple[Shares, Target] | None:
            if version <= self.newest_published.get("live", 0):
                return None
            return ((version, 100),), _beside(current.shadow, ((version, 100),))

        if state != DELETED:
            with suppress(Refused):
                key, request = f"live:iris:{version}", ("publish", version)
                self._move("live", key, request, None, decide, is_publishing=True)
                self.newest_published["live"] = max(version, self.newest_published.get("live", 0))
        return version, state

    def set(self, key: str, alias: str, shares: Shares, expected: int | None) -> object:
        def decide(current: Revision) -> tuple[Shares, Target]:
            return shares, _beside(current.shadow, shares)

        return self._move(alias, key, ("set", alias, shares, expected), expected, decide)

    def shadow(self, key: str, alias: str, version: int | None) -> object:
        def decide(current: Revision) -> tuple[Shares, Target]:
            self._must_be_there(current)
            if version in dict(current.shares):
                raise Refused(InvalidSplit)
            return current.shares, None if version is None else (version, 100)

        return self._move(alias, key, ("shadow", alias, version), None, decide)

    def promote(self, key: str, alias: str, version: int | None) -> object:
        def decide(current: Revision) -> tuple[Shares, Target]:
            self._must_be_there(current)
            chosen = version
            if chosen is None and len(current.shares) > 1:
                chosen = current.shares[-1][0]
            elif chosen is None and current.shadow is not None:
                chosen = current.shadow[0]
            if chosen is None:
                raise Refused(NothingToPromote)
            return ((chosen, 100),), _beside(current.shadow, ((chosen, 100),))

        return self._move(alias, key, ("promote", alias, version), None, decide)

    def roll_back(self, key: str, alias: str) -> object:
        def decide(current: Revision) -> tuple[Shares, Target]:
            self._must_be_there(current)
            if current.before is None:
                raise Refused(NothingToRollBack)
            return self.aliases[alias][current.before - 1].shares, None

        return self._move(alias, key, ("roll back", alias), None, decide, is_rollback=True)

    def delete(self, key: str, version: int) -> object:
        request = ("delete", version)
        answer = self._answered(key, request)
        if not 1 <= version <= len(self.states):
            raise Refused(VersionNotFound)
        if self.states[version - 1] == DELETED:
            if answer is None:
                raise Refused(VersionDeleted)
            return answer
        if any(version in revisions[-1].held for revisions in self.aliases.values()):
            self.states[version - 1] = OPEN
            raise Refused(VersionInUse)
        self.states[version - 1] = DELETED
        self.answers[key] = (request, (version, DELETED))
        self.entries.add((key, f"version {version}"))
        return version, DELETED

    def collect(self, key: str) -> object:
        self.entries.add((key, ""))
        self.answers[key] = (("collect",), "done")
        return "done"

    def erase(self, key: str) -> object:
        answer = self._answered(key, ("erase",))
        if answer is not None:
            return answer
        self.uploads = [None for _ in self.uploads]
        self.states = [DELETED for _ in self.states]
        self.aliases.clear()
        self.newest_published.clear()
        self.answers = {
            asked: (request, "done" if answer == "done" else None)
            for asked, (request, answer) in self.answers.items()
        }
        self.answers[key] = (("erase",), "done")
        self.entries.add((key, ""))
        return "done"

    def _answered(self, key: str, request: object) -> object:
        asked, answer = self.answers.get(key, (request, None))
        if asked != request:
            raise Refused(KeyReused)
        return answer

    def _must_be_there(self, current: Revision) -> None:
        if not current.shares:
            raise Refused(AliasNotFound if self.uploads else ModelNotFound)

    def _move(
        self,
        alias: str,
        key: str,
        request: object,
        expected: int | None,
        decide: Decide,
        *,
        is_rollback: bool = False,
        is_publishing: bool = False,
    ) -> object:
        answer = self._answered(key, request)
        if answer is not None:
            return answer
        current = self.aliases.get(alias, [UNBORN])[-1]
        if expected not in {None, current.number}:
            raise Refused(AliasChanged)
        goal = decide(current)
        if goal is None or (goal == (current.shares, current.shadow) and not is_publishing):
            self.answers[key] = (request, current.answer)
            return current.answer
        shares, shadow = goal
        for version, _ in (*shares, *([shadow] if shadow else [])):
            if version not in current.held:
                self._must_be_open(version)
        moved = Revision(current.number + 1, shares, shadow)
        moved = replace(moved, past=self._past(alias, current, shares, is_rollback=is_rollback))
        self.aliases.setdefault(alias, []).append(moved)
        self.answers[key] = (request, moved.answer)
        self.entries.add((key, f"alias {alias}"))
        return moved.answer

    def _must_be_open(self, version: int) -> None:
        if not 1 <= version <= len(self.states):
            raise Refused(VersionNotFound)
        if self.states[version - 1] == DELETED:
            raise Refused(VersionDeleted)
        if self.states[version - 1] == CLOSING:
            raise Refused(VersionClosing)

    def _past(
        self, alias: str, current: Revision, shares: Shares, *, is_rollback: bool
    ) -> tuple[tuple[int, int], ...]:
        past = current.past
        if is_rollback:
            past = self.aliases[alias][past[-1][0] - 1].past
        elif len(current.shares) == 1:
            past = (*past, (current.number, current.shares[0][0]))
        while past:
            version = past[-1][1]
            is_there = version in current.held or self.states[version - 1] == OPEN
            if is_there and shares != ((version, 100),):
                break
            past = past[:-1]
        return past


class Crash(BaseException):
    """The process ends here."""


# At which call the process dies, whether after it took effect, and whether somebody asks again at once.
Disturbance = tuple[int, bool, bool] | None
# Drawing takes longer than what is drawn for: so each value is one draw.
UNDISTURBED: list[Disturbance] = [None]
DISTURBANCES = st.sampled_from(UNDISTURBED * 100 + [*product(range(25), (False, True), (False, True))])
UPLOADS = st.sampled_from(["u1", "u2", "u3", "u4", "u5", "u6"])
ALIASES = st.sampled_from(["live", "next"])
NUMBERS = range(1, 8)
VERSIONS = st.sampled_from(NUMBERS)
PERHAPS_VERSIONS = st.sampled_from([None, *NUMBERS])
SHARES = st.sampled_from(
    [((version, 100),) for version in NUMBERS]
    + [((stable, 90), (canary, 10)) for stable, canary in permutations(NUMBERS, 2)]
    + [((1, 50), (2, 30), (3, 20)), ((2, 30), (3, 30), (1, 40))]
)
EXPECTED = st.sampled_from([None, None, None, 0, 1, 2, 3, 4])
Ask = tuple[Callable[[Model], object], Callable[[Any], object]]


def _answer(run: Callable[[], object]) -> object:
    """Say what came of an operation in the model's words."""
    try:
        answer = run()
    except Refused as refusal:
        return refusal.error
    except LampyrisError as error:
        return type(error)
    match answer:
        case Alias():
            return answer.revision, tuple(shares_of(answer).items()), shadow_of(answer), answer.before
        case Manifest():
            return answer.version, OPEN if answer.closing is None else CLOSING
        case Tombstone():
            return answer.version, DELETED
        case _:
            return answer


def _publish(upload: str, registry: Any) -> object:
    made = registry.commit(upload)
    if isinstance(made, Manifest):
        author = registry.author(f"live:iris:{made.version}")
        with suppress(VersionDeleted, VersionClosing):
            publish_to_alias(registry.store, made, alias="live", author=author, now=NOW)
    return made


def _collect(key: str, registry: Any) -> str:
    later = NOW + timedelta(seconds=1)
    collected = collect(registry.store, grace=timedelta(0), author=registry.author(key), now=later)
    return "done" if collected.done else "stopped"


def _erase(key: str, registry: Any) -> str:
    erased = erase(registry.store, "iris", author=registry.author(key), now=NOW)
    return "done" if erased.done else "stopped"


class Against(RuleBasedStateMachine):
    """Asks both for the same, and compares what they answer and what there is to see then."""

    watch: Any
    registry_of: Any
    checks: Any

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.store = MemoryStore(lambda: NOW)
        self.registry = self.registry_of(self.watch(self.store, self._call))
        self.asked: dict[str, Ask] = {}
        self.unanswered: set[str] = set()
        self._keys = 0
        self._calls_left: int | None = None
        self._dies_after = False

    def _call(self, _method: str, _key: str, call: Callable[[], Any]) -> Any:
        if self._calls_left is None:
            return call()
        self._calls_left -= 1
        if self._calls_left >= 0:
            return call()
        self._calls_left = None
        if self._dies_after:
            with suppress(LampyrisError):
                call()
        raise Crash

    def _key(self) -> str:
        self._keys += 1
        return f"k{self._keys}"

    def _ask(
        self,
        key: str,
        predict: Callable[[Model], object],
        run: Callable[[Any], object],
        disturbance: Disturbance,
        *,
        steps: tuple[Callable[[Model], object], ...] = (),
        other_key: str = "",
    ) -> None:
        """Ask both. `steps` are what may have happened of it if it is interrupted; perhaps by another key."""
        self.asked[key] = (predict, run)
        if disturbance is not None:
            self._calls_left, self._dies_after, is_asked_again = disturbance
            try:
                got = _answer(partial(run, self.registry))
            except Crash:
                if not is_asked_again:
                    self.unanswered |= {key, other_key}
                    self._learn(key, (*steps, predict))
                    return
                got = _answer(partial(run, self.registry))
            self._calls_left = None
        else:
            got = _answer(partial(run, self.registry))
        assert got == _answer(partial(predict, self.model))
        assert self._seen() == self.model.seen

    def _learn(self, key: str, steps: tuple[Callable[[Model], object], ...]) -> None:
        """Find out how far an operation came that nobody finished."""
        seen = self._seen()
        if self.model.seen != seen or self._is_noted(key):
            for step in steps:
                model = self.model.copy()
                _answer(partial(step, model))
                if model.seen == seen:
                    self.model = model
                    break
        assert self.model.seen == seen

    def _is_noted(self, key: str) -> bool:
        try:
            return bool(self.store.size_bytes(change_key(key)))
        except ObjectNotFound:
            return False

    def _seen(self) -> object:
        versions: list[tuple[str | None, str]] = []
        for version in list_versions(self.store, "iris"):
            document = find_version(self.store, "iris", version)
            if isinstance(document, Tombstone):
                versions.append((document.upload, DELETED))
            else:
                versions.append((document.upload, OPEN if document.closing is None else CLOSING))
        aliases, newest_published = {}, {}
        for name in ("live", "next"):
            standing = find_alias(self.store, "iris", name)
            if standing is not None and standing.alias.routes:
                aliases[name] = _answer(lambda alias=standing.alias: alias)  # type: ignore[misc]
                if standing.alias.newest_published:
                    newest_published[name] = standing.alias.newest_published
        return versions, aliases, newest_published

    @rule(upload=UPLOADS, disturbance=DISTURBANCES)
    def publish(self, upload: str, disturbance: Disturbance) -> None:
        version = self.model.copy().commit(upload)[0]
        self._ask(
            f"live:iris:{version}",
            lambda model: model.publish(upload),
            partial(_publish, upload),
            disturbance,
            steps=(lambda model: model.commit(upload),),
            other_key=f"publish:iris/{upload}",
        )

    @rule(upload=UPLOADS, disturbance=DISTURBANCES)
    def hold(self, upload: str, disturbance: Disturbance) -> None:
        self._ask(
            f"publish:iris/{upload}",
            lambda model: model.commit(upload),
            lambda registry: registry.commit(upload),
            disturbance,
        )

    @rule(alias=ALIASES, shares=SHARES, expected=EXPECTED, disturbance=DISTURBANCES)
    def set(self, alias: str, shares: Shares, expected: int | None, disturbance: Disturbance) -> None:
        key = self._key()
        self._ask(
            key,
            lambda model: model.set(key, alias, shares, expected),
            lambda registry: registry.set(dict(shares), alias, key=key, expected=expected),
            disturbance,
        )

    @rule(alias=ALIASES, version=PERHAPS_VERSIONS, disturbance=DISTURBANCES)
    def shadow(self, alias: str, version: int | None, disturbance: Disturbance) -> None:
        key = self._key()
        self._ask(
            key,
            lambda model: model.shadow(key, alias, version),
            lambda registry: registry.shadow(version, alias, key=key),
            disturbance,
        )

    @rule(alias=ALIASES, version=PERHAPS_VERSIONS, disturbance=DISTURBANCES)
    def promote(self, alias: str, version: int | None, disturbance: Disturbance) -> None:
        key = self._key()
        self._ask(
            key,
            lambda model: model.promote(key, alias, version),
            lambda registry: registry.promote(version, alias, key=key),
            disturbance,
        )

    @rule(alias=ALIASES, disturbance=DISTURBANCES)
    def roll_back(self, alias: str, disturbance: Disturbance) -> None:
        key = self._key()
        self._ask(
            key,
            lambda model: model.roll_back(key, alias),
            lambda registry: registry.roll_back(alias, key=key),
            disturbance,
        )

    @rule(version=VERSIONS, disturbance=DISTURBANCES)
    def delete(self, version: int, disturbance: Disturbance) -> None:
        key = self._key()

        def mark(model: Model) -> None:
            model.states[version - 1] = CLOSING

        def open_again(model: Model) -> None:
            model.states[version - 1] = OPEN

        self._ask(
            key,
            lambda model: model.delete(key, version),
            lambda registry: registry.delete(version, key=key),
            disturbance,
            steps=(mark, open_again) if version <= len(self.model.states) else (),
        )

    @rule(number=st.integers(1, 100))
    def ask_again(self, number: int) -> None:
        """Ask for what was asked for once, by the same key: answered or not, and whatever came between."""
        key = f"k{number % (self._keys + 1)}"
        request, answer = self.model.answers.get(key, (None, None))
        if key in self.asked and (request is None or answer is not None):
            self._ask(key, *self.asked[key], None)

    @rule(number=st.integers(1, 100), version=VERSIONS)
    def use_a_key_again(self, number: int, version: int) -> None:
        """Ask for something else by a key that is known."""
        key = f"k{number % (self._keys + 1)}"
        if key in self.model.answers and self._is_noted(key):
            self._ask(
                key,
                lambda model: model.promote(key, "other", version),
                lambda registry: registry.promote(version, "other", key=key),
                None,
            )

    @rule(disturbance=DISTURBANCES)
    def collect(self, disturbance: Disturbance) -> None:
        key = self._key()
        again = disturbance and (*disturbance[:2], True)
        self._ask(key, lambda model: model.collect(key), partial(_collect, key), again)
        for version in list_versions(self.store, "iris"):
            document = find_version(self.store, "iris", version)
            if isinstance(document, Manifest):
                assert self.store.size_bytes(blob_key(document.artifact.graph.digest))

    @rule(disturbance=DISTURBANCES, chance=VERSIONS)
    def erase(self, disturbance: Disturbance, chance: int) -> None:
        if chance > 2 or not self.model.uploads:  # what is long undisturbed gets deep
            return
        key = self._key()
        again = disturbance and (*disturbance[:2], True)
        self._ask(key, lambda model: model.erase(key), partial(_erase, key), again)

    def teardown(self) -> None:
        entries = {(entry.change.id, entry.subject) for entry in self.checks.invariants(self.store)}
        assert entries <= self.model.entries
        assert {key for key, _ in self.model.entries - entries} <= self.unanswered


def test_registry_does_what_its_model_does(watch: Any, registry_of: Any, checks: Any) -> None:
    class Machine(Against):
        pass

    Machine.watch = staticmethod(watch)
    Machine.registry_of = staticmethod(registry_of)
    Machine.checks = checks

    run_state_machine_as_test(Machine, settings=settings.get_profile("registry"))
