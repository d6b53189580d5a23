"""The shape of a discriminator and of a critic between two distributions (Arjovsky et al. 2017, § 3 and figure 2)."""

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wganbench.errors import DataError

Critic = Callable[[Tensor], Tensor]


@torch.no_grad()
def linear_share(critic: Critic, real: Tensor, fake: Tensor) -> float:
    """The share of the variance of a critic's scores that a linear function of the samples explains, R².

    The function is fitted by least squares to the scores of all real and fake rows together.

    Args:
        critic: Maps ``(n, *sample_shape)`` to ``(n,)``.
        real, fake: Shape ``(n, *sample_shape)`` each; the two n may differ.

    Returns:
        0 to 1, neither better nor worse; 1 for a linear critic. NaN if a fake sample is not finite or all scores are
        equal.
    """
    if not fake.isfinite().all():
        return math.nan
    rows = torch.cat([real, fake])
    scores = critic(rows).double()
    scores = scores - scores.mean()
    points = rows.double().flatten(1)
    points = points - points.mean(dim=0)
    total = scores.square().sum()
    if not total > 0:
        return math.nan
    fitted = points @ torch.linalg.lstsq(points, scores[:, None]).solution[:, 0]
    return 1 - ((scores - fitted).square().sum() / total).item()


def fake_gradient_share(critic: Critic, real: Tensor, fake: Tensor) -> float:
    """The mean of ``|∇ log(1 − D(x))|`` over the fakes, as a share of its largest value at any real or fake row.

    This is the gradient that a generator of the minimax game learns from (Arjovsky et al. 2017, figure 2): it vanishes
    where the discriminator is certain.

    Args:
        critic: Maps ``(n, *sample_shape)`` to the logits of D, ``(n,)``; must not mix rows.
        real, fake: Shape ``(n, *sample_shape)`` each; the two n may differ.

    Returns:
        0 to 1, higher is better; 1 if the gradient is equally long everywhere. NaN if a fake sample is not finite or
        every gradient is 0.
    """
    return _share(*_slopes(critic, real, fake), fakes=len(fake), of_divergence=True)


def fake_slope_share(critic: Critic, real: Tensor, fake: Tensor) -> float:
    """The mean of ``|∇f(x)|`` over the fakes, as a share of its largest value at any real or fake row.

    The counterpart of `fake_gradient_share` for a critic f, whose generator learns from ``∇f``; same arguments.

    Returns:
        0 to 1, higher is better; 1 for a linear critic. NaN if a fake sample is not finite or every gradient is 0.
    """
    return _share(*_slopes(critic, real, fake), fakes=len(fake), of_divergence=False)


def _slopes(critic: Critic, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """The scores and the norms of their gradients, of all real rows and then of all fakes, ``(n,)``, float64."""
    points = torch.cat([real, fake]).detach().requires_grad_()
    with torch.enable_grad():
        scores = critic(points)
        (gradient,) = torch.autograd.grad(scores.sum(), points)  # rows do not mix: the gradient of each row
    return scores.detach().double(), gradient.double().flatten(1).norm(dim=1)


def _share(scores: Tensor, norms: Tensor, *, fakes: int, of_divergence: bool) -> float:
    if not scores.isfinite().all():
        return math.nan
    sizes = norms * scores.sigmoid() if of_divergence else norms  # ∇ log(1 − D) is −D ∇s
    largest = sizes.max()
    return (sizes[-fakes:].mean() / largest).item() if largest > 0 else math.nan


@torch.no_grad()
def critic_line(critic: Critic, real: Tensor, *, low: float, high: float, grid: int = 200) -> NDArray[np.float64]:
    """The picture of a critic on a line: its scores at evenly spaced points (Arjovsky et al. 2017, figure 2).

    Args:
        critic: Maps ``(n, 1)`` to ``(n,)``.
        real: Shape ``(n, 1)``.
        low, high: The ends of the interval, in the unit of the samples.
        grid: Number of points, with both ends.

    Returns:
        Shape ``(grid, 2)``: point and score.

    Raises:
        DataError: If samples are not single numbers.
    """
    if real.shape[1:] != (1,):
        raise DataError(f"critic_line: samples must be numbers, of shape (1,), got {tuple(real.shape[1:])}")
    points = torch.linspace(low, high, grid, dtype=torch.float64)
    scores = critic(points[:, None].to(real)).double().cpu()
    return torch.stack([points, scores], dim=1).numpy()
