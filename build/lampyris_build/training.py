"""Find the weights: mini-batches, a schedule, a checkpoint after every epoch.

Shape suffixes: N samples, B batch, K classes.
"""

import math
from typing import Any

import torch
from torch import nn, optim

from lampyris_build.checkpoint import Checkpoint
from lampyris_build.data.dataset import Dataset, Samples
from lampyris_build.errors import TrainingDiverged
from lampyris_build.models import network_for
from lampyris_build.preprocessing import Classifier
from lampyris_build.recipe import Recipe, Training
from lampyris_build.stages import Stage

_WARM_UP = 0.3  # the share of one-cycle that the learning rate rises
_FIRST = 1 / 25  # the share of its peak from which it rises
_EVALUATION_BATCH = 512


def train(recipe: Recipe, dataset: Dataset, *, checkpoint: Checkpoint, stage: Stage) -> Classifier:
    """Train the recipe's network, from the checkpoint if it holds the start of this very training.

    Raises: TrainingDiverged, InvalidRecipe.
    """
    training = recipe.training
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(recipe.seed)
    classifier = Classifier(dataset, network_for(recipe, dataset))
    optimizer = _optimizer(training, classifier)
    inputs_N, labels_N = _tensors(dataset.train)
    batch_size = min(training.batch_size, len(dataset.train))
    steps = len(dataset.train) // batch_size
    done = checkpoint.restore(classifier, optimizer)
    stage.expect(training.epochs * steps, done * steps)
    accuracy = validation_accuracy(classifier, dataset.validation)
    loss = math.nan
    for epoch in range(done, training.epochs):
        classifier.train()
        order_N = torch.randperm(len(labels_N))
        for step in range(steps):
            batch_B = order_N[step * batch_size : (step + 1) * batch_size]
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(training, (epoch * steps + step) / (training.epochs * steps))
            loss_B = nn.functional.cross_entropy(classifier(inputs_N[batch_B]), labels_N[batch_B])
            loss = loss_B.item()
            if not math.isfinite(loss):
                raise TrainingDiverged(
                    loss=loss, epoch=epoch + 1, step=step + 1, learning_rate=training.learning_rate
                )
            optimizer.zero_grad()
            loss_B.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            optimizer.step()
            stage.advance(
                f"epoch {epoch + 1} of {training.epochs}, loss {loss:.3f}, validation {accuracy:.1%}"
            )
        accuracy = validation_accuracy(classifier, dataset.validation)
        checkpoint.save(epoch + 1, classifier, optimizer)
    goes_on = f" ({done} from the checkpoint)" if done else ""
    stage.outcome = f"{training.epochs} epochs{goes_on}, validation accuracy {accuracy:.1%}"
    return classifier.eval()


def learning_rate(training: Training, progress: float) -> float:
    """Return the learning rate when a share of `progress` (0 to 1) of all steps is done.

    Source: Smith and Topin 2018 (one-cycle); Loshchilov and Hutter 2017 (cosine).
    """
    match training.schedule:
        case "constant":
            share = 1.0
        case "cosine":
            share = _cosine(1, 0, progress)
        case "one-cycle" if progress < _WARM_UP:
            share = _cosine(_FIRST, 1, progress / _WARM_UP)
        case "one-cycle":
            share = _cosine(1, 0, (progress - _WARM_UP) / (1 - _WARM_UP))
    return training.learning_rate * share


def _cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2


def validation_accuracy(classifier: Classifier, samples: Samples) -> float:
    """Return the share of samples whose most likely class is the right one."""
    classifier.eval()
    with torch.inference_mode():
        batches = zip(*(torch.split(one, _EVALUATION_BATCH) for one in _tensors(samples)), strict=True)
        right = sum(int((classifier(inputs).argmax(dim=1) == labels).sum()) for inputs, labels in batches)
    return right / len(samples)


def _tensors(samples: Samples) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(samples.inputs), torch.from_numpy(samples.labels)


def _optimizer(training: Training, model: nn.Module) -> optim.Optimizer:
    options: dict[str, Any] = {"lr": training.learning_rate, "weight_decay": training.weight_decay}
    if training.optimizer == "SGD":
        options |= {"momentum": 0.9, "nesterov": True}
    optimizer: optim.Optimizer = getattr(optim, training.optimizer)(model.parameters(), **options)
    return optimizer
