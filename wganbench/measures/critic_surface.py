"""The critic as a function of the plane: its surface, its peaks and its steepness (Gulrajani et al., § 3.1)."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wganbench.errors import DataError

Critic = Callable[[Tensor], Tensor]

_AROUND = 64  # points on the circle about a mode's centre


@torch.no_grad()
def critic_surface(critic: Critic, real: Tensor, *, window: float = 2.0, grid: int = 64) -> NDArray[np.float64]:
    """The picture of the critic: its values on a regular mesh (Gulrajani et al., figure 1a).

    Args:
        critic: Maps ``(n, 2)`` to ``(n,)``.
        real: Used only for the device of the critic.
        window: The mesh covers ``[-window, window]²``, including its border.
        grid: Number of mesh points along each axis.

    Returns:
        Shape ``(grid, grid)``, rows from low to high y, columns from low to high x; values that are not finite are
        kept.
    """
    y, x = _mesh(window, grid)
    return critic(torch.stack([x, y], dim=-1).flatten(0, 1).to(real)).double().cpu().view(grid, grid).numpy()


def quadratic_share(critic: Critic, real: Tensor, *, window: float = 2.0, grid: int = 64) -> float:
    """The share of the surface's variance that the best quadratic polynomial explains (R², six terms, least squares).

    A measure of this suite, for "clipped critics ignore higher moments of the data" (Gulrajani et al., § 3.1).

    Args:
        critic, real, window, grid: As in `critic_surface`.

    Returns:
        0 to 1 (a quadratic surface); lower is better unless the data itself is quadratic. NaN if the surface is
        constant or a value is not finite.
    """
    values = critic_surface(critic, real, window=window, grid=grid).ravel()
    if not np.isfinite(values).all() or values.min() == values.max():
        return math.nan
    values = values - values.mean()
    y, x = (axis.flatten().numpy() for axis in _mesh(1.0, grid))
    terms = np.column_stack([np.ones_like(x), x, y, x * x, x * y, y * y])
    left = values - terms @ np.linalg.lstsq(terms, values, rcond=None)[0]
    return max(0.0, float(1 - left @ left / (values @ values)))


@torch.no_grad()
def mode_maxima(critic: Critic, data: object, *, reach: float = 0.4, rise: float = 0.05) -> float:
    """The number of mode centres at which the critic has a local maximum, that is, follows the modes (§ 3.1).

    A maximum rises above all of 64 points evenly spaced on a circle about it. A ridge that runs through the centres
    without a peak there crosses the circle at the same height, and does not count.

    Args:
        critic: Maps ``(n, 2)`` to ``(n,)``.
        data: The data set, whose ``centres``, ``(modes, 2)``, lie on the critic's device.
        reach: Radius of the circle about a centre, as a fraction of the distance to the nearest other centre.
        rise: Least rise of a maximum above the circle, as a fraction of the range of the values at all centres and on
            all circles; 0 to 1.

    Returns:
        0 to the number of modes, higher is better; NaN if a value is not finite.

    Raises:
        DataError: If the data set has fewer than two centres, or no attribute ``centres``.
    """
    centres = getattr(data, "centres", None)
    if centres is None or len(centres) < 2:
        got = f"{type(data).__name__} without any" if centres is None else len(centres)
        raise DataError(f"mode_maxima, data: must have at least 2 mode centres, got {got}")
    exact = centres.double()
    to_others = torch.cdist(exact, exact, compute_mode="donot_use_mm_for_euclid_dist")
    radius = reach * to_others.fill_diagonal_(math.inf).min(dim=1).values
    angles = torch.arange(_AROUND, dtype=torch.float64, device=centres.device) * (2 * math.pi / _AROUND)
    circle = torch.stack([angles.cos(), angles.sin()], dim=1)
    points = torch.cat([exact[:, None], exact[:, None] + radius[:, None, None] * circle], dim=1)
    values = critic(points.to(centres).flatten(0, 1)).view(len(centres), 1 + _AROUND)
    if not values.isfinite().all():
        return math.nan
    values = values.double()
    least = rise * (values.max() - values.min())
    return float((values[:, 0] - values[:, 1:].amax(dim=1) > least).sum())


def segment_gradient_norm(critic: Critic, real: Tensor, fake: Tensor, rng: torch.Generator) -> float:
    """The mean norm of the critic's input gradient on the segments between real and fake (Gulrajani et al., § 4).

    The gradient is taken at one uniform point between row i of each, where the gradient penalty pulls its norm to 1;
    norms are in float64.

    Args:
        critic: Maps ``(n, *sample_shape)`` to ``(n,)``; must not mix rows.
        real, fake: Tensors of the same shape, ``(n, *sample_shape)``.
        rng: Stream for the points, on the device of ``real``.

    Returns:
        At least 0, closer to 1 is better; NaN if a fake sample or a gradient is not finite.
    """
    if not fake.isfinite().all():
        return math.nan
    along = torch.rand(len(real), generator=rng, device=rng.device).view(-1, *[1] * (real.ndim - 1))
    with torch.enable_grad():
        points = torch.lerp(real, fake, along).detach().requires_grad_()
        # Rows do not mix, so the gradient of the sum contains the gradient of each row.
        (gradient,) = torch.autograd.grad(critic(points).sum(), points)
    mean = gradient.double().flatten(1).norm(dim=1).mean().item()
    return mean if math.isfinite(mean) else math.nan


def _mesh(window: float, grid: int) -> tuple[Tensor, Tensor]:
    """The y and x coordinates of a regular mesh over ``[-window, window]²``, float64, each ``(grid, grid)``."""
    axis = torch.linspace(-window, window, grid, dtype=torch.float64)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    return y, x
