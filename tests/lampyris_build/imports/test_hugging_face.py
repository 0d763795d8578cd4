import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers

from lampyris_build.data.dataset import Dataset, Feature, Samples
from lampyris_build.errors import InvalidRecipe
from lampyris_build.evaluation.session import open_session, run
from lampyris_build.imports import as_taken, import_model
from lampyris_build.recipe import Recipe
from lampyris_build.recipe.reading import recipe_of
from lampyris_build.tasks import task_for

transformers = pytest.importorskip("transformers")

WORDS = ("[PAD]", "[UNK]", "good", "bad", "film", "a", "very", "no")
TEXTS = ("a good film", "bad", "a very very bad film with no plot", "no", "good good")
LABELS = ("negative", "positive")
SMALL = {"hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1, "intermediate_size": 16}


def _recipe(folder: Path, **model: Any) -> Recipe:
    table = {"architecture": "hugging-face", "path": str(folder), "length": 8, **model}
    return recipe_of({"name": "own", "dataset": {"source": "sklearn", "name": "iris"}, "model": table}, "own")


def _dataset(features: tuple[Feature, ...], inputs: dict[str, Any], classes: tuple[str, ...]) -> Dataset:
    count = len(next(iter(inputs.values())))
    samples = Samples(inputs=inputs, targets=np.arange(count) % len(classes))
    return Dataset(
        name="own",
        digest="0" * 64,
        features=features,
        classes=classes,
        train=samples,
        validation=samples,
        test=samples,
    )


@pytest.fixture
def texts() -> Dataset:
    feature = Feature(name="review", kind="text")
    return _dataset((feature,), {"review": np.array(TEXTS, dtype=object)}, LABELS)


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of random weights that names its classes in the other order; its tokenizer has eight words."""
    folder = tmp_path_factory.mktemp("bert")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(WORDS), max_position_embeddings=16, id2label={0: "positive", 1: "negative"}, **SMALL
    )
    transformers.BertForSequenceClassification(config).save_pretrained(folder)
    words = models.WordLevel(vocab={word: place for place, word in enumerate(WORDS)}, unk_token="[UNK]")
    tokenizer = Tokenizer(words)
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]"
    ).save_pretrained(folder)
    return folder


def test_texts_become_the_tokens_of_the_folders_tokenizer(bert: Path, texts: Dataset) -> None:
    taken = as_taken(_recipe(bert), texts)

    assert [(one.name, one.kind, one.shape) for one in taken.features] == [
        ("input_ids", "tokens", (8,)),
        ("attention_mask", "tokens", (8,)),
    ]
    assert taken.test.inputs["input_ids"][0].tolist() == [5, 2, 4, 0, 0, 0, 0, 0]
    assert taken.test.inputs["attention_mask"][0].tolist() == [1, 1, 1, 0, 0, 0, 0, 0]


def test_exported_classifier_answers_as_transformers_does_in_the_datasets_order(
    bert: Path, texts: Dataset, tmp_path: Path
) -> None:
    recipe = _recipe(bert)
    taken = as_taken(recipe, texts)

    trained = import_model(recipe, taken, task_for(recipe, taken))
    trained.export(tmp_path / "model.onnx")

    model = transformers.AutoModelForSequenceClassification.from_pretrained(bert).eval()
    with torch.no_grad():
        inputs = {name: torch.from_numpy(values) for name, values in taken.test.inputs.items()}
        expected = torch.softmax(model(**inputs).logits, dim=-1).numpy()[:, ::-1]
    (answers,) = run(open_session(tmp_path / "model.onnx"), taken.test.inputs)
    np.testing.assert_allclose(answers, expected, atol=1e-6)
    np.testing.assert_allclose(trained.predict(taken.test.inputs)[0], expected, atol=1e-6)
    assert trained.signature.labels == LABELS


def test_pictures_are_prepared_in_the_graph_as_the_folder_says(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = transformers.ViTConfig(image_size=8, patch_size=4, num_labels=2, **SMALL)
    transformers.ViTForImageClassification(config).save_pretrained(tmp_path)
    processor = {"size": {"height": 8, "width": 8}, "image_mean": [0.5] * 3, "image_std": [0.25] * 3}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(processor))
    pixels = np.random.default_rng(0).integers(0, 256, (4, 12, 10, 3), dtype=np.uint8)
    dataset = _dataset((Feature(name="image", kind="image", shape=(12, 10, 3)),), {"image": pixels}, LABELS)
    recipe = _recipe(tmp_path)

    trained = import_model(recipe, as_taken(recipe, dataset), task_for(recipe, dataset))
    trained.export(tmp_path / "model.onnx")

    model = transformers.AutoModelForImageClassification.from_pretrained(tmp_path).eval()
    resized = np.stack(
        [np.asarray(Image.fromarray(one).resize((8, 8), Image.Resampling.BILINEAR)) for one in pixels]
    )
    prepared = torch.from_numpy((resized / 255 - 0.5) / 0.25).float().permute(0, 3, 1, 2)
    with torch.no_grad():
        expected = torch.softmax(model(prepared).logits, dim=-1).numpy()
    (answers,) = run(open_session(tmp_path / "model.onnx"), {"image": pixels})
    # Pillow rounds what it resizes to whole grey levels.
    np.testing.assert_allclose(answers, expected, atol=1e-3)


@pytest.mark.parametrize(
    ("processor", "sentence"),
    [
        ({"size": {"shortest_edge": 256}}, r"preprocessor_config\.json cuts pictures to shape"),
        ({"size": {"height": 8, "width": 8}, "do_center_crop": True}, r"cuts pictures to shape"),
        (
            {"size": {"height": 8, "width": 8}, "resample": 1},
            r"in preprocessor_config\.json, Invalid enum value 1",
        ),
    ],
)
def test_pictures_that_the_graph_cannot_prepare_alike_are_refused(
    tmp_path: Path, processor: dict[str, Any], sentence: str
) -> None:
    config = transformers.ViTConfig(image_size=8, patch_size=4, num_labels=2, **SMALL)
    transformers.ViTForImageClassification(config).save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(processor))
    feature = Feature(name="image", kind="image", shape=(8, 8, 3))
    dataset = _dataset((feature,), {"image": np.zeros((2, 8, 8, 3), np.uint8)}, LABELS)
    recipe = _recipe(tmp_path)

    with pytest.raises(InvalidRecipe, match=sentence):
        import_model(recipe, dataset, task_for(recipe, dataset))


def test_model_that_was_not_trained_to_classify_is_refused(
    bert: Path, texts: Dataset, tmp_path: Path
) -> None:
    config = transformers.BertConfig(vocab_size=len(WORDS), max_position_embeddings=16, **SMALL)
    transformers.BertModel(config).save_pretrained(tmp_path)
    taken = as_taken(_recipe(bert), texts)
    recipe = _recipe(tmp_path)

    with pytest.raises(InvalidRecipe, match=r"has no weights for classifier\.bias: it was not trained"):
        import_model(recipe, taken, task_for(recipe, taken))


def test_weights_that_are_no_safetensors_are_refused(bert: Path, texts: Dataset, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((bert / "config.json").read_bytes())
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickled")
    taken = as_taken(_recipe(bert), texts)
    recipe = _recipe(tmp_path)

    with pytest.raises(InvalidRecipe, match=r"cannot be loaded by transformers: .*safetensors"):
        import_model(recipe, taken, task_for(recipe, taken))


def test_text_longer_than_the_model_reads_is_told(bert: Path, texts: Dataset) -> None:
    recipe = _recipe(bert, length=64)
    taken = as_taken(recipe, texts)

    with pytest.raises(InvalidRecipe, match=r"cannot take samples of the dataset, with model\.length 64"):
        import_model(recipe, taken, task_for(recipe, taken))


def test_other_classes_than_the_datasets_are_told(bert: Path, texts: Dataset) -> None:
    recipe = _recipe(bert)
    feature = Feature(name="review", kind="text")
    other = as_taken(recipe, _dataset((feature,), dict(texts.test.inputs), ("dull", "fun")))

    with pytest.raises(InvalidRecipe, match=r"tells 'positive', 'negative' apart, .* classes 'dull', 'fun'"):
        import_model(recipe, other, task_for(recipe, other))


def test_dataset_without_a_text_is_refused(bert: Path) -> None:
    numbers = _dataset((Feature(name="age", kind="number"),), {"age": np.zeros(2, np.float32)}, LABELS)

    with pytest.raises(InvalidRecipe, match=r"one column of text; own has 'age' \(number\)"):
        as_taken(_recipe(bert), numbers)


def test_folder_that_is_not_there_is_told(texts: Dataset, tmp_path: Path) -> None:
    with pytest.raises(InvalidRecipe, match=r"there is no such folder"):
        as_taken(_recipe(tmp_path / "nowhere"), texts)
