import numpy as np
import pytest
import torch
from sklearn import metrics
from torch.nn import functional

from lampyris_build.evaluation import generation
from lampyris_build.evaluation.generation import language_scores


def test_perplexity_is_the_exponential_of_torchs_cross_entropy() -> None:
    rng = np.random.default_rng(2)
    logits = rng.normal(0, 3, (20, 30, 11)).astype(np.float32)
    tokens = rng.integers(0, 11, (20, 30))

    scores = language_scores(logits, tokens)

    loss = functional.cross_entropy(
        torch.from_numpy(logits).reshape(-1, 11).double(), torch.from_numpy(tokens).reshape(-1)
    )
    assert scores["log_loss"] == pytest.approx(loss.item(), rel=1e-9)
    assert scores["perplexity"] == pytest.approx(loss.exp().item(), rel=1e-9)
    assert scores["bits_per_token"] == pytest.approx(loss.item() / np.log(2), rel=1e-9)
    assert scores["token_accuracy"] == metrics.accuracy_score(tokens.ravel(), logits.argmax(-1).ravel())


def test_model_that_knows_nothing_is_as_perplexed_as_there_are_tokens() -> None:
    scores = language_scores(np.zeros((2, 3, 65), np.float32), np.zeros((2, 3), np.int64))

    assert scores["perplexity"] == pytest.approx(65)


def test_large_logits_do_not_overflow() -> None:
    scores = language_scores(np.array([[[1000.0, 0.0]]], np.float32), np.array([[0]]))

    assert scores["log_loss"] == 0
    assert scores["perplexity"] == 1


def test_more_tokens_than_are_taken_at_once_give_the_same() -> None:
    rng = np.random.default_rng(3)
    vocabulary = generation._CHUNK // 4
    logits = rng.normal(size=(3, 3, vocabulary)).astype(np.float32)
    tokens = rng.integers(0, vocabulary, (3, 3))

    scores = language_scores(logits, tokens)

    each = [language_scores(logits[i : i + 1], tokens[i : i + 1])["log_loss"] for i in range(3)]
    assert scores["log_loss"] == pytest.approx(np.mean(each))


def test_logit_that_is_no_number_makes_the_loss_infinite() -> None:
    scores = language_scores(np.array([[[np.nan, 0.0]]], np.float32), np.array([[0]]))

    assert scores["perplexity"] == np.inf
