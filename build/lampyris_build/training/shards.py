"""Processes that train a network none of which holds all of it."""

from copy import deepcopy
from typing import Any, Final, cast

from torch import nn, optim
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from lampyris_build.training.batch_norm import share_batch_norm
from lampyris_build.training.team import Replicas, Tensors

_WHOLE: Final = StateDictOptions(full_state_dict=True, cpu_offload=True)


class Shards(Replicas):
    """Weights, gradients and the optimizer's state divided among the processes.

    Source: Rajbhandari et al. 2020 (ZeRO); Zhao et al. 2023 (PyTorch FSDP).
    """

    def spread(self, learner: nn.Module) -> nn.Module:
        module: nn.Module = share_batch_norm(deepcopy(learner))
        fully_shard(module, mesh=init_device_mesh("cpu", (self.size,)))  # in place
        return module

    def any(self, value: bool) -> bool:  # noqa: FBT001 - it is what is asked
        return self.total(value) > 0

    def weights(self, module: nn.Module) -> Tensors:
        # Nothing but tensors: no module here keeps state of any other kind.
        return cast("Tensors", get_model_state_dict(module, options=_WHOLE))

    def optimizer_state(self, module: nn.Module, optimizer: optim.Optimizer) -> dict[str, Any]:
        return dict(get_optimizer_state_dict(module, optimizer, options=_WHOLE))

    def restore_optimizer(self, module: nn.Module, optimizer: optim.Optimizer, state: dict[str, Any]) -> None:
        set_optimizer_state_dict(module, optimizer, state, options=_WHOLE)
