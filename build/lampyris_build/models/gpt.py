"""A decoder-only Transformer that learns what comes next, and answers token by token from a cache.

Shape suffixes: B batch, T tokens, P places in the cache, N layers, H heads, D width of a head, W width,
V vocabulary.
"""

import torch
from torch import nn

from lampyris_build.errors import InvalidRecipe
from lampyris_build.recipe.models import GptModel

_BASE = 10_000.0  # how slowly the slowest pair of a head turns

# Keys and values of one layer, (B, H, P, D).
Cache = tuple[torch.Tensor, torch.Tensor]


class Gpt(nn.Module):
    """Tokens (B, T) to logits for the token after each, (B, T, V).

    Source: Radford et al. 2019 (GPT-2); Su et al. 2021 (rotary positions); Zhang and Sennrich 2019 (RMSNorm);
    So et al. 2021 (squared ReLU); the whole in the spirit of Karpathy's nanoGPT and nanochat.
    """

    def __init__(self, model: GptModel, shape: tuple[int, ...], vocabulary: int) -> None:
        super().__init__()
        if model.width % (2 * model.heads):
            raise InvalidRecipe(
                reason=f"model.width is {model.width}; {model.heads} heads, each of pairs of values, "
                f"want a multiple of {2 * model.heads}."
            )
        (context,) = shape
        self.cache_shape = cache_shape(model, context)
        self.tokens = nn.Embedding(vocabulary, model.width)
        self.dropout = nn.Dropout(model.dropout)
        self.blocks = nn.ModuleList(
            Block(model.width, heads=model.heads, dropout=model.dropout) for _ in range(model.layers)
        )
        self.norm = nn.RMSNorm(model.width)
        self.head = nn.Linear(model.width, vocabulary, bias=False)
        nn.init.normal_(self.tokens.weight, std=model.width**-0.5)

    def forward(self, tokens_BT: torch.Tensor) -> torch.Tensor:
        position_1T = torch.arange(tokens_BT.shape[1], device=tokens_BT.device).unsqueeze(0)
        x_BTW = self.dropout(self.tokens(tokens_BT))
        for block in self.blocks:
            x_BTW, _ = block(x_BTW, position_1T)
        logits_BTV: torch.Tensor = self.head(self.norm(x_BTW))
        return logits_BTV

    def step(
        self,
        tokens_BT: torch.Tensor,
        position_B: torch.Tensor,
        keys_BNHPD: torch.Tensor,
        values_BNHPD: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Read on: tokens at `position` and after it to their logits (B, T, V), and the cache with them.

        The cache has its P places from the beginning, all zeros: serving takes no array without values. Each
        row has a position of its own, so that rows do not depend on one another. The token at position p is
        kept at place p modulo P: beyond P tokens the oldest are forgotten. T is P at most.
        """
        position_BT = position_B.clamp(min=0).unsqueeze(1) + torch.arange(
            tokens_BT.shape[1], device=tokens_BT.device
        )
        x_BTW = self.tokens(tokens_BT)
        caches = []
        for layer, block in enumerate(self.blocks):
            x_BTW, cache = block(x_BTW, position_BT, (keys_BNHPD[:, layer], values_BNHPD[:, layer]))
            caches.append(cache)
        keys, values = zip(*caches, strict=True)
        return self.head(self.norm(x_BTW)), torch.stack(keys, dim=1), torch.stack(values, dim=1)


def cache_shape(model: GptModel, context: int) -> tuple[int, int, int, int]:
    """Return the shape of one row's keys, and of its values: (N, H, P, D)."""
    return model.layers, model.heads, context, model.width // model.heads


class Block(nn.Module):
    """Attention to what came before, then a feed-forward part; both add to what they read, (B, T, W)."""

    def __init__(self, width: int, *, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.RMSNorm(width)
        self.queries_keys_values = nn.Linear(width, 3 * width, bias=False)
        self.attention_out = nn.Linear(width, width, bias=False)
        self.feed_forward_norm = nn.RMSNorm(width)
        self.widen = nn.Linear(width, 4 * width, bias=False)
        self.narrow = nn.Linear(4 * width, width, bias=False)
        self.dropout = nn.Dropout(dropout)
        # A block begins by adding nothing, so that the signal reaches the last of many unharmed.
        nn.init.zeros_(self.attention_out.weight)
        nn.init.zeros_(self.narrow.weight)

    def forward(
        self, x_BTW: torch.Tensor, position_BT: torch.Tensor, cache: Cache | None = None
    ) -> tuple[torch.Tensor, Cache]:
        """Read tokens; those before them are in the cache, or, without one, there are none."""
        queries_BHTD, keys, values = (
            part_BTW.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part_BTW in self.queries_keys_values(self.attention_norm(x_BTW)).chunk(3, dim=-1)
        )
        queries_BHTD, keys = _turned(queries_BHTD, position_BT), _turned(keys, position_BT)
        seen_B1TP = None
        if cache is not None:
            places = cache[0].shape[2]
            keys = _written(cache[0], keys, position_BT)
            values = _written(cache[1], values, position_BT)
            seen_B1TP = _seen(position_BT, places)
        found_BHTD = nn.functional.scaled_dot_product_attention(
            queries_BHTD,
            keys,
            values,
            attn_mask=seen_B1TP,
            is_causal=cache is None,
            dropout_p=self.dropout.p if self.training else 0.0,
        )
        x_BTW = x_BTW + self.dropout(self.attention_out(found_BHTD.transpose(1, 2).flatten(2)))
        wide = nn.functional.relu(self.widen(self.feed_forward_norm(x_BTW))).square()
        x_BTW = x_BTW + self.dropout(self.narrow(wide))
        return x_BTW, (keys, values)


def _turned(x_BHTD: torch.Tensor, position_BT: torch.Tensor) -> torch.Tensor:
    """Turn pairs of a head's values by angles that grow with the position: products then tell distances."""
    pairs = x_BHTD.shape[-1] // 2
    speed = _BASE ** (-torch.arange(pairs, dtype=torch.float32, device=x_BHTD.device) / pairs)
    angle_B1TD = position_BT[:, None, :, None].to(torch.float32) * speed
    cos, sin = angle_B1TD.cos(), angle_B1TD.sin()
    first, second = x_BHTD.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, first * sin + second * cos), dim=-1)


def _written(cache_BHPD: torch.Tensor, x_BHTD: torch.Tensor, position_BT: torch.Tensor) -> torch.Tensor:
    """Put each token's values at its place of the cache."""
    place_BT = position_BT % cache_BHPD.shape[2]
    return cache_BHPD.scatter(2, place_BT[:, None, :, None].expand_as(x_BHTD), x_BHTD)


def _seen(position_BT: torch.Tensor, places: int) -> torch.Tensor:
    """Say which places of the cache each token may read, (B, 1, T, P): none empty, none that follows it."""
    last_B1 = position_BT[:, -1:]
    # The position that a place holds now; negative where it holds none yet.
    held_BP = last_B1 - (last_B1 - torch.arange(places, device=last_B1.device)) % places
    held_B1P = held_BP.unsqueeze(1)
    return ((held_B1P >= 0) & (held_B1P <= position_BT.unsqueeze(2))).unsqueeze(1)
