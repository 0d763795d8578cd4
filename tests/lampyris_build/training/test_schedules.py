import pytest
import torch
from torch import nn, optim

from lampyris_build.errors import InvalidRecipe
from lampyris_build.recipe.training import Training
from lampyris_build.training.schedules import OURS, constant, cosine, linear, one_cycle, schedule_for, step

TORCHS = {
    "StepLR": {"step_size": 3},
    "MultiStepLR": {"milestones": [2, 5]},
    "ConstantLR": {},
    "LinearLR": {},
    "ExponentialLR": {"gamma": 0.9},
    "CosineAnnealingLR": {},
    "CosineAnnealingWarmRestarts": {"T_0": 4},
    "CyclicLR": {"step_size_up": 3},
    "OneCycleLR": {},
    "PolynomialLR": {},
    "ReduceLROnPlateau": {"patience": 2},
}


def rates(settings: Training, steps: int = 10) -> list[float]:
    optimizer = optim.SGD(nn.Linear(2, 2).parameters(), lr=settings.learning_rate, momentum=0.9)
    schedule = schedule_for(settings, optimizer, steps)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step(*([1.0] if settings.schedule == "ReduceLROnPlateau" else []))  # type: ignore[arg-type]  # of its own kind
    return found


def test_one_cycle_rises_to_its_peak_and_falls_to_nothing() -> None:
    shares = [one_cycle(progress) for progress in (0, 0.15, 0.3, 0.65, 1)]

    assert shares == pytest.approx([0.04, 0.52, 1, 0.5, 0], abs=1e-12)


def test_cosine_falls_from_its_peak_to_its_end() -> None:
    shares = [cosine(progress, end=0.2) for progress in (0, 0.5, 1)]

    assert shares == pytest.approx([1, 0.6, 0.2])


def test_linear_falls_in_a_straight_line_after_its_warm_up() -> None:
    shares = [linear(progress, warm_up=0.2) for progress in (0, 0.1, 0.2, 0.6, 1)]

    assert shares == pytest.approx([0, 0.5, 1, 0.5, 0])


def test_step_falls_at_the_shares_that_it_is_given() -> None:
    shares = [step(progress, at=(0.5, 0.8), factor=0.1) for progress in (0, 0.49, 0.5, 0.8, 1)]

    assert shares == pytest.approx([1, 1, 0.1, 0.01, 0.01])


def test_constant_stays() -> None:
    assert [constant(progress) for progress in (0, 0.7, 1)] == [1, 1, 1]


@pytest.mark.parametrize("name", OURS)
def test_no_schedule_exceeds_the_learning_rate(name: str) -> None:
    found = rates(Training(epochs=1, learning_rate=0.5, schedule=name))

    assert max(found) <= 0.5
    assert all(rate >= 0 for rate in found)


def test_options_reach_a_schedule_of_ours() -> None:
    found = rates(
        Training(epochs=1, learning_rate=0.5, schedule="constant", schedule_options={"warm_up": 0.5})
    )

    assert found == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.5, 0.5, 0.5, 0.5])


@pytest.mark.parametrize(("name", "options"), TORCHS.items(), ids=TORCHS)
def test_schedule_of_torch_is_found_by_its_name(name: str, options: dict[str, object]) -> None:
    found = rates(Training(epochs=1, learning_rate=0.5, schedule=name, schedule_options=options))

    assert all(0 <= rate <= 0.5 + 1e-9 for rate in found)


def test_every_schedule_of_torch_that_a_recipe_can_hold_is_tried_here() -> None:
    of_code = {"LRScheduler", "LambdaLR", "MultiplicativeLR", "SequentialLR", "ChainedScheduler"}

    assert set(TORCHS) | of_code == set(optim.lr_scheduler.__all__)


def test_length_of_a_schedule_of_torch_is_that_of_the_training() -> None:
    found = rates(Training(epochs=1, learning_rate=0.5, schedule="CosineAnnealingLR"), steps=100)

    assert found[50] == pytest.approx(0.25)
    assert found[-1] < 0.001


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("cosin", {}, r"training\.schedule is 'cosin'; did you mean 'cosine'\? It can be constant, cosine, "),
        ("steplr", {}, "did you mean 'StepLR'"),
        ("LambdaLR", {}, "training.schedule is 'LambdaLR'"),
        ("cosine", {"warmup": 0.1}, "has 'warmup', which cosine does not take; did you mean 'warm_up'"),
        ("StepLR", {"stepsize": 1}, "has 'stepsize', which StepLR does not take; did you mean 'step_size'"),
        ("StepLR", {}, "StepLR cannot be made: .*step_size"),
        ("cosine", {"end": "low"}, "cosine cannot be made: "),
        ("OneCycleLR", {"pct_start": 7.0}, "OneCycleLR cannot be made: "),
    ],
)
def test_schedule_that_cannot_be_made_is_refused(name: str, options: dict[str, object], told: str) -> None:
    with pytest.raises(InvalidRecipe, match=told):
        rates(Training(epochs=1, schedule=name, schedule_options=options))


def test_one_cycle_of_ours_is_that_of_torch() -> None:
    found = rates(Training(epochs=1, learning_rate=0.5), steps=1000)
    optimizer = optim.SGD([nn.Parameter(torch.zeros(1))], lr=1)
    theirs = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.5, total_steps=1001, cycle_momentum=False)

    expected = []
    for _ in range(1000):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        theirs.step()

    assert found == pytest.approx(expected, abs=0.002)  # theirs counts one step less
