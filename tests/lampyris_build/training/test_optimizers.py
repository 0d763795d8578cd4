import pytest
import torch
from torch import nn, optim

from lampyris_build.errors import InvalidRecipe
from lampyris_build.recipe.training import Training
from lampyris_build.training.optimizers import optimizer_for


def made(**settings: object) -> optim.Optimizer:
    return optimizer_for(Training(epochs=1, **settings), nn.Linear(3, 2, bias=False).parameters())  # type: ignore[arg-type]  # a recipe's


@pytest.mark.parametrize(
    "name",
    ["ASGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "LBFGS", "Muon", "NAdam", "RAdam",
     "RMSprop", "Rprop", "SGD"],
)  # fmt: skip
def test_every_optimizer_of_torch_lowers_a_loss(name: str) -> None:
    torch.manual_seed(0)
    learner, x = nn.Linear(3, 2, bias=False), torch.randn(8, 3)
    optimizer = optimizer_for(Training(epochs=1, optimizer=name, learning_rate=0.01), learner.parameters())

    def loss_and_gradients() -> float:
        optimizer.zero_grad()
        loss = (learner(x) - x[:, :2]).square().mean()
        loss.backward()
        value: float = loss.item()
        return value

    losses = [optimizer.step(loss_and_gradients) for _ in range(5)]

    assert losses[-1] < losses[0]


def test_sgd_has_nesterovs_momentum_unless_the_recipe_names_another() -> None:
    unsaid, said = made(optimizer="SGD"), made(optimizer="SGD", optimizer_options={"momentum": 0.5})

    assert (unsaid.param_groups[0]["momentum"], unsaid.param_groups[0]["nesterov"]) == (0.9, True)
    assert (said.param_groups[0]["momentum"], said.param_groups[0]["nesterov"]) == (0.5, False)


@pytest.mark.parametrize("name", ["Adagrad", "AdamW", "SGD"])
def test_kernels_are_fused_unless_weights_are_in_shards(name: str) -> None:
    whole, sharded = made(optimizer=name), made(optimizer=name, parallel="fsdp")

    assert whole.param_groups[0]["fused"]
    assert not sharded.param_groups[0]["fused"]


def test_options_and_weight_decay_reach_the_optimizer() -> None:
    optimizer = made(optimizer_options={"betas": [0.8, 0.9]}, weight_decay=0.3)

    assert optimizer.param_groups[0]["betas"] == (0.8, 0.9)
    assert optimizer.param_groups[0]["weight_decay"] == 0.3


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"optimizer": "AdmaW"}, r"training\.optimizer is 'AdmaW'; did you mean 'AdamW'\? It can be ASGD, "),
        ({"optimizer": "SparseAdam"}, "training.optimizer is 'SparseAdam'"),
        ({"optimizer_options": {"beta": 1}}, "has 'beta', which AdamW does not take; did you mean 'betas'"),
        ({"optimizer_options": {"lr": 1}}, "has 'lr', which AdamW does not take"),
        ({"optimizer_options": {"betas": [2.0, 0.9]}}, "AdamW cannot be made: Invalid beta parameter"),
        ({"optimizer_options": {"eps": "small"}}, "AdamW cannot be made: "),
    ],
)
def test_optimizer_that_cannot_be_made_is_refused(settings: dict[str, object], told: str) -> None:
    with pytest.raises(InvalidRecipe, match=told):
        made(**settings)
