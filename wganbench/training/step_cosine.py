"""The angle between an optimiser's step and the direction of steepest descent."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer, RMSprop

from wganbench.training.rmsprop_tf import RmspropTf
from wganbench.training.stack import Stack


@torch.no_grad()
def step_cosines(stack: Stack, optimizer: Optimizer) -> Tensor:
    """The cosine between the last step of an optimiser and the negative gradient that it followed, over all parameters.

    The step is computed from the optimiser's state, without its learning rate. A gradient step has cosine 1, and
    RMSProp's is never negative. Adam's is negative where its momentum outweighs the gradient, which Arjovsky et al.
    (2017, § 4) report for critics that become unstable.

    Args:
        stack: The networks, whose parameters hold the gradients of the last step.
        optimizer: The optimiser of these parameters.

    Returns:
        −1 to 1, ``(seeds,)``, float64. NaN before the first step, for an optimiser other than Adam and RMSProp without
        momentum, and where the gradient or the step is 0 or not finite.
    """
    products = torch.zeros(3, stack.size, dtype=torch.float64, device=next(iter(stack.parameters.values())).device)
    group, direction = optimizer.param_groups[0], DIRECTIONS.get(type(optimizer))
    for tensor in stack.parameters.values():
        if direction is None or tensor.grad is None or not optimizer.state.get(tensor):
            return torch.full_like(products[0], math.nan)
        gradient = tensor.grad.double()
        step = direction(gradient, optimizer.state[tensor], group)
        for row, product in zip(products, (step * gradient, step.square(), gradient.square()), strict=True):
            row += product.flatten(1).sum(1)
    return products[0] / (products[1] * products[2]).sqrt()


def _adam(gradient: Tensor, state: Mapping[str, Any], group: Mapping[str, Any]) -> Tensor:
    count = torch.as_tensor(state["step"], device=gradient.device).double()
    mean, square = state["exp_avg"].double(), state["exp_avg_sq"].double()
    first, second = (1 - beta**count for beta in group["betas"])
    return mean / first / ((square / second).sqrt() + group["eps"])


def _rmsprop(gradient: Tensor, state: Mapping[str, Any], group: Mapping[str, Any]) -> Tensor:
    return gradient / (state["square_avg"].double().sqrt() + group["eps"])


def _rmsprop_tf(gradient: Tensor, state: Mapping[str, Any], group: Mapping[str, Any]) -> Tensor:
    return gradient / (state["mean_square"].double() + group["eps"]).sqrt()


DIRECTIONS: Mapping[type[Optimizer], Callable[[Tensor, Mapping[str, Any], Mapping[str, Any]], Tensor]] = {
    Adam: _adam,
    RMSprop: _rmsprop,
    RmspropTf: _rmsprop_tf,
}
"""The direction of the last descent step, before the learning rate, by optimiser."""
