from collections.abc import Callable

import pytest
import torch

from lampyris_build.errors import InvalidRecipe
from lampyris_build.models.transformer import Transformer
from lampyris_build.recipe.models import TransformerModel

MODEL = TransformerModel(width=16, heads=2, layers=1, dropout=0.0)
LENGTH, VOCABULARY = 6, 12


def words(count: int) -> torch.Tensor:
    """Texts of several lengths, filled up with 0; the last holds no word at all."""
    ids = torch.randint(2, VOCABULARY, (count, LENGTH))
    lengths = torch.randint(1, LENGTH + 1, (count, 1))
    lengths[-1] = 0
    return ids * (torch.arange(LENGTH) < lengths)


def test_learns_whether_a_word_stands_before_another(learn: Callable[..., float]) -> None:
    texts = words(64)
    texts[:, 0] = 2 + torch.arange(64) % 2
    texts[:, 1] = 5 - texts[:, 0]  # both words are in every text: only their order differs

    accuracy = learn(Transformer(MODEL, (LENGTH,), 2, VOCABULARY), texts, torch.arange(64) % 2)

    assert accuracy > 0.95


def test_padding_changes_nothing() -> None:
    texts = words(5)[:-1]
    network = Transformer(MODEL, (LENGTH,), 3, VOCABULARY).eval()
    longer = Transformer(MODEL, (LENGTH + 4,), 3, VOCABULARY).eval()
    longer.load_state_dict(
        network.state_dict() | {"places_LW": torch.cat((network.places_LW, torch.randn(4, MODEL.width)))}
    )

    padded = longer(torch.nn.functional.pad(texts, (0, 4)))

    torch.testing.assert_close(padded, network(texts), rtol=0, atol=1e-5)


def test_text_without_a_word_has_an_answer() -> None:
    network = Transformer(MODEL, (LENGTH,), 2, VOCABULARY).eval()

    assert network(torch.zeros(1, LENGTH, dtype=torch.int64)).isfinite().all()


def test_onnxruntime_agrees(onnx_difference: Callable[..., float]) -> None:
    texts = words(7)
    texts[0] = 0

    assert onnx_difference(Transformer(MODEL, (LENGTH,), 2, VOCABULARY), texts) < 1e-5


def test_width_that_heads_cannot_share_is_refused() -> None:
    with pytest.raises(InvalidRecipe, match=r"model\.width is 16, which 3 heads cannot share"):
        Transformer(TransformerModel(width=16, heads=3), (LENGTH,), 2, VOCABULARY)
