"""A Transformer encoder that reads a text as a whole.

Shape suffixes: B batch, L words, W width, H heads, D width of a head, K outputs.
"""

import torch
from torch import nn

from lampyris_build.errors import InvalidRecipe
from lampyris_build.recipe.models import TransformerModel

_PADDING = 0  # the id that fills up texts shorter than L
_UNSEEN = -1e9  # added to a score: a share of 0, and equal shares, not NaN, where a text holds no word at all


class Transformer(nn.Module):
    """Words and their places become vectors that read one another; their mean goes on: (B, L) ids to (B, K).

    Normalisation stands before attention and feed-forward parts, which trains without a warm-up of its own.

    Source: Vaswani et al. 2017 (attention is all you need); Xiong et al. 2020 (on layer normalization).
    """

    def __init__(
        self, model: TransformerModel, shape: tuple[int, ...], outputs: int, vocabulary: int
    ) -> None:
        super().__init__()
        if model.width % model.heads:
            raise InvalidRecipe(
                reason=f"model.width is {model.width}, which {model.heads} heads cannot share; "
                "make it a multiple of model.heads."
            )
        (length,) = shape
        self.words = nn.Embedding(vocabulary, model.width, padding_idx=_PADDING)
        self.places_LW = nn.Parameter(torch.randn(length, model.width) / model.width**0.5)
        self.dropout = nn.Dropout(model.dropout)
        self.blocks = nn.ModuleList(
            Block(model.width, heads=model.heads, dropout=model.dropout) for _ in range(model.layers)
        )
        self.norm = nn.LayerNorm(model.width)
        self.head = nn.Linear(model.width, outputs)

    def forward(self, words_BL: torch.Tensor) -> torch.Tensor:
        there_BL1 = (words_BL != _PADDING).unsqueeze(-1).to(torch.float32)
        unseen_B11L = ((1 - there_BL1) * _UNSEEN).squeeze(-1)[:, None, None, :]
        x_BLW = self.dropout(self.words(words_BL) + self.places_LW)
        for block in self.blocks:
            x_BLW = block(x_BLW, unseen_B11L)
        mean_BW = (self.norm(x_BLW) * there_BL1).sum(dim=1) / there_BL1.sum(dim=1).clamp(min=1)
        outputs_BK: torch.Tensor = self.head(self.dropout(mean_BW))
        return outputs_BK


class Block(nn.Module):
    """Attention between words, then a feed-forward part for each; both add to what they read, (B, L, W)."""

    def __init__(self, width: int, *, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.queries_keys_values = nn.Linear(width, 3 * width)
        self.attention_out = nn.Linear(width, width)
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x_BLW: torch.Tensor, unseen_B11L: torch.Tensor) -> torch.Tensor:
        x_BLW = x_BLW + self.dropout(self._attend(self.attention_norm(x_BLW), unseen_B11L))
        y_BLW: torch.Tensor = x_BLW + self.dropout(self.feed_forward(x_BLW))
        return y_BLW

    def _attend(self, x_BLW: torch.Tensor, unseen_B11L: torch.Tensor) -> torch.Tensor:
        queries_BHLD, keys_BHLD, values_BHLD = (
            part_BLW.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part_BLW in self.queries_keys_values(x_BLW).chunk(3, dim=-1)
        )
        found_BHLD = nn.functional.scaled_dot_product_attention(
            queries_BHLD, keys_BHLD, values_BHLD, attn_mask=unseen_B11L
        )
        y_BLW: torch.Tensor = self.attention_out(found_BHLD.transpose(1, 2).flatten(2))
        return y_BLW
