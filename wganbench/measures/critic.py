"""The critic's own estimate of the distance between real and fake."""

import math
from collections.abc import Callable

import torch
from torch import Tensor


@torch.no_grad()
def wasserstein_estimate(critic: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor) -> float:
    """The critic's gap, E f(real) − E f(fake), without penalty (Arjovsky et al. 2017, Algorithm 1).

    Args:
        critic: Maps ``(n, 2)`` to ``(n,)``.
        real, fake: Shape ``(n, 2)`` each; the two n may differ.

    Returns:
        Any sign, in the units of the samples times the critic's unknown Lipschitz constant, so comparable only under
        the same constraint; lower is better: the critic separates the two less. NaN if a fake sample is not finite.
    """
    if not fake.isfinite().all():  # a ReLU can hide non-finite values
        return math.nan
    return (critic(real).double().mean() - critic(fake).double().mean()).item()
