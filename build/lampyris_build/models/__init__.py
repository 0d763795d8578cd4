"""Networks: one file for each architecture, to read and to copy.

All map preprocessed samples (B, *shape) to raw outputs (B, outputs): logits, or numbers of mean 0 and
deviation 1.
"""

from typing import Final, Literal

from torch import nn

from lampyris_build.errors import InvalidRecipe
from lampyris_build.imports.torch_module import torch_module
from lampyris_build.models.autoencoder import Autoencoder
from lampyris_build.models.cnn import Cnn
from lampyris_build.models.gan import Gan
from lampyris_build.models.gpt import Gpt
from lampyris_build.models.mlp import Mlp
from lampyris_build.models.recurrent import Recurrent
from lampyris_build.models.resnet import Resnet
from lampyris_build.models.transformer import Transformer
from lampyris_build.recipe.models import (
    AnyModel,
    AutoencoderModel,
    CnnModel,
    GanModel,
    GptModel,
    MlpModel,
    RecurrentModel,
    ResnetModel,
    TorchModel,
    TransformerModel,
)

_Data = Literal["pictures", "series", "vectors", "words"]
# What reads each kind of data, the first choice first.
_READERS: Final[dict[_Data, tuple[str, ...]]] = {
    "pictures": ("cnn", "resnet", "gan", "mlp", "autoencoder"),
    "series": ("recurrent", "mlp", "autoencoder"),
    "vectors": ("mlp", "autoencoder"),
    "words": ("transformer", "gpt"),
}
_DATA_OF_RANK: Final[dict[int, _Data]] = {1: "vectors", 2: "series", 3: "pictures"}


def network_for(model: AnyModel, shape: tuple[int, ...], outputs: int, vocabulary: int) -> nn.Module:
    """Make a network with random weights for preprocessed samples of that shape.

    `vocabulary` is how many ids there are where samples are ids of words or tokens, (L,), and 0 elsewhere.
    Raises: InvalidRecipe if the architecture cannot take such samples, or is no network.
    """
    _check_data(model, shape, vocabulary)
    match model:
        case MlpModel():
            return Mlp(model, shape, outputs)
        case CnnModel():
            return Cnn(model, shape, outputs)
        case ResnetModel():
            return Resnet(model, shape, outputs)
        case RecurrentModel():
            return Recurrent(model, shape, outputs)
        case TransformerModel():
            return Transformer(model, shape, outputs, vocabulary)
        case AutoencoderModel():
            return Autoencoder(model, shape)
        case GanModel():
            return Gan(model, shape)
        case GptModel():
            return Gpt(model, shape, outputs)
        case TorchModel():
            return torch_module(model, shape, outputs, vocabulary)
        case _:
            raise InvalidRecipe(
                reason=f"model.architecture {_name(model)} is no network; here it can be "
                f"{', '.join(sorted({name for names in _READERS.values() for name in names}))}."
            )


def _check_data(model: AnyModel, shape: tuple[int, ...], vocabulary: int) -> None:
    data = "words" if vocabulary else _DATA_OF_RANK[len(shape)]
    readable = [one for one, names in _READERS.items() if _name(model) in names]
    if readable and data not in readable:
        raise InvalidRecipe(
            reason=f"model.architecture {_name(model)} takes {' or '.join(readable)}, "
            f"but the dataset holds {data}; use {_READERS[data][0]}."
        )


def _name(model: AnyModel) -> str:
    return str(model.__struct_config__.tag)
