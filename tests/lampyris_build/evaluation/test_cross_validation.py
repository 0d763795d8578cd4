from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lampyris_build.data.dataset import Dataset, Feature, Kind, Samples
from lampyris_build.errors import DatasetBroken, InvalidRecipe
from lampyris_build.evaluation.cross_validation import Folds, cross_validate, fold_of
from lampyris_build.recipe import Recipe
from lampyris_build.recipe.reading import recipe_of


def _recipe(folds: int = 5, **others: Any) -> Recipe:
    document = {
        "name": "tried",
        "seed": 7,
        "dataset": {"source": "sklearn", "name": "iris"},
        "model": {"architecture": "logistic-regression"},
        "evaluation": {"folds": folds},
    }
    return recipe_of(document | others, "tried.toml")


def _dataset(
    targets: NDArray[Any],
    *,
    keys: NDArray[Any] | None = None,
    classes: tuple[str, ...] | None = None,
    kind: Kind = "vector",
) -> Dataset:
    """Samples whose only feature is their number; those of the test set are negative."""
    numbers = np.arange(len(targets), dtype=np.float32)[:, np.newaxis]
    test = Samples(inputs={"features": -1 - numbers}, targets=targets)
    return Dataset(
        name="numbers",
        digest="0" * 64,
        features=(Feature(name="features", kind=kind, shape=(1,)),),
        classes=classes,
        train=Samples(inputs={"features": numbers}, targets=targets, keys=keys),
        validation=test,
        test=test,
    )


def _numbers(samples: Samples) -> list[int]:
    return [int(number) for number in samples.inputs["features"][:, 0]]


LABELS = np.array([0] * 10 + [1] * 20 + [2] * 30)
CLASSES = ("a", "b", "c")


def test_every_sample_is_asked_once_and_never_learnt_then() -> None:
    recipe, dataset = _recipe(), _dataset(LABELS, classes=CLASSES)

    folds = [fold_of(recipe, dataset, number) for number in range(5)]

    assert sorted(number for fold in folds for number in _numbers(fold.test)) == list(range(60))
    for fold in folds:
        assert sorted(_numbers(fold.train) + _numbers(fold.test)) == list(range(60))


def test_test_set_is_in_no_fold() -> None:
    recipe, dataset = _recipe(), _dataset(LABELS, classes=CLASSES)

    for number in range(5):
        fold = fold_of(recipe, dataset, number)

        assert min(_numbers(fold.train) + _numbers(fold.test)) >= 0


def test_classes_keep_their_share_in_every_fold() -> None:
    recipe, dataset = _recipe(), _dataset(LABELS, classes=CLASSES)

    for number in range(5):
        targets = fold_of(recipe, dataset, number).test.targets

        assert targets is not None
        assert np.bincount(targets).tolist() == [2, 4, 6]


def test_fold_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    dataset = _dataset(LABELS, classes=CLASSES)

    once, again, other = (_numbers(fold_of(_recipe(seed=seed), dataset, 2).test) for seed in (7, 7, 8))

    assert once == again
    assert once != other


@pytest.mark.parametrize("classes", [CLASSES, None])
def test_groups_are_never_learnt_and_asked_at_once(classes: tuple[str, ...] | None) -> None:
    groups = np.array([f"patient {number % 12}" for number in range(60)], object)
    recipe = _recipe(evaluation={"folds": 4, "by": "group"})
    dataset = _dataset(LABELS, keys=groups, classes=classes)

    for number in range(4):
        fold = fold_of(recipe, dataset, number)

        assert fold.train.keys is not None
        assert fold.test.keys is not None
        assert not set(fold.train.keys) & set(fold.test.keys)


def test_data_that_were_split_by_group_are_folded_by_group() -> None:
    groups = np.arange(60) % 6
    recipe = _recipe(split={"by": "group", "column": "patient"})

    fold = fold_of(recipe, _dataset(LABELS, keys=groups, classes=CLASSES), 0)

    assert fold.train.keys is not None
    assert fold.test.keys is not None
    assert not set(fold.train.keys) & set(fold.test.keys)


def test_moments_of_a_series_are_learnt_before_they_are_asked() -> None:
    recipe = _recipe(task="regression")
    dataset = _dataset(np.arange(60, dtype=np.float32), kind="series")

    for number in range(5):
        fold = fold_of(recipe, dataset, number)

        assert max(_numbers(fold.train)) < min(_numbers(fold.test))


def test_no_window_that_is_learnt_shares_a_row_with_one_that_is_asked() -> None:
    window = {"length": 4, "horizon": 2, "stride": 2}
    recipe = _recipe(folds=3, task="regression", window=window)
    dataset = _dataset(np.arange(60, dtype=np.float32), kind="series")

    for number in range(3):
        fold = fold_of(recipe, dataset, number)

        # The window with number n holds the rows from 2 n on, and foretells row 2 n + 3 + 2.
        last_row_learnt = 2 * max(_numbers(fold.train)) + 3 + 2
        first_row_asked = 2 * min(_numbers(fold.test))
        assert last_row_learnt < first_row_asked


def test_numbers_are_folded_at_random() -> None:
    recipe = _recipe(task="regression")

    asked = _numbers(fold_of(recipe, _dataset(np.arange(60, dtype=np.float32)), 0).test)

    assert len(asked) == 12
    assert np.diff(sorted(asked)).max() > 1


def test_mean_and_spread_are_those_of_the_folds() -> None:
    seen = []

    def fit_fold(number: int, dataset: Dataset) -> Mapping[str, float]:
        seen.append((number, dataset.name))
        return {"score": len(seen) / 10, "auc": 1.0} if len(seen) > 1 else {"score": 0.1}

    folds = cross_validate(_recipe(folds=3), _dataset(LABELS, classes=CLASSES), fit_fold)

    assert seen == [(0, "numbers, fold 1"), (1, "numbers, fold 2"), (2, "numbers, fold 3")]
    assert folds.mean == {"score": pytest.approx(0.2)}
    assert folds.spread == {"score": pytest.approx(np.std([0.1, 0.2, 0.3], ddof=1))}


def test_score_that_a_fold_lacks_has_no_mean() -> None:
    folds = Folds(scores=({"score": 1.0, "roc_auc": 1.0}, {"score": 0.5}))

    assert folds.mean == {"score": 0.75}


@pytest.mark.parametrize(
    ("recipe", "dataset", "message"),
    [
        (
            _recipe(folds=11),
            _dataset(LABELS, classes=CLASSES),
            "class 'a' has 10 samples in the training set, too few for 11 folds; lower evaluation.folds",
        ),
        (
            _recipe(folds=40),
            _dataset(LABELS, classes=CLASSES),
            "60 samples are too few for 40 folds; lower evaluation.folds, or add data.",
        ),
        (
            _recipe(evaluation={"folds": 5, "by": "group"}),
            _dataset(LABELS, classes=CLASSES, keys=LABELS),
            "3 groups in the training set are too few for 5 folds; lower evaluation.folds, or add data.",
        ),
        (
            _recipe(evaluation={"folds": 5, "by": "stratified"}, task="regression"),
            _dataset(np.arange(60, dtype=np.float32)),
            'evaluation.by is "stratified", but the targets are no classes; "random" divides numbers.',
        ),
    ],
)
def test_too_little_for_so_many_folds_is_said(recipe: Recipe, dataset: Dataset, message: str) -> None:
    with pytest.raises(DatasetBroken) as caught:
        fold_of(recipe, dataset, 0)

    assert message in str(caught.value)


def test_groups_without_a_column_are_said() -> None:
    recipe = _recipe(evaluation={"folds": 5, "by": "group"})

    with pytest.raises(InvalidRecipe, match=r'evaluation\.by is "group", which needs split\.column'):
        fold_of(recipe, _dataset(LABELS, classes=CLASSES), 0)
