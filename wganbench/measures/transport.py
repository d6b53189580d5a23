"""The exact Wasserstein-1 distance between clouds of samples, by linear programming."""

import math

import numpy as np
import ot
import torch
from torch import Tensor

from wganbench.data.fixed_generators import Data, Fixed
from wganbench.errors import DataError

_OPTIMAL = 1  # result code of POT's network simplex
_MAX_PIVOTS = 1_000_000_000  # never reached: 2,500 samples take about a second

BYTES_PER_PAIR = 41
"""Peak memory of POT 0.9.7 per pair of points, with the cost matrix: growth of ru_maxrss at 2,000 and 4,000 points."""

MAX_SAMPLES = 10_000
"""The largest number of samples per cloud that is accepted; it takes 4 GiB, and 20 seconds on one core."""


def exact_wasserstein(fake: Tensor, real: Tensor, *, samples: int = 2500) -> float:
    """The Wasserstein-1 distance with Euclidean cost between the first samples of each cloud (POT's network simplex).

    Two clouds from the same distribution have a positive distance, too: `wasserstein_floor` is that of a perfect
    generator.

    Args:
        fake, real: Shape ``(n, dim)`` each, at least ``samples`` rows.
        samples: Number of samples from each, at most `MAX_SAMPLES`; time and memory grow with its square.

    Returns:
        In the units of the samples, at least 0, lower is better; NaN if a fake sample is not finite or the solver
        stopped short of the optimum.
    """
    _require_memory("exact_wasserstein", samples)
    available = min(len(fake), len(real))
    if not 1 <= samples <= available:
        raise DataError(f"exact_wasserstein, samples: must be between 1 and the {available} available, got {samples}")
    if not fake.isfinite().all():
        return math.nan
    cost = torch.cdist(fake[:samples].double().cpu(), real[:samples].double().cpu()).numpy()
    weights = np.full(samples, 1 / samples)
    distance, log = ot.emd2(weights, weights, cost, numItermax=_MAX_PIVOTS, log=True)
    return float(distance) if log["result_code"] == _OPTIMAL else math.nan


def wasserstein_floor(data: Data, rng: torch.Generator, *, samples: int = 2500) -> float:
    """The exact Wasserstein-1 distance between two new clouds of real samples, which a perfect generator would have.

    Args:
        samples: Number of samples in each cloud, as passed to `exact_wasserstein`.

    Returns:
        In the units of the samples, above 0, neither better nor worse. It falls as ``samples`` grows. Two draws differ
        because the counts of the modes are random (by a third for a ring of 2,500 samples): take the mean of several.
    """
    _require_memory("wasserstein_floor", samples)
    data = data.to(rng.device)
    return exact_wasserstein(data.draw(samples, rng), data.draw(samples, rng), samples=samples)


def fixed_wasserstein(
    data: Data, fixed: Fixed, rng: torch.Generator, *, samples: int = 2000, repeats: int = 5
) -> float:
    """The mean exact Wasserstein-1 distance between independent clouds of real samples and a fixed generator's fakes.

    The clouds are independent because a coupled pair would lack the sampling noise of a generator's cloud.

    Args:
        samples: Number of samples in each cloud, as passed to `exact_wasserstein`.
        repeats: Number of pairs of clouds; at least 1.

    Returns:
        In the units of the samples, at least 0, neither better nor worse; it exceeds the distance of the distributions,
        by less with more samples. NaN if the solver stopped short of the optimum.
    """
    return _fixed_distances("fixed_wasserstein", data, fixed, rng, samples, repeats, fewest=1).mean().item()


def fixed_wasserstein_error(
    data: Data, fixed: Fixed, rng: torch.Generator, *, samples: int = 2000, repeats: int = 5
) -> float:
    """The standard deviation of the single distances that `fixed_wasserstein` averages; same arguments.

    Args:
        repeats: Number of pairs of clouds, at least 2; the deviation has ``repeats`` − 1 degrees of freedom.

    Returns:
        In the units of the samples, at least 0, neither better nor worse; that of the mean is smaller by √repeats. NaN
        if the solver stopped short of the optimum.
    """
    return _fixed_distances("fixed_wasserstein_error", data, fixed, rng, samples, repeats, fewest=2).std().item()


def _fixed_distances(
    where: str, data: Data, fixed: Fixed, rng: torch.Generator, samples: int, repeats: int, *, fewest: int
) -> Tensor:
    """The distances of independent pairs of clouds, ``(repeats,)``, float64."""
    _require_memory(where, samples)
    if repeats < fewest:
        raise DataError(f"{where}, repeats: must be at least {fewest}, got {repeats}")
    data = data.to(rng.device)
    distances = []
    for _ in range(repeats):
        real, source = data.draw(samples, rng), data.draw(samples, rng)
        noise = torch.randn(source.shape, generator=rng, device=rng.device)
        distances.append(exact_wasserstein(fixed(source, noise), real, samples=samples))
    return torch.tensor(distances, dtype=torch.float64)


def _require_memory(where: str, samples: int) -> None:
    if samples > MAX_SAMPLES:
        need, most = (BYTES_PER_PAIR * n**2 / 2**30 for n in (samples, MAX_SAMPLES))
        raise DataError(f"{where}, samples: {samples:,} need {need:,.0f} GiB; at most {MAX_SAMPLES:,} ({most:.0f} GiB)")
