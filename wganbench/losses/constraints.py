"""Ways to keep the critic Lipschitz: projections of its parameters, and penalties on its input gradient.

A *projection* takes ``parameters`` and changes them in place. A *penalty* takes any of ``critic, real, fake, rng`` and
returns a term, weight included, that is added to the critic loss. The runner distinguishes them by these names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from wganbench.networks.nonlinearity import differentiated_twice
from wganbench.rng import Streams

Critic = Callable[[Tensor], Tensor]


def clip(parameters: Iterable[Tensor], *, clip_value: float) -> None:
    """Clamps every entry into [−c, c] (Arjovsky et al. 2017, algorithm 1); works in place, under no_grad."""
    tensors = list(parameters)
    torch._foreach_clamp_min_(tensors, -clip_value)
    torch._foreach_clamp_max_(tensors, clip_value)


def rescale(parameters: Iterable[Tensor], *, clip_value: float) -> None:
    """Divides each tensor of each seed by max(|w|)/c if that exceeds 1, so that it fits into [−c, c].

    musyoku 2017 calls this "weight decay": the proportions within a tensor are kept, its magnitude is not. Weights and
    biases are rescaled separately. Works in place, under no_grad.

    Args:
        parameters: Tensors of shape ``(seeds, *shape)``; each seed has its own factor.
        clip_value: c, positive.
    """
    for tensor in parameters:
        ratio = tensor.flatten(1).abs().amax(dim=1) / clip_value
        tensor.div_(ratio.clamp_min(1.0).view(-1, *[1] * (tensor.ndim - 1)))


def gradient_penalty(
    critic: Critic, real: Tensor, fake: Tensor, rng: Streams, *, penalty_weight: float = 10.0
) -> Tensor:
    """λ times the mean of ``(|∇f(x)|₂ − 1)²``, x uniform between real and fake pairs (Gulrajani et al., § 4).

    Args:
        critic: Maps samples to scores, ``(seeds, batch)``; must not mix rows.
        real, fake: Tensors of the same shape, ``(seeds, batch, *sample_shape)``.
        rng: Streams for the interpolation points, one per seed, on the device of ``real``.
        penalty_weight: λ, positive.

    Returns:
        Shape ``(seeds,)``; non-negative.
    """
    return penalty_weight * (gradient_norms(critic, real, fake, rng) - 1).square().mean(dim=1)


def one_sided_penalty(
    critic: Critic, real: Tensor, fake: Tensor, rng: Streams, *, penalty_weight: float = 10.0
) -> Tensor:
    """λ times the mean of ``max(0, |∇f(x)|₂ − 1)²`` (Gulrajani et al., appendix C); see ``gradient_penalty``."""
    return penalty_weight * (gradient_norms(critic, real, fake, rng) - 1).relu().square().mean(dim=1)


def one_sided_linear_penalty(
    critic: Critic, real: Tensor, fake: Tensor, rng: Streams, *, penalty_weight: float = 10.0
) -> Tensor:
    """λ times the mean of ``max(0, |∇f(x)|₂ − 1)``, the form that "WGAN 笔记" (2018) states first."""
    return penalty_weight * (gradient_norms(critic, real, fake, rng) - 1).relu().mean(dim=1)


def gradient_norms(critic: Critic, real: Tensor, fake: Tensor, rng: Streams) -> Tensor:
    """The norm of the critic's input gradient at one uniform point between each real and its fake; differentiable.

    Returns:
        Shape ``(seeds, batch)``; non-negative.
    """
    alpha = rng.uniform(real.shape[1]).to(real.dtype).view(*real.shape[:2], *[1] * (real.ndim - 2))
    points = (real + alpha * (fake.detach() - real)).requires_grad_()
    # Rows do not mix, so the gradient of the sum contains the gradient of each row.
    with differentiated_twice():
        total = critic(points).sum()
    (gradient,) = torch.autograd.grad(total, points, create_graph=True)
    return torch.linalg.vector_norm(gradient, dim=tuple(range(2, gradient.ndim)))
