"""LSTM or GRU cells that read a series moment by moment.

Shape suffixes: B batch, T moments, F features, D hidden, K outputs.
"""

import torch
from torch import nn

from lampyris_build.recipe.models import RecurrentModel


class Recurrent(nn.Module):
    """Layers of cells; what the last one knows at the end goes through one linear layer: (B, T, F) to (B, K).

    Exported, each layer is one LSTM or GRU operator.

    Source: Hochreiter and Schmidhuber 1997 (LSTM); Cho et al. 2014 (GRU).
    """

    def __init__(self, model: RecurrentModel, shape: tuple[int, ...], outputs: int) -> None:
        super().__init__()
        _, features = shape
        self.cells = (nn.LSTM if model.cell == "lstm" else nn.GRU)(
            features,
            model.hidden,
            model.layers,
            batch_first=True,
            dropout=model.dropout if model.layers > 1 else 0.0,  # torch's stands between layers
        )
        self.dropout = nn.Dropout(model.dropout)
        self.head = nn.Linear(model.hidden, outputs)

    def forward(self, series_BTF: torch.Tensor) -> torch.Tensor:
        states_BTD, _ = self.cells(series_BTF)
        outputs_BK: torch.Tensor = self.head(self.dropout(states_BTD[:, -1]))
        return outputs_BK
