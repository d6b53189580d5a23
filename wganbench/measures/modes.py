"""The distribution of a generator's samples over modes, over angular sectors, and over the blobs of a density plot.

Modes are those of a mixture with known centres. It may be custom: `wganbench.data.contract.Modes` states the attributes
that it must have. If it has no ``weights``, its modes have equal weight.

Sectors measure the angular spread around the origin; they need no modes and work for diffuse clouds too. A cloud around
the origin itself lies in every sector; ``min_radius`` keeps such a cloud from counting as spread. The fair share of a
sector is 1/``sectors`` of the samples, as for data spread evenly around the origin. If the data has ``weights`` of
modes, it is the total weight of the modes whose centres lie there; sectors without any are ignored.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import label, maximum_filter
from torch import Tensor

from wganbench.data.contract import Drawn, Modes, weights_of

_WITH_DIAGONALS = np.ones((3, 3))


def modes_covered(fake: Tensor, data: Modes, *, within: float = 3.0) -> float:
    """The number of modes that are nearest to at least one sample close to them (Srivastava et al. 2017, VEEGAN).

    One stray sample is enough, so a cloud spread over the whole plane covers every mode: read it with `share_within`.
    A mode of weight w is missing from n real samples with probability (1 − w)ⁿ.

    Args:
        within: Largest distance that counts as close, in standard deviations of a mode.

    Returns:
        0 to the number of modes of positive weight, higher is better; NaN if a sample is not finite.
    """
    if not fake.isfinite().all():
        return math.nan
    distance, mode = _nearest(fake, data)
    counts = mode[distance <= within * data.std].bincount(minlength=len(data.centres))
    return float((counts * (_weights(data).to(counts.device) > 0)).count_nonzero())


def share_within(fake: Tensor, data: Modes, *, within: float = 3.0) -> float:
    """The share of samples close to any mode, the "high quality" samples of VEEGAN (Srivastava et al. 2017).

    Neither the identity nor the weight of the mode matters.

    Args:
        within: Largest distance that counts as close, in standard deviations of a mode.

    Returns:
        0 to 1, higher is better up to the share of real samples, ``1 − exp(−within²/2)``, which is 0.9889 at 3; samples
        narrower than the modes exceed it. NaN if a sample is not finite.
    """
    if not fake.isfinite().all():
        return math.nan
    distance, _ = _nearest(fake, data)
    return (distance <= within * data.std).double().mean().item()


def reverse_kl(fake: Tensor, data: Modes) -> float:
    """The KL divergence of the generated histogram over modes from the data's weights (Lin et al. 2018, PacGAN).

    The formula is ``Σ p log(p / w)``; in PacGAN, w is 1/modes. Every sample counts for its nearest mode, however far.

    Returns:
        Nats, lower is better: 0 to log(1 / least weight), which is log(number of modes) for equal weights. Infinite if
        a sample is at a mode of weight 0; NaN if one is not finite.
    """
    if not fake.isfinite().all():
        return math.nan
    _, mode = _nearest(fake, data)
    modes = len(data.centres)
    counts = torch.bincount(mode, minlength=modes).double()
    if weights_of(data) is None:
        ratio = counts * modes / len(fake)  # p over 1/modes
        return torch.xlogy(ratio, ratio).mean().item()
    share = counts / len(fake)
    return (torch.xlogy(share, share) - torch.xlogy(share, _weights(data).to(share))).sum().item()


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


def kde_peaks(fake: Tensor, *, window: float = 4.0, grid: int = 128, level: float = 1 / 30) -> float:
    """The number of blobs in a Gaussian kernel density plot of the samples, as in musyoku's figures.

    The kernel has Scott's width (that of ``scipy.stats.gaussian_kde`` and seaborn), but at least two mesh cells along
    every direction. So a cluster narrower than a cell is not missed, a point or a line has a density, and the ridge of
    a thin oblique line does not break into peaks where it passes between mesh points. A blob is a local maximum that
    rises above the saddle to any higher maximum by ``level`` times the highest density, as a plot with 30 levels hardly
    shows smaller rises. A blob on the border of the window, which cuts it off, is not counted.

    Modes of unequal weight have peaks of unequal height: one whose peak is below ``level`` of the highest is not
    counted, not even in real data. Interpret this measure with care: 2,500 samples from a uniform ring, without modes,
    show two to six blobs by chance, and one sample far outside the window widens Scott's kernel until the blobs merge.

    Args:
        fake: Shape ``(n, 2)``.
        window: The plot shows ``[-window, window]²``.
        grid: Number of mesh points along each axis.
        level: Least rise, as a fraction of the highest density in the window; 0 to 1.

    Returns:
        At least 0 (no sample in the window); closer to the number of modes is better. NaN if a sample is not finite.
    """
    if not fake.isfinite().all():
        return math.nan
    fake = fake.double().cpu()
    if not (fake.abs() <= window).all(dim=1).any():
        return 0.0
    axis = torch.linspace(-window, window, grid, dtype=torch.float64)
    density = _density(fake, torch.cartesian_prod(axis, axis), min_width=2 * (2 * window / (grid - 1)))
    return float(_count_peaks(density.view(grid, grid).numpy(), rise=level * density.max().item()))


def _weights(data: Modes) -> Tensor:
    """The weights of all modes, ``(modes,)``, float64, summing to 1."""
    weights, modes = weights_of(data), len(data.centres)
    weights = torch.ones(modes) if weights is None else weights
    return weights.double() / weights.double().sum()


def _nearest(fake: Tensor, data: Modes) -> tuple[Tensor, Tensor]:
    """The distance to the nearest centre, float64, and the index of that centre, each ``(n,)``."""
    fake = fake.double()  # cdist multiplies matrices, whose rounding error in TF32 is wider than a mode
    distance, mode = torch.cdist(fake, data.centres.to(fake)).min(dim=1)
    return distance, mode


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


def _density(fake: Tensor, points: Tensor, min_width: float) -> Tensor:
    """The kernel density estimate of ``fake``, ``(n, 2)``, at ``points``, ``(m, 2)``, up to a factor; ``(m,)``."""
    n = len(fake)
    centred = fake - fake.mean(dim=0)
    variances, axes = torch.linalg.eigh(centred.T @ centred / max(n - 1, 1))
    widths = (variances.clamp(min=0).sqrt() * n ** (-1 / 6)).clamp(min=min_width)
    samples, points = centred @ axes / widths, (points - fake.mean(dim=0)) @ axes / widths
    # −|p − s|²/2 as one product, (p, 1, −|p|²/2)·(s, −|s|²/2, 1), computed in slices that fit into the cache.
    left = torch.cat([points, torch.ones(len(points), 1), -points.square().sum(dim=1, keepdim=True) / 2], dim=1)
    right = torch.cat([samples, -samples.square().sum(dim=1, keepdim=True) / 2, torch.ones(n, 1)], dim=1).T.contiguous()
    return torch.cat([(some @ right).exp_().sum(dim=1) for some in left.chunk(128)])


def _count_peaks(density: NDArray[np.float64], rise: float) -> int:
    """Counts local maxima off the border from which every path to a higher one descends by ``rise``.

    A plateau counts once.
    """
    maxima = np.argwhere((density == maximum_filter(density, size=3)) & (density > rise))
    maxima = maxima[np.argsort(-density[tuple(maxima.T)], kind="stable")]
    count = 0
    for rank, peak in enumerate(maxima):
        # The peak's region can be reached without descending by the rise; a plateau counts at its first point.
        regions, _ = label(density > density[tuple(peak)] - rise, structure=_WITH_DIAGONALS)
        on_border = any(at in (0, size - 1) for at, size in zip(peak, density.shape, strict=True))
        if not on_border and regions[tuple(peak)] not in regions[tuple(maxima[:rank].T)]:
            count += 1
    return count
