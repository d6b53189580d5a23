"""How a generator's samples spread around the origin; needs no modes, so diffuse and drifting clouds count too.

A cloud around the origin itself lies in every sector; ``min_radius`` keeps such a cloud from counting as spread.
"""

import math

import torch
from torch import Tensor


def sectors_occupied(
    fake: Tensor, *, sectors: int = 8, start_degrees: float = -90.0, share: float = 0.25, min_radius: float = 0.0
) -> float:
    """Number of equal angular sectors that hold at least a given part of their fair share of the samples.

    This suite's own; it tells a generator that went around a ring between its modes from one that collapsed.

    Args:
        fake: Shape ``(n, 2)``.
        sectors: Number of sectors.
        start_degrees: Angle of the middle of the first sector.
        share: The part of the fair share, 1/``sectors`` of the samples, that a sector must hold; 0 to 1.
        min_radius: A sample nearer to the origin than this lies in no sector.

    Returns:
        0 to ``sectors``, higher is better; NaN if a sample is not finite.
    """
    if not fake.isfinite().all():
        return math.nan
    return float((_fair_shares(fake, sectors, start_degrees, min_radius) >= share).sum())


def least_sector_mass(
    fake: Tensor, *, sectors: int = 8, start_degrees: float = -90.0, min_radius: float = 0.0
) -> float:
    """Samples in the emptiest of equal angular sectors, over its fair share; this suite's own.

    Args:
        fake: Shape ``(n, 2)``.
        sectors: Number of sectors.
        start_degrees: Angle of the middle of the first sector.
        min_radius: A sample nearer to the origin than this lies in no sector.

    Returns:
        0 (a sector is empty) to 1 (all hold the same), higher is better; NaN if a sample is not finite.
    """
    if not fake.isfinite().all():
        return math.nan
    return _fair_shares(fake, sectors, start_degrees, min_radius).min().item()


def _fair_shares(fake: Tensor, sectors: int, start_degrees: float, min_radius: float) -> Tensor:
    """Samples of each sector over ``n / sectors``, float64, ``(sectors,)``; one at the origin has angle 0."""
    far = fake.double()
    x, y = far[far.norm(dim=1) >= min_radius].unbind(dim=1)
    turns = (torch.atan2(y, x) - math.radians(start_degrees)) / (2 * math.pi)
    sector = (turns * sectors).round().long() % sectors
    return torch.bincount(sector, minlength=sectors).double() * sectors / len(fake)
