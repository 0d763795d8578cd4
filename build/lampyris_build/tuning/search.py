"""Which recipes are tried: all of a small space, or those that look best by what was found before."""

from collections.abc import Callable, Iterator
from time import monotonic
from typing import Final

import msgspec
import optuna
from optuna.trial import Trial, TrialState

from lampyris_build.errors import InvalidRecipe
from lampyris_build.recipe import Recipe
from lampyris_build.tuning.space import combinations, draw, told
from lampyris_build.tuning.trials import Outcome, Tried

# The sampler may choose what was tried already; so often in a row, it has nothing new.
_REPEATED: Final = 50


def search(recipe: Recipe, run: Callable[[Recipe], Outcome]) -> Iterator[Tried]:
    """Yield trials as they end, until [tune] has no more of them, or its minutes are over.

    A space of nothing but lists is tried whole, in order, if it has no more combinations than there are
    trials. Else tree-structured Parzen estimators choose what looks best by the scores so far. Each choice is
    seeded by its number, so that the same outcomes lead to the same trials, in one run or in several.

    Source: Bergstra et al. 2011; Akiba et al. 2019 (Optuna).
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize")
    minutes = recipe.tune.minutes
    until_s = float("inf") if minutes is None else monotonic() + 60 * minutes
    seen: dict[str, Outcome] = {}
    repeated = 0
    for trial in _asked(study, recipe):
        is_late = seen and monotonic() >= until_s
        if is_late or len(seen) == recipe.tune.trials or repeated == _REPEATED:
            return
        try:
            chosen, refused = draw(recipe, trial), ""
        except InvalidRecipe as error:
            chosen, refused = None, error.reason
        name = msgspec.json.encode(trial.params).decode() if chosen is None else chosen.digest
        if name in seen:
            repeated += 1
            _tell(study, trial, seen[name])
            continue
        outcome = Outcome(failure=refused, elapsed_s=0) if chosen is None else run(chosen)
        repeated, seen[name] = 0, outcome
        _tell(study, trial, outcome)
        yield Tried(number=len(seen), changes=told(trial.params), recipe=chosen, outcome=outcome)


def _asked(study: optuna.Study, recipe: Recipe) -> Iterator[Trial]:
    whole = combinations(recipe)
    if whole is not None:
        for combination in whole:
            study.enqueue_trial(combination)
            yield study.ask()
        return
    while True:
        seed = (recipe.seed + len(study.trials)) % 2**32
        study.sampler = optuna.samplers.TPESampler(seed=seed)
        yield study.ask()


def _tell(study: optuna.Study, trial: Trial, outcome: Outcome) -> None:
    if outcome.forms:
        study.tell(trial, outcome.score)
    else:
        study.tell(trial, state=TrialState.FAIL)
