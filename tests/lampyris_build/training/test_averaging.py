"""Members as threads, on a bucket in memory. No step is random: threads draw from one generator."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from random import Random
from threading import Lock
from time import sleep
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from torch import nn

from lampyris.adapters.memory_store import MemoryStore
from lampyris.domain.store import Entry, Stored
from lampyris_build.data.dataset import Samples
from lampyris_build.recipe.training import Training
from lampyris_build.training.averaging import Averaging
from lampyris_build.training.checkpoint import Checkpoint
from lampyris_build.training.history import Epoch, History
from lampyris_build.training.loop import train
from lampyris_build.training.rounds import Rounds

PREFIX = "jobs/one/rounds/"
# A batch of 9 is 4 and 5 samples, or three times 3. 7 steps an epoch.
SETTINGS = Training(epochs=2, batch_size=9, learning_rate=1e-2)
MOMENTUM = {"momentum": 0.9}

Weights = Callable[[nn.Module], NDArray[Any]]


class _Learner(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: tuple[torch.Tensor, ...], targets: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(self.network(*inputs), targets)


def new_learner(norm: type[nn.Module] = nn.BatchNorm1d) -> nn.Module:
    torch.manual_seed(0)
    return _Learner(nn.Sequential(nn.Linear(6, 8), norm(8), nn.ReLU(), nn.Linear(8, 3)))


class Killed(BaseException):
    """Sudden death."""


class _Mortal:
    """A store that kills who calls it: once, at the first call of this method and this key, or after it."""

    def __init__(self, store: MemoryStore, at: tuple[str, str] | None = None, *, after: bool = False) -> None:
        self.calls: dict[tuple[str, str], None] = {}
        self._store = store
        self._at = at
        self._after = after
        self._lock = Lock()

    def get(self, key: str) -> Stored:
        return self._call("get", key)  # type: ignore[no-any-return]  # as the store's

    def get_range(self, key: str, start: int, length: int) -> memoryview:
        return self._call("get_range", key, start, length)  # type: ignore[no-any-return]  # as the store's

    def create(self, key: str, data: bytes) -> None:
        self._call("create", key, data)

    def delete(self, key: str) -> None:
        self._call("delete", key)

    def list(self, prefix: str) -> Iterator[Entry]:
        return self._call("list", prefix)  # type: ignore[no-any-return]  # as the store's

    def _call(self, method: str, key: str, *others: Any) -> Any:
        with self._lock:
            self.calls[method, key] = None
            dies = (method, key) == self._at
            if dies:
                self._at = None
        if dies and not self._after:
            raise Killed
        answer = getattr(self._store, method)(key, *others)
        if dies:
            raise Killed
        return answer


class _Group:
    """Members of a training, each of which is begun anew when it dies."""

    def __init__(self, new_stage: Any, train_set: Samples, validation_set: Samples) -> None:
        self.store = MemoryStore()
        self.histories: dict[int, History] = {}
        self._new_stage = new_stage
        self._sets = (train_set, validation_set)

    def run(
        self,
        size: int,
        *,
        ranks: list[int] | None = None,
        stores: Mapping[int, Any] | None = None,
        new: nn.Module | None = None,
        **options: Any,
    ) -> list[nn.Module]:
        """Train to the end; return what each member's learner came to."""
        ranks = list(range(size)) if ranks is None else ranks
        new = new or new_learner()  # here, as threads would draw from one generator in turns
        with ThreadPoolExecutor(len(ranks)) as threads:
            begun = [
                threads.submit(self._train, new, (stores or {}).get(rank, self.store), rank, size, **options)
                for rank in ranks
            ]
            return [one.result() for one in begun]

    def _train(
        self,
        new: nn.Module,
        store: Any,
        rank: int,
        size: int,
        *,
        settings: Training = SETTINGS,
        every: int = 3,
        small_bytes: int = 1 << 20,
        patience_s: float = 60,
        checkpoint: Checkpoint | None = None,
        pause: Callable[[float], None] = lambda _: sleep(0.001),
    ) -> nn.Module:
        while True:
            learner = deepcopy(new)
            rounds = Rounds(store, PREFIX, rank=rank, size=size, patience_s=patience_s, pause=pause)
            team = Averaging(rounds, settings, every=every, small_bytes=small_bytes)
            try:
                history = train(
                    learner,
                    *self._sets,
                    settings,
                    seed=1,
                    stage=self._new_stage(),
                    checkpoint=checkpoint,
                    team=team,
                )
            except Killed:
                continue
            self.histories[rank] = history
            return learner


def without_seconds(history: History) -> tuple[Epoch, ...]:
    return tuple(msgspec.structs.replace(row, seconds=0) for row in history.rows)


@pytest.fixture
def new_group(new_stage: Any, train_set: Samples, validation_set: Samples) -> Callable[[], _Group]:
    return lambda: _Group(new_stage, train_set, validation_set)


@pytest.fixture
def alone(new_stage: Any, train_set: Samples, validation_set: Samples) -> Callable[..., nn.Module]:
    def run(settings: Training, norm: type[nn.Module] = nn.BatchNorm1d) -> nn.Module:
        learner = new_learner(norm)
        train(learner, train_set, validation_set, settings, seed=1, stage=new_stage())
        return learner

    return run


@pytest.mark.parametrize("optimizer", ["AdamW", "SGD"])
@pytest.mark.parametrize("every", [1, 3, 0])
def test_one_member_ends_in_the_very_weights_of_a_training_without_rounds(
    new_group: Callable[[], _Group], alone: Any, weights: Weights, optimizer: str, every: int
) -> None:
    settings = msgspec.structs.replace(SETTINGS, optimizer=optimizer, patience=1)
    expected = weights(alone(settings))

    (learner,) = new_group().run(1, settings=settings, every=every)

    np.testing.assert_array_equal(weights(learner), expected)


@pytest.mark.parametrize("size", [2, 3])
def test_a_round_after_every_step_of_sgd_is_the_step_of_a_whole_batch(
    new_group: Callable[[], _Group], alone: Any, weights: Weights, size: int
) -> None:
    settings = msgspec.structs.replace(SETTINGS, optimizer="SGD", optimizer_options=MOMENTUM)
    expected = weights(alone(settings, nn.Identity))

    learners = new_group().run(size, settings=settings, every=1, new=new_learner(nn.Identity))

    for learner in learners:
        np.testing.assert_allclose(weights(learner), expected, atol=1e-6)


def test_members_end_in_the_same_weights_and_tell_the_same_history(
    new_group: Callable[[], _Group], weights: Weights
) -> None:
    group = new_group()

    first, *others = group.run(4, settings=msgspec.structs.replace(SETTINGS, patience=1, epochs=4))

    for other in others:
        np.testing.assert_array_equal(weights(other), weights(first))
    assert len({without_seconds(one) for one in group.histories.values()}) == 1


def test_weights_that_are_reduced_in_parts_are_those_that_everybody_reads(
    new_group: Callable[[], _Group], weights: Weights
) -> None:
    whole = new_group().run(3)
    in_parts = new_group().run(3, small_bytes=0)

    for one in in_parts:
        np.testing.assert_array_equal(weights(one), weights(whole[0]))


def test_what_two_rounds_before_left_is_deleted(new_group: Callable[[], _Group]) -> None:
    group = new_group()

    group.run(3, small_bytes=0)

    rounds = {entry.key.removeprefix(PREFIX).split("/")[0] for entry in group.store.list(PREFIX)}
    assert rounds == {"00000004", "00000005"}


def test_round_of_the_best_epoch_is_kept_for_who_comes_later(
    new_group: Callable[[], _Group], weights: Weights
) -> None:
    settings = msgspec.structs.replace(SETTINGS, epochs=8, patience=2, learning_rate=0.3, schedule="constant")
    group = new_group()
    first, _ = group.run(2, settings=settings)
    best_epoch = group.histories[0].best_epoch
    assert best_epoch < len(group.histories[0].rows)

    (later,) = group.run(2, ranks=[0], settings=settings)

    np.testing.assert_array_equal(weights(later), weights(first))
    assert group.histories[0].best_epoch == best_epoch


@pytest.mark.parametrize(("size", "small_bytes", "every"), [(3, 0, 4), (2, 1 << 20, 3)])
def test_member_that_dies_at_any_call_of_the_store_leaves_the_weights_as_they_would_be(
    new_group: Callable[[], _Group], weights: Weights, size: int, small_bytes: int, every: int
) -> None:
    settings = msgspec.structs.replace(SETTINGS, epochs=1, patience=1)
    options: dict[str, Any] = {"settings": settings, "every": every, "small_bytes": small_bytes}
    group = new_group()
    watched = _Mortal(group.store)
    expected = weights(group.run(size, stores={1: watched}, **options)[0])
    assert {method for method, _ in watched.calls} >= {"list", "create", "get_range", "get"}

    for call in watched.calls:
        for after in (False, True) if call[0] in {"create", "delete"} else (False,):
            group = new_group()
            learners = group.run(size, stores={1: _Mortal(group.store, call, after=after)}, **options)

            for learner in learners:
                np.testing.assert_array_equal(weights(learner), expected, err_msg=str(call))


def test_members_that_run_twice_have_one_effect(new_group: Callable[[], _Group], weights: Weights) -> None:
    expected = weights(new_group().run(2)[0])

    learners = new_group().run(2, ranks=[0, 1, 0, 1, 1])

    for learner in learners:
        np.testing.assert_array_equal(weights(learner), expected)


def test_member_that_comes_too_late_takes_what_the_others_came_to(
    new_group: Callable[[], _Group], weights: Weights
) -> None:
    group = new_group()
    first, second = group.run(3, ranks=[0, 1], patience_s=0.01)
    before = {entry.key for entry in group.store.list(PREFIX)}

    (late,) = group.run(3, ranks=[2])

    np.testing.assert_array_equal(weights(second), weights(first))
    np.testing.assert_array_equal(weights(late), weights(first))
    assert {entry.key for entry in group.store.list(PREFIX)} <= before
    assert without_seconds(group.histories[2]) == without_seconds(group.histories[0])


@pytest.mark.parametrize("seed", range(4))
def test_members_agree_on_who_was_there_however_late_each_comes(
    new_group: Callable[[], _Group], weights: Weights, seed: int
) -> None:
    group = new_group()
    stores = {rank: _Slow(group.store, seed * 10 + rank) for rank in range(3)}

    first, *others = group.run(3, stores=stores, every=2, patience_s=0.01, small_bytes=seed % 2 << 20)

    for other in others:
        np.testing.assert_array_equal(weights(other), weights(first))


class _Slow(_Mortal):
    """A store whose answers take a while, now and then longer than others wait."""

    def __init__(self, store: MemoryStore, seed: int) -> None:
        super().__init__(store)
        self._random = Random(seed)

    def _call(self, method: str, key: str, *others: Any) -> Any:
        if self._random.random() < 0.15:
            sleep(0.02)
        return super()._call(method, key, *others)


@pytest.mark.parametrize(
    ("size", "optimizer", "learning_rate"), [(2, "AdamW", 1e-2), (3, "SGD", 0.1), (4, "AdamW", 1e-2)]
)
def test_members_tell_digits_apart_as_well_as_one_worker(
    new_stage: Any, size: int, optimizer: str, learning_rate: float
) -> None:
    pixels, digits = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(pixels))
    inputs, targets = (pixels[order] / 16).astype(np.float32), digits[order]
    train_set, test_set = (
        Samples(inputs={"pixels": inputs[rows]}, targets=targets[rows])
        for rows in (slice(797), slice(797, None))
    )
    settings = Training(epochs=8, batch_size=32, learning_rate=learning_rate, optimizer=optimizer)
    torch.manual_seed(0)
    new = _Learner(nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)))
    one = deepcopy(new)
    train(one, train_set, test_set, settings, seed=1, stage=new_stage())

    member, *_ = _Group(new_stage, train_set, test_set).run(size, new=new, settings=settings, every=0)

    assert accuracy(one, test_set) > 0.94
    assert accuracy(member, test_set) >= accuracy(one, test_set) - 0.003


def accuracy(learner: nn.Module, samples: Samples) -> float:
    assert isinstance(learner, _Learner)
    with torch.inference_mode():
        answers = learner.network(torch.from_numpy(samples.inputs["pixels"])).argmax(1).numpy()
    return float((answers == samples.targets).mean())
