from collections.abc import Callable

import torch

from lampyris_build.models.autoencoder import Autoencoder
from lampyris_build.recipe.models import AutoencoderModel

MODEL = AutoencoderModel(hidden=(16,), code=1)


def test_brings_back_what_is_usual_better_than_what_is_not() -> None:
    usual = torch.randn(256, 1) @ torch.tensor([[1.0, -1.0, 0.5, 2.0]])
    network = Autoencoder(MODEL, (4,))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(200):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(network(usual), usual).backward()  # type: ignore[no-untyped-call]  # torch's
        optimizer.step()

    unusual = usual.flip(1)

    with torch.inference_mode():
        errors = [float(((network(x) - x) ** 2).mean()) for x in (usual, unusual)]
    assert 10 * errors[0] < errors[1]


def test_everything_goes_through_the_code() -> None:
    network = Autoencoder(MODEL, (4,))

    assert network.encoder(torch.randn(5, 4)).shape == (5, 1)


def test_onnxruntime_agrees_on_pictures(onnx_difference: Callable[..., float]) -> None:
    assert onnx_difference(Autoencoder(MODEL, (1, 4, 4)), torch.randn(7, 1, 4, 4)) < 1e-5
