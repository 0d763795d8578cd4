import numpy as np
import torch
from torch import nn

from lampyris_build.data.dataset import Feature, Samples
from lampyris_build.learner import Learner
from lampyris_build.preprocessing.encoding import Encoding
from lampyris_build.preprocessing.module import Preprocessing
from lampyris_build.tasks.task import Task


class Noting(nn.Module):
    """A network that starts from data, and keeps what it was shown."""

    seen: torch.Tensor

    def start_from(self, examples: torch.Tensor) -> None:
        self.seen = examples


def test_a_network_is_shown_some_samples_of_all_parts_of_the_set(task: Task) -> None:
    values = np.arange(10_000, dtype=np.float32)[:, None]
    train = Samples(inputs={"values": values}, targets=None)
    features = (Feature(name="values", kind="vector", shape=(1,)),)
    network = Noting()
    learner = Learner(
        preprocessing=Preprocessing.fit(features, train),
        augmentation=nn.Identity(),
        network=network,
        task=task,
    )

    learner.start_from(train, Encoding.fit(features, train, length=8, vocabulary=8))

    assert 128 <= len(network.seen) <= 256
    assert abs(float(network.seen.mean())) < 0.05  # they are preprocessed
    assert abs(float(network.seen.std()) - 1) < 0.05
