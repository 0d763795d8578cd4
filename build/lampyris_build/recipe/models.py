"""`[model]`: the architectures that a recipe can name, and the models that a user brings."""

from typing import Annotated, Any, Literal

import msgspec

from lampyris_build.recipe.section import Count, Name, NotNegative, Positive, Rate, Section


class Model(Section, frozen=True, kw_only=True, tag_field="architecture"):
    """What every architecture has: a name."""


class LinearModel(Model, frozen=True, kw_only=True, tag="linear-regression"):
    """A weight for each feature; `l2` holds them small (ridge regression)."""

    l2: NotNegative = 1.0


class LogisticModel(Model, frozen=True, kw_only=True, tag="logistic-regression"):
    """A weight for each feature and class; `l2` holds them small."""

    l2: Positive = 1.0


class SvmModel(Model, frozen=True, kw_only=True, tag="support-vector-machine"):
    """The widest margin between classes, or around a line. `c` is what a sample on the wrong side costs."""

    kernel: Literal["linear", "rbf", "poly"] = "rbf"
    c: Positive = 1.0


class ForestModel(Model, frozen=True, kw_only=True, tag="random-forest"):
    """Trees that vote, each grown on other samples and features."""

    trees: Count = 100
    max_depth: Count | None = None


class BoostingModel(Model, frozen=True, kw_only=True, tag="gradient-boosting"):
    """Trees that each correct those before them."""

    trees: Count = 100
    max_leaves: Annotated[int, msgspec.Meta(ge=2)] = 31
    learning_rate: Positive = 0.1


class MlpModel(Model, frozen=True, kw_only=True, tag="mlp"):
    """Fully connected layers; `hidden` holds the width of each."""

    hidden: tuple[Count, ...] = (64, 64)
    dropout: Rate = 0.0


class CnnModel(Model, frozen=True, kw_only=True, tag="cnn"):
    """One 3 x 3 convolution for each of `channels`, then a hidden layer; `hidden` 0: the mean of all places.

    `halves` says of each convolution whether it halves the picture: all do, by default. It does so by its
    "stride", or "max" pooling does after it: more accurate, and slower.
    """

    channels: Annotated[tuple[Count, ...], msgspec.Meta(min_length=1)] = (16, 32)
    halves: tuple[bool, ...] = ()
    pooling: Literal["stride", "max"] = "stride"
    hidden: Annotated[int, msgspec.Meta(ge=0)] = 128
    dropout: Rate = 0.0


class ResnetModel(Model, frozen=True, kw_only=True, tag="resnet"):
    """Whitened patches, then for each of `channels` a stage that halves the picture, and a residual block."""

    channels: Annotated[tuple[Count, ...], msgspec.Meta(min_length=1)] = (32, 64, 128)


class RecurrentModel(Model, frozen=True, kw_only=True, tag="recurrent"):
    """Layers of LSTM or GRU cells over a series."""

    cell: Literal["lstm", "gru"] = "gru"
    hidden: Count = 64
    layers: Count = 1
    dropout: Rate = 0.0


class TransformerModel(Model, frozen=True, kw_only=True, tag="transformer"):
    """A Transformer encoder over the words of a text; at most `length` of `vocabulary` words are read."""

    width: Count = 64
    heads: Count = 4
    layers: Count = 2
    length: Count = 128
    vocabulary: Annotated[int, msgspec.Meta(ge=8)] = 10_000
    dropout: Rate = 0.1


class AutoencoderModel(Model, frozen=True, kw_only=True, tag="autoencoder"):
    """Fully connected layers down to `code` values and back; what comes back wrong is unusual."""

    hidden: tuple[Count, ...] = (64,)
    code: Count = 8


class GanModel(Model, frozen=True, kw_only=True, tag="gan"):
    """A generator of pictures from `latent` random numbers, and the discriminator that it is to deceive."""

    latent: Count = 64
    channels: Count = 32


class GptModel(Model, frozen=True, kw_only=True, tag="gpt"):
    """A decoder-only Transformer over tokens, exported with a cache of keys and values."""

    width: Count = 128
    heads: Count = 4
    layers: Count = 4
    dropout: Rate = 0.1


class TorchModel(Model, frozen=True, kw_only=True, tag="torch"):
    """Your own nn.Module: `module` is "package.module:Name", called with `arguments`, then trained."""

    module: Annotated[str, msgspec.Meta(pattern=r"^[\w.]+:\w+$")]
    arguments: dict[str, Any] = msgspec.field(default_factory=dict)


class SklearnModel(Model, frozen=True, kw_only=True, tag="sklearn"):
    """Your own estimator or pipeline: `estimator` is "package.module:name", called with `arguments`."""

    estimator: Annotated[str, msgspec.Meta(pattern=r"^[\w.]+:\w+$")]
    arguments: dict[str, Any] = msgspec.field(default_factory=dict)


class OnnxModel(Model, frozen=True, kw_only=True, tag="onnx"):
    """A trained model in an .onnx file: evaluated, compressed and bundled."""

    path: Name


class KerasModel(Model, frozen=True, kw_only=True, tag="keras"):
    """A trained Keras model (.keras) or a TensorFlow SavedModel folder."""

    path: Name


class HuggingFaceModel(Model, frozen=True, kw_only=True, tag="hugging-face"):
    """A folder on disk as `save_pretrained` writes it, in safetensors, with the tokenizer's files."""

    path: Name
    length: Count = 128


# They learn by [training].
Network = (
    MlpModel
    | CnnModel
    | ResnetModel
    | RecurrentModel
    | TransformerModel
    | AutoencoderModel
    | GanModel
    | GptModel
    | TorchModel
)

AnyModel = (
    LinearModel
    | LogisticModel
    | SvmModel
    | ForestModel
    | BoostingModel
    | Network
    | SklearnModel
    | OnnxModel
    | KerasModel
    | HuggingFaceModel
)
