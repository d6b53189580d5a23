"""Adam steps that a gradient can flow through, for the unrolled GAN of Metz et al. 2017."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.optim import Optimizer


def unrolled_adam(
    parameters: Mapping[str, Tensor],
    objective: Callable[[Mapping[str, Tensor]], Tensor],
    optimizer: Optimizer,
    steps: int,
) -> dict[str, Tensor]:
    """Returns the parameters after ``steps`` Adam steps from the optimiser's present state, differentiably.

    Neither ``parameters`` nor ``optimizer`` is changed.

    Args:
        parameters: The tensors that ``optimizer`` updates, by name.
        objective: Maps parameters to losses of shape ``(seeds,)``, whose sum is minimised.
        optimizer: A ``torch.optim.Adam`` over one parameter group, without weight decay or amsgrad.
        steps: The number of steps, at least 1.
    """
    group = optimizer.param_groups[0]
    beta1, beta2 = group["betas"]
    state = {name: optimizer.state.get(tensor, {}) for name, tensor in parameters.items()}
    first = {name: state[name].get("exp_avg", torch.zeros_like(tensor)) for name, tensor in parameters.items()}
    second = {name: state[name].get("exp_avg_sq", torch.zeros_like(tensor)) for name, tensor in parameters.items()}
    count = max((int(entry["step"]) for entry in state.values() if entry), default=0)
    current = dict(parameters)
    for _ in range(steps):
        count += 1
        gradients = torch.autograd.grad(objective(current).sum(), list(current.values()), create_graph=True)
        ahead = {}
        for (name, tensor), gradient in zip(current.items(), gradients, strict=True):
            first[name] = beta1 * first[name] + (1 - beta1) * gradient
            second[name] = beta2 * second[name] + (1 - beta2) * gradient.square()
            # The root has no derivative at 0; 1e-30 is far below eps² and does not change the result.
            root = (second[name] / (1 - beta2**count)).clamp_min(1e-30).sqrt()
            ahead[name] = tensor - group["lr"] / (1 - beta1**count) * first[name] / (root + group["eps"])
        current = ahead
    return current
