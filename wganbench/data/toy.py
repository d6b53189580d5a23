"""Two-dimensional toy distributions, sampled again at each call; options reproduce the published rescalings."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from wganbench.data.contract import check_weights, require_positive
from wganbench.errors import DataError


@dataclass(frozen=True, eq=False)
class Mixture:
    """A mixture of isotropic Gaussians of equal width.

    Attributes:
        centres: Shape ``(modes, 2)``, float32.
        std: Standard deviation of every mode along each axis, in the units of ``centres``; positive.
        weights: Probability of each mode, shape ``(modes,)``, at least 0, summing to 1; None for equal weights.
    """

    centres: Tensor
    std: float
    weights: Tensor | None = None

    def __post_init__(self) -> None:
        if self.centres.ndim != 2 or self.centres.shape[1] != 2 or not len(self.centres):
            raise DataError(f"Mixture, centres: must have shape (modes, 2), got {tuple(self.centres.shape)}")
        require_positive("Mixture", std=self.std)
        for line in check_weights("Mixture", self.weights, len(self.centres)):
            raise DataError(line)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """``(2,)``, the shape of one sample."""
        return (2,)

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """Draws samples, ``(n, 2)``, float32, each from a mode chosen with the probability of its weight."""
        if self.weights is None:
            modes = torch.randint(len(self.centres), (n,), generator=rng, device=rng.device)
        else:
            modes = torch.multinomial(self.weights, n, replacement=True, generator=rng)
        return torch.normal(self.centres[modes], self.std, generator=rng)

    def to(self, device: torch.device | str) -> Mixture:
        """Returns the same mixture with its tensors on ``device``."""
        weights = None if self.weights is None else self.weights.to(device)
        return Mixture(self.centres.to(device), self.std, weights)


@dataclass(frozen=True, kw_only=True)
class SwissRoll:
    """The x–z plane of scikit-learn's ``make_swiss_roll``: ``t·(cos t, sin t)`` with t uniform in [1.5 π, 4.5 π].

    The defaults are those of Gulrajani et al. (``gan_toy.py``).

    Attributes:
        noise: Standard deviation of the noise along each axis, added before the division by ``scale``; at least 0.
        scale: Divisor of the noisy samples; positive. With 7.5 the outer end of the roll is 1.88 from the origin.
    """

    noise: float = 0.25
    scale: float = 7.5

    def __post_init__(self) -> None:
        if not 0 <= self.noise < math.inf:
            raise DataError(f"swiss_roll, noise: must be finite and at least 0, got {self.noise}")
        require_positive("swiss_roll", scale=self.scale)

    @property
    def sample_shape(self) -> tuple[int, ...]:
        """``(2,)``, the shape of one sample."""
        return (2,)

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """Draws samples, ``(n, 2)``, float32, on the device of ``rng``."""
        turns = torch.empty(n, device=rng.device).uniform_(1.5 * math.pi, 4.5 * math.pi, generator=rng)
        curve = torch.view_as_real(torch.polar(turns, turns))  # the distance from the origin is the angle
        return torch.normal(curve, self.noise, generator=rng) / self.scale

    def to(self, device: torch.device | str) -> SwissRoll:
        """Returns the object itself: it holds no tensor and draws on the device of ``rng``."""
        return self


def gaussian_ring(*, modes: int = 8, radius: float = 2.0, std: float = 0.04, start_degrees: float = -90.0) -> Mixture:
    """A mixture of Gaussians evenly spaced on a circle about the origin.

    The defaults are musyoku's sampler, which squares ``std=0.2`` before use; its critic sees ``radius=1, std=0.02``.
    Gulrajani et al. train on radius √2 and std 0.01414; VEEGAN and PacGAN on radius 1 and std 0.01.

    Args:
        modes: Number of Gaussians.
        radius: Distance of the centres from the origin.
        std: Standard deviation of each Gaussian along each axis.
        start_degrees: Angle of the first centre; the others follow counter-clockwise.
    """
    require_positive("gaussian_ring", modes=modes, radius=radius, std=std)
    return Mixture(_circle(modes, radius, start_degrees), std)


def double_circle(*, modes: int = 8, radius: float = 2.0, std: float = 0.04, start_degrees: float = -90.0) -> Mixture:
    """A ring of Gaussians with every other centre, the first included, at half the radius (musyoku's second toy set).

    Args:
        modes: Number of Gaussians on both circles together.
        radius: Distance of the outer centres from the origin.
        std: Standard deviation of each Gaussian along each axis.
        start_degrees: Angle of the first, inner, centre; the others follow counter-clockwise.
    """
    require_positive("double_circle", modes=modes, radius=radius, std=std)
    centres = _circle(modes, radius, start_degrees)
    centres[::2] /= 2
    return Mixture(centres, std)


def gaussian_grid(*, side: int = 5, spacing: float = 2.0, std: float = 0.05) -> Mixture:
    """A mixture of Gaussians on a square grid centred on the origin.

    The defaults are the 25 Gaussians of VEEGAN and PacGAN. Gulrajani et al. divide them by 2.828: spacing 0.7072,
    std 0.01768.

    Args:
        side: Number of Gaussians along each axis.
        spacing: Distance between neighbouring centres.
        std: Standard deviation of each Gaussian along each axis.
    """
    require_positive("gaussian_grid", side=side, spacing=spacing, std=std)
    axis = (torch.arange(side) - (side - 1) / 2) * spacing
    return Mixture(torch.cartesian_prod(axis, axis), std)


def _circle(modes: int, radius: float, start_degrees: float) -> Tensor:
    """Points evenly spaced on a circle, counter-clockwise; shape ``(modes, 2)``, float32."""
    angles = math.radians(start_degrees) + torch.arange(modes, dtype=torch.float64) * (2 * math.pi / modes)
    return (radius * torch.stack([angles.cos(), angles.sin()], dim=1)).float()
