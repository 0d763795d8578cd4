"""A folder as `save_pretrained` of Hugging Face's transformers writes it. Needs the extra `hugging-face`.

Nothing is downloaded, no code of the folder is run, and weights are read from safetensors alone. A tokenizer
cannot be part of the graph: callers send what it makes of a text, `input_ids` and `attention_mask`.

Shape suffixes: B batch, L tokens of a text, H height, W width, C channels, K classes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import numpy as np
import torch
from torch import nn

from lampyris_build.data.dataset import Dataset, Feature, Inputs, Samples
from lampyris_build.errors import ExtraMissing, InvalidRecipe, in_a_line
from lampyris_build.learner import Learner
from lampyris_build.preprocessing.encoding import Encoding
from lampyris_build.preprocessing.module import Preprocessing
from lampyris_build.recipe.models import HuggingFaceModel
from lampyris_build.tasks.task import Task, as_tensors
from lampyris_build.trained import TrainedNetwork

_IDS: Final = "input_ids"
_MASK: Final = "attention_mask"
_CHUNK: Final = 1024  # texts
_PROCESSORS: Final = ("preprocessor_config.json", "processor_config.json")


class _Text(nn.Module):
    """Token ids (B, L) and what of them is no padding, (B, L), to (B, 2, L)."""

    def forward(self, ids_BL: torch.Tensor, mask_BL: torch.Tensor) -> torch.Tensor:
        return torch.stack((ids_BL, mask_BL), dim=1)


class _Picture(nn.Module):
    """Raw pixels (B, H, W, C), 0 to 255, to (B, C, H, W) as the folder's image processor makes them."""

    def __init__(self, processor: "_ImageProcessor") -> None:
        super().__init__()
        self._size = (processor.size["height"], processor.size["width"])
        self._mode = "bilinear" if processor.resample == 2 else "bicubic"  # noqa: PLR2004 - as said there
        self._scale = processor.rescale_factor if processor.do_rescale else 1.0
        mean, std = processor.image_mean, processor.image_std
        if not processor.do_normalize:
            mean, std = (0.0,), (1.0,)
        self.register_buffer("mean", torch.tensor(mean).reshape(-1, 1, 1))
        self.register_buffer("std", torch.tensor(std).reshape(-1, 1, 1))
        self.mean: torch.Tensor
        self.std: torch.Tensor

    def forward(self, pixels_BHWC: torch.Tensor) -> torch.Tensor:
        pixels_BCHW = pixels_BHWC.permute(0, 3, 1, 2).to(torch.float32)
        if pixels_BCHW.shape[2:] != self._size:
            pixels_BCHW = nn.functional.interpolate(pixels_BCHW, self._size, mode=self._mode, antialias=True)
        return (pixels_BCHW * self._scale - self.mean) / self.std


class _Classifier(nn.Module):
    """A classifier of transformers: its inputs to logits (B, K), in the dataset's order of classes."""

    def __init__(self, model: Any, order: list[int]) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("order", torch.tensor(order))
        self.order: torch.Tensor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.is_floating_point():
            logits_BK = self.model(pixel_values=x, return_dict=False)[0]
        else:
            logits_BK = self.model(input_ids=x[:, 0], attention_mask=x[:, 1], return_dict=False)[0]
        ordered_BK: torch.Tensor = logits_BK[:, self.order]
        return ordered_BK


class _ImageProcessor(msgspec.Struct, frozen=True, kw_only=True):
    """What the folder says of how pictures become its model's input."""

    size: dict[str, int]
    image_mean: tuple[float, ...] = (0.0,)
    image_std: tuple[float, ...] = (1.0,)
    rescale_factor: float = 1 / 255
    resample: Literal[2, 3] = 2  # Pillow's numbers of bilinear and bicubic
    do_resize: bool = True
    do_rescale: bool = True
    do_normalize: bool = True
    do_center_crop: bool | None = False


def tokenised(model: HuggingFaceModel, dataset: Dataset) -> Dataset:
    """Return the dataset as the model takes it: its texts as the folder's tokenizer makes tokens of them.

    Raises: ExtraMissing; InvalidRecipe if the folder has no tokenizer.
    """
    if dataset.holds_images:
        return dataset
    if [feature.kind for feature in dataset.features] != ["text"]:
        kinds = ", ".join(f"{feature.name!r} ({feature.kind})" for feature in dataset.features)
        raise InvalidRecipe(
            reason=f"model.architecture hugging-face takes pictures, or one column of text; {dataset.name} "
            f"has {kinds}. Name the column in dataset.columns, with its type in dataset.types."
        )
    with _loading(model) as transformers:
        tokenizer = transformers.AutoTokenizer.from_pretrained(
            Path(model.path).expanduser(), local_files_only=True, trust_remote_code=False
        )

    def of(samples: Samples) -> Samples:
        return replace(samples, inputs=_tokens(tokenizer, next(iter(samples.inputs.values())), model.length))

    return replace(
        dataset,
        features=tuple(Feature(name=name, kind="tokens", shape=(model.length,)) for name in (_IDS, _MASK)),
        train=of(dataset.train),
        validation=of(dataset.validation),
        test=of(dataset.test),
    )


def import_hugging_face(model: HuggingFaceModel, dataset: Dataset, task: Task) -> TrainedNetwork:
    """Load a classifier of texts or pictures, for a dataset as it takes it.

    Raises: ExtraMissing; InvalidRecipe if the folder holds no such classifier, or one of other classes.
    """
    if task.labels is None:
        raise InvalidRecipe(reason="model.architecture hugging-face is for task classification.")
    with _loading(model) as transformers:
        kind = (
            transformers.AutoModelForImageClassification
            if dataset.holds_images
            else transformers.AutoModelForSequenceClassification
        )
        network, report = kind.from_pretrained(
            Path(model.path).expanduser(),
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    if report["missing_keys"]:
        raise InvalidRecipe(
            reason=f"model.path {model.path} has no weights for {min(report['missing_keys'])}: it was not "
            "trained to classify. Fine-tune it first, and save the classifier."
        )
    learner = Learner(
        preprocessing=_preprocessing(model, dataset),
        augmentation=nn.Identity(),
        network=_Classifier(network, _order(model, network.config.id2label, task.labels)),
        task=task,
    )
    example = dataset.train.take(slice(0, 2)).inputs
    _try(learner.eval(), model, example)
    encoding = Encoding.fit(dataset.features, dataset.train, length=1, vocabulary=2)  # there are no strings
    return TrainedNetwork(learner, encoding, example)


@contextmanager
def _loading(model: HuggingFaceModel) -> Iterator[Any]:
    """Lend transformers; tell what it cannot load."""
    try:
        import transformers  # noqa: PLC0415 - an extra, which takes seconds to import
    except ImportError as error:
        raise ExtraMissing(wanted="model.architecture hugging-face", extra="hugging-face") from error
    log: Any = transformers.logging
    log.set_verbosity_error()
    log.disable_progress_bar()
    if not Path(model.path).expanduser().is_dir():
        raise InvalidRecipe(reason=f"model.path {model.path}: there is no such folder.")
    try:
        yield transformers
    # Folders can be broken in many ways, and it raises whatever its parts raise.
    except Exception as error:
        raise InvalidRecipe(
            reason=f"model.path {model.path} cannot be loaded by transformers: {in_a_line(error)}"
        ) from error


def _tokens(tokenizer: Any, texts: Any, length: int) -> Inputs:
    parts = [
        tokenizer(
            list(texts[start : start + _CHUNK]),
            padding="max_length",
            truncation=True,
            max_length=length,
            return_tensors="np",
        )
        for start in range(0, len(texts), _CHUNK)
    ]
    return {name: np.concatenate([part[name] for part in parts]).astype(np.int64) for name in (_IDS, _MASK)}


def _preprocessing(model: HuggingFaceModel, dataset: Dataset) -> Preprocessing:
    if not dataset.holds_images:
        return Preprocessing(_Text(), (2, model.length))
    processor = _image_processor(model)
    shape = (dataset.features[0].shape[2], processor.size["height"], processor.size["width"])
    return Preprocessing(_Picture(processor), shape)


def _image_processor(model: HuggingFaceModel) -> _ImageProcessor:
    for name in _PROCESSORS:
        path = Path(model.path).expanduser() / name
        if not path.is_file():
            continue
        try:
            processor = msgspec.json.decode(path.read_bytes(), type=_ImageProcessor)
        except msgspec.MsgspecError as error:
            raise InvalidRecipe(reason=f"model.path {model.path}: in {name}, {error}.") from error
        if set(processor.size) != {"height", "width"} or processor.do_center_crop or not processor.do_resize:
            raise InvalidRecipe(
                reason=f"model.path {model.path}: {name} cuts pictures to shape, or leaves their size open; "
                "only resizing all to one height and width can be part of the graph."
            )
        return processor
    raise InvalidRecipe(
        reason=f"model.path {model.path} has no {_PROCESSORS[0]}, which says how pictures become its input."
    )


def _order(model: HuggingFaceModel, label_of: dict[int, str], classes: tuple[str, ...]) -> list[int]:
    """Return the place of each of the dataset's classes among the model's: by name, if it names them."""
    places = {str(label): int(place) for place, label in label_of.items()}
    if set(places) == set(classes):
        return [places[label] for label in classes]
    unnamed = all(label == f"LABEL_{place}" for label, place in places.items())
    if unnamed and len(places) == len(classes):
        return list(range(len(classes)))
    raise InvalidRecipe(
        reason=f"model.path {model.path} tells {', '.join(map(repr, places))} apart, and the dataset has the "
        f"classes {', '.join(map(repr, classes))}: they must be the same (id2label in config.json)."
    )


def _try(learner: Learner, model: HuggingFaceModel, example: Inputs) -> None:
    try:
        with torch.inference_mode():
            learner.answers(*as_tensors(example))
    except Exception as error:
        raise InvalidRecipe(
            reason=f"model.path {model.path} cannot take samples of the dataset, with model.length "
            f"{model.length}: {in_a_line(error)}"
        ) from error
