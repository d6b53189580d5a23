"""Exact Wasserstein-1 distance between clouds of samples, by linear programming."""

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
"""Peak memory of POT 0.9.7 for a pair of points, cost matrix included: growth of ru_maxrss at 2,000 and 4,000 each."""

MAX_SAMPLES = 10_000
"""Most samples of each cloud that are solved; 4 GiB and 20 seconds on one core."""


def exact_wasserstein(fake: Tensor, real: Tensor, *, samples: int = 2500) -> float:
    """Wasserstein-1 distance, Euclidean cost, between the first samples of each cloud (network simplex of POT).

    Two clouds of one distribution are apart too: `wasserstein_floor` is what a perfect generator scores.

    Args:
        fake, real: Shape ``(n, dim)`` each, at least ``samples`` rows.
        samples: Number of samples taken of each, at most `MAX_SAMPLES`; time and memory grow with their square.

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
    """Exact Wasserstein-1 distance between two fresh clouds of real samples: what a perfect generator would score.

    Args:
        data: The real distribution.
        rng: Stream for both clouds.
        samples: Number of samples in each, as given to `exact_wasserstein`.

    Returns:
        In the units of the samples, above 0, neither better nor worse. It falls as ``samples`` grows, and two draws
        differ, by a third for a ring of 2,500 samples, as the modes' random counts do: take the mean of several.
    """
    _require_memory("wasserstein_floor", samples)
    data = data.to(rng.device)
    return exact_wasserstein(data.draw(samples, rng), data.draw(samples, rng), samples=samples)


def fixed_wasserstein(
    data: Data, fixed: Fixed, rng: torch.Generator, *, samples: int = 2000, repeats: int = 5
) -> float:
    """Mean exact Wasserstein-1 distance between clouds of real samples and of what a fixed generator makes of others.

    The clouds are independent, as a coupled pair would miss the sampling noise that any generator's cloud has.

    Args:
        data: The real distribution.
        fixed: The fixed generator.
        rng: Stream for the clouds and the noise.
        samples: Number of samples in each cloud, as given to `exact_wasserstein`.
        repeats: Number of pairs of clouds; at least 1.

    Returns:
        In the units of the samples, at least 0, neither better nor worse; above the distance of the distributions, less
        so with more samples. NaN if the solver stopped short of the optimum.
    """
    return _fixed_distances("fixed_wasserstein", data, fixed, rng, samples, repeats, fewest=1).mean().item()


def fixed_wasserstein_error(
    data: Data, fixed: Fixed, rng: torch.Generator, *, samples: int = 2000, repeats: int = 5
) -> float:
    """Standard deviation of one of the distances that `fixed_wasserstein` is the mean of; arguments as there.

    Args:
        repeats: At least 2; the deviation is over these, with one degree of freedom less.

    Returns:
        In the units of the samples, at least 0, neither better nor worse; the mean's own is less by √repeats. NaN if
        the solver stopped short of the optimum.
    """
    return _fixed_distances("fixed_wasserstein_error", data, fixed, rng, samples, repeats, fewest=2).std().item()


def _fixed_distances(
    where: str, data: Data, fixed: Fixed, rng: torch.Generator, samples: int, repeats: int, *, fewest: int
) -> Tensor:
    """Distances of independent pairs of clouds, ``(repeats,)``, float64."""
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
