from collections.abc import Callable
from itertools import pairwise

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from lampyris.domain.signature import DYNAMIC, Signature, TensorSpec
from lampyris.domain.tensors import check_inputs
from lampyris_build.errors import InvalidRecipe
from lampyris_build.models.gpt import Gpt
from lampyris_build.recipe.models import GptModel

MODEL = GptModel(width=16, heads=2, layers=2, dropout=0.0)
CONTEXT, VOCABULARY = 8, 11
UNKNOWN = -100  # what torch's cross-entropy leaves out


class Step(nn.Module):
    """What is served of a GPT."""

    def __init__(self, gpt: Gpt) -> None:
        super().__init__()
        self.gpt = gpt

    def forward(
        self, tokens: torch.Tensor, position: torch.Tensor, keys: torch.Tensor, values: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        return self.gpt.step(tokens, position, keys, values)


@pytest.fixture
def gpt() -> Gpt:
    """A network whose blocks say something, as they do once they are trained."""
    network = Gpt(MODEL, (CONTEXT,), VOCABULARY).eval()
    for weights in network.parameters():
        if not weights.any():
            nn.init.normal_(weights, std=0.2)
    return network


@pytest.fixture
def tokens() -> torch.Tensor:
    return torch.randint(VOCABULARY, (3, CONTEXT))


def test_learns_to_look_back(learn: Callable[..., float]) -> None:
    tokens = torch.randint(VOCABULARY, (64, CONTEXT))
    targets = tokens.roll(2, dims=1)
    targets[:, :2] = UNKNOWN

    accuracy = learn(Gpt(MODEL, (CONTEXT,), VOCABULARY), tokens, targets, steps=150)

    assert accuracy > 0.95


def test_what_comes_after_a_token_does_not_change_its_logits(gpt: Gpt, tokens: torch.Tensor) -> None:
    changed = tokens.clone()
    changed[:, 5:] = (changed[:, 5:] + 1) % VOCABULARY

    before, after = gpt(tokens), gpt(changed)

    torch.testing.assert_close(before[:, :5], after[:, :5])
    assert not torch.allclose(before[:, 5:], after[:, 5:])


@pytest.mark.parametrize("cuts", [(0, 8), (0, 3, 4, 8), tuple(range(9))], ids=["at once", "some", "each"])
def test_reading_on_from_the_cache_equals_reading_the_whole(
    gpt: Gpt, tokens: torch.Tensor, cuts: tuple[int, ...]
) -> None:
    keys = values = torch.zeros(3, *gpt.cache_shape)
    parts = []
    for start, end in pairwise(cuts):
        logits, keys, values = gpt.step(tokens[:, start:end], torch.full((3,), start), keys, values)
        parts.append(logits)

    torch.testing.assert_close(torch.cat(parts, dim=1), gpt(tokens), rtol=0, atol=1e-5)


def test_rows_stand_at_positions_of_their_own(gpt: Gpt, tokens: torch.Tensor) -> None:
    keys = values = torch.zeros(3, *gpt.cache_shape)
    # What fills up the shorter beginnings is overwritten before anything reads it.
    lengths = torch.tensor([2, 5, 4])
    _, keys, values = gpt.step(tokens[:, :5], torch.zeros(3, dtype=torch.int64), keys, values)

    logits, _, _ = gpt.step(tokens[range(3), lengths, None], lengths, keys, values)

    torch.testing.assert_close(logits[:, 0], gpt(tokens)[range(3), lengths], rtol=0, atol=1e-5)


def test_beyond_its_places_the_cache_forgets_the_oldest_token(tokens: torch.Tensor) -> None:
    gpt = Gpt(
        GptModel(width=16, heads=2, layers=1), (4,), VOCABULARY
    ).eval()  # of one layer: no second-hand news
    for weights in gpt.parameters():
        if not weights.any():
            nn.init.normal_(weights, std=0.2)
    keys = values = torch.zeros(3, *gpt.cache_shape)
    for position in range(CONTEXT):
        logits, keys, values = gpt.step(tokens[:, position, None], torch.full((3,), position), keys, values)

    torch.testing.assert_close(logits[:, -1], gpt(tokens[:, -4:])[:, -1], rtol=0, atol=1e-5)


def test_generation_under_onnxruntime_equals_the_whole_in_torch(
    gpt: Gpt, tokens: torch.Tensor, exported: Callable[..., onnxruntime.InferenceSession]
) -> None:
    empty = torch.zeros(2, *gpt.cache_shape)
    session = exported(
        Step(gpt),
        (tokens[:2, :3], torch.zeros(2, dtype=torch.int64), empty, empty.clone()),
        ({0: "batch", 1: "time"}, {0: "batch"}, {0: "batch"}, {0: "batch"}),
        ("tokens", "position", "keys", "values"),
    )

    for batch in (1, 3):
        for cuts in ((0, 8), (0, 3, 4, 8), tuple(range(9))):
            answers = generated(session, gpt, tokens[:batch].numpy(), cuts)
            np.testing.assert_allclose(answers, gpt(tokens[:batch]).detach().numpy(), rtol=0, atol=1e-5)


def generated(
    session: onnxruntime.InferenceSession, gpt: Gpt, tokens: NDArray[np.int64], cuts: tuple[int, ...]
) -> NDArray[np.float32]:
    """Read tokens bit by bit, each time from the cache that came back; serving accepts every call."""
    signature = Signature(
        inputs=(
            TensorSpec(name="tokens", datatype="INT64", shape=(DYNAMIC, DYNAMIC)),
            TensorSpec(name="position", datatype="INT64", shape=(DYNAMIC,)),
            TensorSpec(name="keys", datatype="FP32", shape=(DYNAMIC, *gpt.cache_shape)),
            TensorSpec(name="values", datatype="FP32", shape=(DYNAMIC, *gpt.cache_shape)),
        ),
        outputs=(),
    )
    keys = values = np.zeros((len(tokens), *gpt.cache_shape), np.float32)
    parts = []
    for start, end in pairwise(cuts):
        inputs = {
            "tokens": tokens[:, start:end],
            "position": np.full(len(tokens), start),
            "keys": keys,
            "values": values,
        }
        check_inputs(signature, inputs)
        logits, keys, values = session.run(None, inputs)
        parts.append(logits)
    return np.concatenate(parts, axis=1)


def test_any_position_that_a_caller_sends_has_an_answer(gpt: Gpt, tokens: torch.Tensor) -> None:
    empty = torch.zeros(3, *gpt.cache_shape)

    logits, _, _ = gpt.step(tokens, torch.tensor([-5, 1_000_000, 2**40]), empty, empty)

    assert logits.isfinite().all()


def test_width_that_is_not_pairs_for_every_head_is_refused() -> None:
    with pytest.raises(InvalidRecipe, match=r"model\.width is 12; 4 heads, .* want a multiple of 8"):
        Gpt(GptModel(width=12, heads=4), (CONTEXT,), VOCABULARY)
