"""Exact Wasserstein-1 distance between clouds of samples, by linear programming."""

import math

import numpy as np
import ot
import torch
from torch import Tensor

from wganbench.data.toy import Mixture, SwissRoll
from wganbench.errors import DataError

_OPTIMAL = 1  # result code of POT's network simplex
_MAX_PIVOTS = 1_000_000_000  # never reached: 2,500 samples take about a second


def exact_wasserstein(fake: Tensor, real: Tensor, *, samples: int = 2500) -> float:
    """Wasserstein-1 distance, Euclidean cost, between the first samples of each cloud (network simplex of POT).

    Two clouds of one distribution are apart too: `wasserstein_floor` is what a perfect generator scores.

    Args:
        fake, real: Shape ``(n, 2)`` each, at least ``samples`` rows.
        samples: Number of samples taken of each; time grows a little faster than with their square.

    Returns:
        In the units of the samples, at least 0, lower is better; NaN if a fake sample is not finite or the solver
        stopped short of the optimum.
    """
    available = min(len(fake), len(real))
    if not 1 <= samples <= available:
        raise DataError(f"exact_wasserstein, samples: must be between 1 and the {available} available, got {samples}")
    if not fake.isfinite().all():
        return math.nan
    cost = torch.cdist(fake[:samples].double().cpu(), real[:samples].double().cpu()).numpy()
    weights = np.full(samples, 1 / samples)
    distance, log = ot.emd2(weights, weights, cost, numItermax=_MAX_PIVOTS, log=True)
    return float(distance) if log["result_code"] == _OPTIMAL else math.nan


def wasserstein_floor(data: Mixture | SwissRoll, rng: torch.Generator, *, samples: int = 2500) -> float:
    """Exact Wasserstein-1 distance between two fresh clouds of real samples: what a perfect generator would score.

    Args:
        data: The real distribution.
        rng: Stream for both clouds.
        samples: Number of samples in each, as given to `exact_wasserstein`.

    Returns:
        In the units of the samples, above 0, neither better nor worse. It falls as ``samples`` grows, and two draws
        differ, by a third for a ring of 2,500 samples, as the modes' random counts do: take the mean of several.
    """
    data = data.to(rng.device)
    return exact_wasserstein(data.draw(samples, rng), data.draw(samples, rng), samples=samples)
