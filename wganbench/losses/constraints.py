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


def r1(critic: Critic, real: Tensor, *, gamma: float = 10.0) -> Tensor:
    """γ/2 times the mean of ``|∇D(x)|₂²`` over real x (Mescheder et al. 2018, eq. 9).

    Their code multiplies the mean of ``|∇D(x)|₂²`` itself by 10, which is γ = 20.

    Args:
        critic: Maps samples to scores, ``(seeds, batch)``; must not mix rows.
        real: Shape ``(seeds, batch, *sample_shape)``.
        gamma: γ, positive.

    Returns:
        Shape ``(seeds,)``; non-negative.
    """
    return gamma / 2 * _squares(critic, real).mean(dim=1)


def r2(critic: Critic, fake: Tensor, *, gamma: float = 10.0) -> Tensor:
    """γ/2 times the mean of ``|∇D(x)|₂²`` over fake x (Mescheder et al. 2018, eq. 10); see ``r1``."""
    return gamma / 2 * _squares(critic, fake).mean(dim=1)


def r1_r2(critic: Critic, real: Tensor, fake: Tensor, *, gamma: float = 10.0) -> Tensor:
    """The sum of ``r1`` and ``r2`` with one γ, as in R3GAN (Huang et al. 2024); see ``r1``."""
    squares = _squares(critic, torch.cat([real, fake], dim=1))  # of one pass, since the critic does not mix rows
    return gamma / 2 * (squares[:, : real.shape[1]].mean(dim=1) + squares[:, real.shape[1] :].mean(dim=1))


def zero_centred(critic: Critic, real: Tensor, fake: Tensor, rng: Streams, *, penalty_weight: float = 10.0) -> Tensor:
    """λ times the mean of ``|∇D(x)|₂²``, x uniform between real and fake pairs (Thanh-Tung et al. 2019).

    The arguments are those of ``gradient_penalty``, whose target of 1 becomes 0; there is no factor of ½.
    """
    return penalty_weight * _squares(critic, _between(real, fake, rng)).mean(dim=1)


def dragan(critic: Critic, real: Tensor, rng: Streams, *, penalty_weight: float = 10.0, spread: float = 0.5) -> Tensor:
    """λ times the mean of ``(|∇D(x)|₂ − 1)²``, x near real samples (DRAGAN, Kodali et al. 2017).

    The points are those of the authors' code: uniform between a sample and its noised copy, to which it adds, in each
    entry, a number uniform between 0 and ``spread`` times the standard deviation of the batch's entries.

    Args:
        critic, real: As for ``r1``.
        rng: Streams for the points, one per seed, on the device of ``real``.
        penalty_weight: λ, positive.
        spread: The largest noise, in standard deviations of the batch, positive.

    Returns:
        Shape ``(seeds,)``; non-negative.
    """
    largest = spread * real.flatten(1).std(dim=1, correction=0)
    noise = rng.uniform(*real.shape[1:]).to(real.dtype) * largest.view(-1, *[1] * (real.ndim - 1))
    return penalty_weight * (_norms(critic, _between(real, real + noise, rng)) - 1).square().mean(dim=1)


def gradient_norms(critic: Critic, real: Tensor, fake: Tensor, rng: Streams) -> Tensor:
    """The norm of the critic's input gradient at one uniform point between each real and its fake; differentiable.

    Returns:
        Shape ``(seeds, batch)``; non-negative.
    """
    return _norms(critic, _between(real, fake, rng))


def _between(real: Tensor, fake: Tensor, rng: Streams) -> Tensor:
    """One uniform point between each real sample and its fake, in their shape."""
    alpha = rng.uniform(real.shape[1]).to(real.dtype).view(*real.shape[:2], *[1] * (real.ndim - 2))
    return real + alpha * (fake.detach() - real)


def _norms(critic: Critic, points: Tensor) -> Tensor:
    gradient = _gradient(critic, points)
    return torch.linalg.vector_norm(gradient, dim=tuple(range(2, gradient.ndim)))


def _squares(critic: Critic, points: Tensor) -> Tensor:
    """The squared norm of the gradient at each point, ``(seeds, batch)``; it has a derivative where the norm is 0."""
    return _gradient(critic, points).flatten(2).square().sum(dim=2)


def _gradient(critic: Critic, points: Tensor) -> Tensor:
    """The critic's input gradient at each point, in the shape of the points; differentiable."""
    points = points.detach().requires_grad_()
    # Rows do not mix, so the gradient of the sum contains the gradient of each row.
    with differentiated_twice():
        total = critic(points).sum()
    (gradient,) = torch.autograd.grad(total, points, create_graph=True)
    return gradient
