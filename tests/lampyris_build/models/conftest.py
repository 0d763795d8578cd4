"""What every architecture is held to: it learns a tiny problem, and onnxruntime computes what torch does."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from lampyris_build.export import OPSET, _quiet_exporter

_BATCHES = (1, 2, 7)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture
def learn() -> Callable[..., float]:
    """Train on a whole problem at once, and return the share of samples that the network then gets right."""

    def accuracy(network: nn.Module, x: torch.Tensor, targets: torch.Tensor, *, steps: int = 60) -> float:
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
        for _ in range(steps):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(network(x).flatten(0, -2), targets.flatten())
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            optimizer.step()
        with torch.inference_mode():
            right = network.eval()(x).argmax(dim=-1) == targets
        return float(right[targets >= 0].float().mean())

    return accuracy


@pytest.fixture
def exported(tmp_path: Path) -> Callable[..., onnxruntime.InferenceSession]:
    """Export a module for any number of samples, as a build does; `example` holds two."""

    def session(
        module: nn.Module,
        example: Sequence[torch.Tensor],
        dynamic: Sequence[dict[int, str]] = ({0: "batch"},),
        names: Sequence[str] = ("x",),
    ) -> onnxruntime.InferenceSession:
        axes = {name: torch.export.Dim(name) for sizes in dynamic for name in sizes.values()}
        with _quiet_exporter():
            torch.onnx.export(
                module.eval(),
                tuple(example),
                tmp_path / "module.onnx",
                dynamo=True,
                external_data=False,
                dynamic_shapes=tuple({axis: axes[name] for axis, name in sizes.items()} for sizes in dynamic),
                input_names=list(names),
                opset_version=OPSET,
                verbose=False,
            )
        return onnxruntime.InferenceSession(tmp_path / "module.onnx", providers=["CPUExecutionProvider"])

    return session


@pytest.fixture
def onnx_difference(exported: Callable[..., onnxruntime.InferenceSession]) -> Callable[..., float]:
    """Return how far onnxruntime is from torch at most, in batches of several sizes cut from `samples`."""

    def difference(module: nn.Module, samples: torch.Tensor) -> float:
        session = exported(module, (samples[:2],))
        worst = 0.0
        for batch in _BATCHES:
            with torch.inference_mode():
                expected = module(samples[:batch]).numpy()
            (answers,) = session.run(None, {"x": samples[:batch].numpy()})
            assert answers.shape == expected.shape
            worst = max(worst, float(np.abs(answers - expected).max()))
        return worst

    return difference
