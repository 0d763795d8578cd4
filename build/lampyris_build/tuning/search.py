"""Which recipes are tried: all of a small space, or those that look best by what was found before.

They are chosen in rounds, each by the outcomes of the rounds before it alone: so it does not matter whether
the trials of a round are run one after the other, or at once on as many machines (decision 0020).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import Final

import msgspec
import optuna
from optuna.trial import Trial, TrialState

from lampyris_build.errors import InvalidRecipe
from lampyris_build.recipe import Recipe
from lampyris_build.tuning.space import combinations, draw, told
from lampyris_build.tuning.trials import Outcome, Tried

# So many are drawn before the sampler looks at what was found: they need not wait for each other.
_FIRST_ROUND: Final = 10
_ROUND: Final = 5
# The sampler may choose what was tried already; so often in a row, it has nothing new.
_REPEATED: Final = 50

# Makes the models of a round, in order; fewer outcomes than recipes end the search.
Run = Callable[[Sequence[Recipe]], Iterable[Outcome]]


@dataclass
class _Choice:
    """What was chosen in a round, by one of the sampler's trials or by several; `refused` makes no recipe."""

    trials: list[Trial]
    recipe: Recipe | None
    refused: str


def search(recipe: Recipe, run: Run) -> Iterator[Tried]:
    """Yield trials as they end, until [tune] has no more of them, or `run` ends the search.

    A space of nothing but lists is tried whole, in order, if it has no more combinations than there are
    trials. Else tree-structured Parzen estimators choose what looks best by the scores so far. Each choice is
    seeded by its number, so that the same outcomes lead to the same trials, in one run or in several.

    Source: Bergstra et al. 2011; Akiba et al. 2019 (Optuna).
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize")
    seen: dict[str, Outcome] = {}
    asked = _asked(study, recipe)
    is_whole = combinations(recipe) is not None
    while (left := recipe.tune.trials - len(seen)) > 0:
        size = left if is_whole else min(left, _ROUND if seen else _FIRST_ROUND)
        choices = _choose(study, recipe, asked, seen, size)
        if not choices:
            return
        outcomes = iter(run([one.recipe for one in choices.values() if one.recipe is not None]))
        for name, choice in choices.items():
            refused = Outcome(failure=choice.refused, elapsed_s=0) if choice.recipe is None else None
            outcome = refused or next(outcomes, None)
            if outcome is None:
                return
            seen[name] = outcome
            for trial in choice.trials:
                _tell(study, trial, outcome)
            changes = told(choice.trials[0].params)
            yield Tried(number=len(seen), changes=changes, recipe=choice.recipe, outcome=outcome)


def in_turn(make: Callable[[Recipe], Outcome], *, minutes: float | None) -> Run:
    """Make one model after the other, the first in any case, as long as there is time."""
    until_s = inf if minutes is None else monotonic() + 60 * minutes
    has_one = False

    def run(recipes: Sequence[Recipe]) -> Iterator[Outcome]:
        nonlocal has_one
        for recipe in recipes:
            if has_one and monotonic() >= until_s:
                return
            has_one = True
            yield make(recipe)

    return run


def _choose(
    study: optuna.Study, recipe: Recipe, asked: Iterator[Trial], seen: dict[str, Outcome], size: int
) -> dict[str, _Choice]:
    """Choose the recipes of a round, by names that tell them apart; none if there is nothing new."""
    choices: dict[str, _Choice] = {}
    repeated = 0
    while len(choices) < size and repeated < _REPEATED:
        trial = next(asked, None)
        if trial is None:
            break
        try:
            chosen, refused = draw(recipe, trial), ""
        except InvalidRecipe as error:
            chosen, refused = None, error.reason
        name = msgspec.json.encode(trial.params).decode() if chosen is None else chosen.digest
        repeated += 1
        if name in seen:
            _tell(study, trial, seen[name])
        elif name in choices:
            choices[name].trials.append(trial)
        else:
            repeated = 0
            choices[name] = _Choice([trial], chosen, refused)
    return choices


def _asked(study: optuna.Study, recipe: Recipe) -> Iterator[Trial]:
    whole = combinations(recipe)
    if whole is not None:
        for combination in whole:
            study.enqueue_trial(combination)
            yield study.ask()
        return
    while True:
        seed = (recipe.seed + len(study.trials)) % 2**32
        study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=_FIRST_ROUND)
        yield study.ask()


def _tell(study: optuna.Study, trial: Trial, outcome: Outcome) -> None:
    if outcome.forms:
        study.tell(trial, outcome.score)
    else:
        study.tell(trial, state=TrialState.FAIL)
