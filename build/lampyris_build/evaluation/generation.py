"""How well a model foresees what comes next.

Shape suffixes: N samples, T tokens, V vocabulary, R = N T.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_CHUNK: Final = 1 << 22  # logits in float64 at once: 32 MB


def language_scores(logits_NTV: NDArray[Any], tokens_NT: NDArray[Any]) -> dict[str, float]:
    """Return token_accuracy, log_loss (nats a token), perplexity (its exponential) and bits_per_token.

    `tokens_NT` are those that should have come, each one after the tokens that its logits were given for.
    A logit that is no number makes the losses infinite.
    """
    vocabulary = logits_NTV.shape[-1]
    logits_RV = logits_NTV.reshape(-1, vocabulary)
    tokens_R = np.asarray(tokens_NT).reshape(-1)
    right, loss = 0, 0.0
    step = max(1, _CHUNK // vocabulary)
    for start in range(0, len(tokens_R), step):
        part = logits_RV[start : start + step].astype(np.float64)
        wanted = tokens_R[start : start + step]
        right += int((part.argmax(axis=1) == wanted).sum())
        part -= part.max(axis=1, keepdims=True)
        sums = np.log(np.exp(part).sum(axis=1))
        loss += float((sums - part[np.arange(len(part)), wanted]).sum())
    mean = loss / len(tokens_R) if np.isfinite(loss) else np.inf
    return {
        "token_accuracy": right / len(tokens_R),
        "log_loss": mean,
        "perplexity": float(np.exp(mean)),
        "bits_per_token": mean / float(np.log(2)),
    }
