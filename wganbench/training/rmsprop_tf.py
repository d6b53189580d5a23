"""RMSProp as TensorFlow 1 has it, which the official code of WGAN-GP was run with.

torch's starts its mean square at zero and adds ε outside the root, so that its first steps are 1/√(1 − decay) times the
learning rate however small the gradient. TensorFlow's starts at one and has ε inside: as long as a gradient is small
against √decayᵗ, so is its step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT


class RmspropTf(Optimizer):
    """m ← decay·m + (1 − decay)·g², starting at m = 1; w ← w − lr·g/√(m + ε). There is no momentum.

    The mean squares are there before the first step, so that a state saved then says where they start.

    Args:
        params: As for torch's optimisers.
        lr: Learning rate; a tensor of one number is read at each step, also by a CUDA graph.
        decay: Of the mean square, 0 to 1.
        eps: Added to the mean square, under the root.
        foreach: Whether all parameters are stepped by one call; else one after the other.
        capturable: Kept as torch's optimisers keep it; no step here asks the device for a number.
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
        """Takes one step; parameters without a gradient stay.

        Args:
            closure: Computes the loss again, as torch has it.
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
