"""The angular spread of a generator's samples around the origin; it needs no modes and works for diffuse clouds too.

A cloud around the origin itself lies in every sector; ``min_radius`` keeps such a cloud from counting as spread.
The fair share of a sector is 1/``sectors`` of the samples, as for data spread evenly around the origin. If the data has
``weights`` of modes, it is the total weight of the modes whose centres lie there; sectors without any are ignored.
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
    """The number of equal angular sectors that hold at least a given fraction of their fair share of the samples.

    A measure of this suite; it distinguishes a generator that goes around a ring between its modes from a collapsed
    one.

    Args:
        fake: Shape ``(n, 2)``.
        data: The data set that determines the fair shares; None for equal ones.
        sectors: Number of sectors.
        start_degrees: Angle of the middle of the first sector.
        share: Fraction of its fair share that a sector must hold; 0 to 1.
        min_radius: Samples nearer to the origin than this lie in no sector.

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
    """The samples in the emptiest equal angular sector, relative to its fair share; a measure of this suite.

    Args:
        fake: Shape ``(n, 2)``.
        data: The data set that determines the fair shares; None for equal ones.
        sectors: Number of sectors.
        start_degrees: Angle of the middle of the first sector.
        min_radius: Samples nearer to the origin than this lie in no sector.

    Returns:
        0 (a sector is empty) to 1 (all hold their fair share), higher is better; NaN if a sample is not finite.
    """
    if not fake.isfinite().all():
        return math.nan
    return _fair_shares(fake, data, sectors, start_degrees, min_radius).min().item()


def _fair_shares(
    fake: Tensor, data: Drawn | Modes | None, sectors: int, start_degrees: float, min_radius: float
) -> Tensor:
    """The samples in each sector relative to its fair share, float64, ``(sectors with a fair share,)``."""
    far = fake.double()
    sector = _sector(far[far.norm(dim=1) >= min_radius], sectors, start_degrees)
    counts = torch.bincount(sector, minlength=sectors).double()
    weights = weights_of(data)
    if weights is None:
        return counts * sectors / len(fake)
    centres = data.centres.to(far)  # type: ignore[union-attr]  # data with weights has centres, by contract
    fair = torch.zeros(sectors).to(far).index_add_(0, _sector(centres, sectors, start_degrees), weights.to(far))
    return (counts / len(fake) / fair)[fair > 0]


def _sector(points: Tensor, sectors: int, start_degrees: float) -> Tensor:
    """The index of each point's sector, ``(n,)``; a point at the origin has angle 0."""
    x, y = points.unbind(dim=1)
    turns = (torch.atan2(y, x) - math.radians(start_degrees)) / (2 * math.pi)
    return (turns * sectors).round().long() % sectors
