"""How a generator's samples spread around the origin; needs no modes, so diffuse and drifting clouds count too.

A cloud around the origin itself lies in every sector; ``min_radius`` keeps such a cloud from counting as spread.
A sector's fair share of the samples is 1/``sectors``, as for data that are even around the origin. Where data state the
``weights`` of their modes, it is the weight of those whose centre lies there; a sector without any is not counted.
"""

import math

import torch
from torch import Tensor

from wganbench.data.contract import Drawn, Modes, weights_of


def sectors_occupied(
    fake: Tensor,
    data: Drawn | None = None,
    *,
    sectors: int = 8,
    start_degrees: float = -90.0,
    share: float = 0.25,
    min_radius: float = 0.0,
) -> float:
    """Number of equal angular sectors that hold at least a given part of their fair share of the samples.

    This suite's own; it tells a generator that went around a ring between its modes from one that collapsed.

    Args:
        fake: Shape ``(n, 2)``.
        data: What the fair shares are of; None for even ones.
        sectors: Number of sectors.
        start_degrees: Angle of the middle of the first sector.
        share: The part of its fair share that a sector must hold; 0 to 1.
        min_radius: A sample nearer to the origin than this lies in no sector.

    Returns:
        0 to ``sectors``, higher is better; NaN if a sample is not finite.
    """
    if not fake.isfinite().all():
        return math.nan
    return float((_fair_shares(fake, data, sectors, start_degrees, min_radius) >= share).sum())


def least_sector_mass(
    fake: Tensor,
    data: Drawn | None = None,
    *,
    sectors: int = 8,
    start_degrees: float = -90.0,
    min_radius: float = 0.0,
) -> float:
    """Samples in the emptiest of equal angular sectors, over its fair share; this suite's own.

    Args:
        fake: Shape ``(n, 2)``.
        data: What the fair shares are of; None for even ones.
        sectors: Number of sectors.
        start_degrees: Angle of the middle of the first sector.
        min_radius: A sample nearer to the origin than this lies in no sector.

    Returns:
        0 (a sector is empty) to 1 (all hold their fair share), higher is better; NaN if a sample is not finite.
    """
    if not fake.isfinite().all():
        return math.nan
    return _fair_shares(fake, data, sectors, start_degrees, min_radius).min().item()


def _fair_shares(
    fake: Tensor, data: Drawn | Modes | None, sectors: int, start_degrees: float, min_radius: float
) -> Tensor:
    """Samples of each sector over its fair share of them, float64, ``(sectors with a fair share,)``."""
    far = fake.double()
    sector = _sector(far[far.norm(dim=1) >= min_radius], sectors, start_degrees)
    counts = torch.bincount(sector, minlength=sectors).double()
    weights = weights_of(data)
    if weights is None:
        return counts * sectors / len(fake)
    centres = data.centres.to(far)  # type: ignore[union-attr]  # what has weights has centres, by its contract
    fair = torch.zeros(sectors).to(far).index_add_(0, _sector(centres, sectors, start_degrees), weights.to(far))
    return (counts / len(fake) / fair)[fair > 0]


def _sector(points: Tensor, sectors: int, start_degrees: float) -> Tensor:
    """Index of each point's sector, ``(n,)``; one at the origin has angle 0."""
    x, y = points.unbind(dim=1)
    turns = (torch.atan2(y, x) - math.radians(start_degrees)) / (2 * math.pi)
    return (turns * sectors).round().long() % sectors
