"""RMSProp as in TensorFlow 1, which the official code of WGAN-GP uses.

torch's RMSProp starts its mean square at zero and adds ε outside the root, so its first steps are 1/√(1 − decay) times
the learning rate, however small the gradient. TensorFlow's starts at one and adds ε inside the root: as long as a
gradient is small compared to √decayᵗ, so is its step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT


class RmspropTf(Optimizer):
    """RMSProp without momentum: ``m ← decay·m + (1 − decay)·g²`` from m = 1, and ``w ← w − lr·g/√(m + ε)``.

    The mean squares exist before the first step, so that a state saved before it contains their starting values.

    Args:
        params: The parameters or parameter groups, as for torch's optimisers.
        lr: Learning rate; a tensor of one number is read at each step, also by a CUDA graph.
        decay: Decay of the mean square, 0 to 1.
        eps: Number added to the mean square, under the root.
        foreach: Whether to update all parameters in one call instead of one after the other.
        capturable: Stored as torch's optimisers do, without effect: no step here reads a number back from the device.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor,
        decay: float = 0.9,
        eps: float = 1e-10,
        *,
        foreach: bool = True,
        capturable: bool = False,
    ):
        super().__init__(params, {"lr": lr, "decay": decay, "eps": eps, "foreach": foreach, "capturable": capturable})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        super().add_param_group(param_group)
        for weights in self.param_groups[-1]["params"]:
            self.state[weights]["mean_square"] = torch.ones_like(weights, memory_format=torch.preserve_format)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Takes one step; parameters without a gradient are unchanged.

        Args:
            closure: Computes the loss again, as in torch's optimisers.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [each for each in group["params"] if each.grad is not None]
            for together in [weights] if group["foreach"] and weights else [[each] for each in weights]:
                _step(together, [self.state[each]["mean_square"] for each in together], group)
        return loss


def _step(weights: list[Tensor], mean_squares: list[Tensor], group: dict[str, Any]) -> None:
    gradients = [each.grad for each in weights if each.grad is not None]
    torch._foreach_mul_(mean_squares, group["decay"])
    torch._foreach_addcmul_(mean_squares, gradients, gradients, value=1 - group["decay"])
    roots = torch._foreach_add(mean_squares, group["eps"])
    torch._foreach_sqrt_(roots)
    rate = group["lr"]
    if isinstance(rate, Tensor):
        torch._foreach_div_(roots, -rate)
        torch._foreach_addcdiv_(weights, gradients, roots)
    else:
        torch._foreach_addcdiv_(weights, gradients, roots, value=-rate)
