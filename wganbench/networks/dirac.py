"""The networks of the Dirac-GAN (Mescheder et al. 2018, definition 2.1), with one parameter each.

The data are the point 0. The generator makes the point θ, and the discriminator is linear, D(x) = ψ·x. The equilibrium
is θ = ψ = 0.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class DiracGenerator(nn.Module):
    """Makes the point θ of every latent vector: ``(batch, latent)`` → ``(batch, *output_shape)``.

    Args:
        input_shape, output_shape: Shapes without the batch axis.
        start: The value that θ starts from.
        spread: The standard deviation of a normal number, from torch's global stream, that is added to it.
    """

    def __init__(
        self, input_shape: Sequence[int], output_shape: Sequence[int], *, start: float = 1.0, spread: float = 0.0
    ):
        super().__init__()
        self.theta = _start(output_shape, start, spread)

    def forward(self, x: Tensor) -> Tensor:
        return self.theta.expand(x.shape[0], *self.theta.shape)


class DiracCritic(nn.Module):
    """Gives the score ψ·x, without an offset: ``(batch, *input_shape)`` → ``(batch,)``.

    Args:
        input_shape, output_shape: The shape of a sample, and ``()``.
        start, spread: As for ``DiracGenerator``, of ψ.
    """

    def __init__(
        self, input_shape: Sequence[int], output_shape: Sequence[int], *, start: float = 1.0, spread: float = 0.0
    ):
        super().__init__()
        self.psi = _start(input_shape, start, spread)

    def forward(self, x: Tensor) -> Tensor:
        return (x * self.psi).flatten(1).sum(dim=1)


def _start(shape: Sequence[int], start: float, spread: float) -> nn.Parameter:
    return nn.Parameter(start + spread * torch.randn(tuple(shape)))
