import numpy as np
import pytest
import torch
from torch import nn

from lampyris_build.data.dataset import Feature, Samples
from lampyris_build.errors import InvalidRecipe
from lampyris_build.learner import Learner
from lampyris_build.preprocessing.encoding import Encoding
from lampyris_build.preprocessing.module import Preprocessing
from lampyris_build.tasks.task import Task


class Noting(nn.Module):
    """A network that starts from data, and keeps what it was shown."""

    seen: torch.Tensor

    def start_from(self, examples: torch.Tensor) -> None:
        self.seen = examples


class Failing(nn.Module):
    """A network that asks for something else to start from."""

    def start_from(self, examples: torch.Tensor, labels: torch.Tensor) -> None: ...


@pytest.fixture
def train() -> Samples:
    return Samples(inputs={"values": np.arange(10_000, dtype=np.float32)[:, None]}, targets=None)


def start(network: nn.Module, train: Samples, task: Task) -> None:
    features = (Feature(name="values", kind="vector", shape=(1,)),)
    learner = Learner(
        preprocessing=Preprocessing.fit(features, train),
        augmentation=nn.Identity(),
        network=network,
        task=task,
    )
    learner.start_from(train, Encoding.fit(features, train, length=8, vocabulary=8))


def test_a_network_is_shown_some_samples_of_all_parts_of_the_set(train: Samples, task: Task) -> None:
    network = Noting()

    start(network, train, task)

    assert 128 <= len(network.seen) <= 256
    assert abs(float(network.seen.mean())) < 0.05  # they are preprocessed
    assert abs(float(network.seen.std()) - 1) < 0.05


def test_what_cannot_start_from_them_is_named_with_the_reason(train: Samples, task: Task) -> None:
    with pytest.raises(InvalidRecipe, match=r"start_from of Failing cannot take .*, \(250, 1\): .*labels"):
        start(Failing(), train, task)


def test_a_network_that_starts_from_nothing_is_left_alone(train: Samples, task: Task) -> None:
    start(nn.Linear(1, 2), train, task)
