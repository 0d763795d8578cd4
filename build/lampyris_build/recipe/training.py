"""`[training]`: how the weights of a network are found. Estimators and models that come trained need none."""

from typing import Annotated, Any, Literal

import msgspec

from lampyris_build.recipe.section import Count, NotNegative, Positive, Rate, Section


class Training(Section, frozen=True, kw_only=True):
    """`optimizer` is a class of torch.optim, and `optimizer_options` its other arguments.

    `schedule` is one of `lampyris_build.training.schedules` ("one-cycle", "cosine") or a class of
    torch.optim.lr_scheduler ("StepLR"), with `schedule_options`; either moves after every batch.
    `learning_rate` is the highest that our own schedules reach. `batch_size` is that of all workers together.
    `patience` epochs without a better validation loss end the training, and the best weights are kept.
    `precision` "bf16" computes products in 16 bits; the weights stay in 32.
    """

    epochs: Count
    batch_size: Annotated[int, msgspec.Meta(ge=2)] = 64
    optimizer: str = "AdamW"
    optimizer_options: dict[str, Any] = msgspec.field(default_factory=dict)
    learning_rate: Positive = 1e-3
    weight_decay: NotNegative = 0.01
    schedule: str = "one-cycle"
    schedule_options: dict[str, Any] = msgspec.field(default_factory=dict)
    label_smoothing: Rate = 0.0
    clip_norm: Positive | None = None
    patience: Count | None = None
    precision: Literal["fp32", "bf16"] = "fp32"
    parallel: Literal["ddp", "fsdp"] = "ddp"
    log: Literal["csv", "tensorboard"] = "csv"
