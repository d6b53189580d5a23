"""The three scores as functions of a network's outputs per image, in float64, computed by torch-fidelity."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from wganbench.errors import DataError

WIDEST = 700.0
"""Largest distance of a logit below the largest of its image; logits further below are raised to it.

exp(−700) is about the smallest number in float64 that is not 0, and a class whose probability is 0 for all images of a
split would make the score of the split 0 · ∞.
"""


def inception_score(logits: Tensor, *, splits: int = 10) -> tuple[float, float]:
    """Mean and spread over splits of ``exp(mean KL(p(y|x) ‖ p(y)))`` (Salimans et al. 2016), by torch-fidelity.

    Splits are consecutive and in order, as in the published protocol; torch-fidelity shuffles by default. p(y) is
    estimated per split, so fewer samples per split give a lower score: compare 50,000 samples in 10 splits only with
    the same.

    Args:
        logits: Shape ``(n, classes)``; their softmax is p(y|x).
        splits: Number of consecutive parts, equal in size to within one sample.

    Returns:
        The mean, 1 to the number of classes, higher is better; and the standard deviation over the splits, with
        ``splits`` and not ``splits − 1`` in the denominator, as published. NaN, NaN if a logit is not finite.

    Raises:
        DataError: If there are fewer samples than splits.
    """
    from torch_fidelity.metric_isc import KEY_METRIC_ISC_MEAN, isc_features_to_metric

    n = len(logits)
    if not 1 <= splits <= n:
        raise DataError(f"inception_score, splits: must be 1 to the number of samples ({n:,}), got {splits:,}")
    if not logits.isfinite().all():
        return math.nan, math.nan
    scores = []
    for i in range(splits):  # one at a time, since torch-fidelity holds four copies in float64
        split = logits[i * n // splits : (i + 1) * n // splits].double()
        split = split.maximum(split.amax(dim=1, keepdim=True) - WIDEST)
        scores.append(isc_features_to_metric(split, splits=1, shuffle=False)[KEY_METRIC_ISC_MEAN])
    return float(np.mean(scores)), float(np.std(scores))


def frechet_distance(features: Tensor, real_features: Tensor) -> float:
    """``|μ − μ′|² + tr(Σ + Σ′ − 2 (Σ Σ′)^½)`` (Heusel et al. 2017, "FID"), by torch-fidelity.

    It falls with the number of samples, so only distances for the same number are comparable.

    Args:
        features: Features of generated images, ``(n, d)``.
        real_features: Features of real images, ``(m, d)``.

    Returns:
        Squared feature units, lower is better, 0 for equal moments up to rounding, which may put it just below. NaN if
        a feature is not finite.

    Raises:
        DataError: If either has fewer than two rows, or their widths differ.
    """
    from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric

    both = _comparable("frechet_distance", features, real_features, least=2)
    if both is None:
        return math.nan
    statistics = [fid_features_to_statistics(each) for each in both]
    return float(fid_statistics_to_metric(*statistics, verbose=False)[KEY_METRIC_FID])


def kernel_distance(
    features: Tensor, real_features: Tensor, *, subsets: int = 100, subset_size: int = 1000
) -> tuple[float, float]:
    """Mean and spread over random subsets of the squared MMD, cubic kernel (Bińkowski et al. 2018), by torch-fidelity.

    Unlike the Fréchet distance, it does not depend on the number of samples. Subsets are drawn by torch-fidelity's
    default.

    Args:
        features: Features of generated images, ``(n, d)``.
        real_features: Features of real images, ``(m, d)``.
        subsets: Number of pairs of subsets that are drawn.
        subset_size: Number of rows per subset, at most n and m.

    Returns:
        The mean, lower is better, below 0 by chance if both are alike; and the standard deviation over the subsets,
        with ``subsets`` in the denominator. NaN, NaN if a feature is not finite.

    Raises:
        DataError: If there are fewer rows than ``subset_size``, or their widths differ.
    """
    from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, KEY_METRIC_KID_STD, kid_features_to_metric

    both = _comparable("kernel_distance", features, real_features, least=subset_size)
    if both is None:
        return math.nan, math.nan
    found = kid_features_to_metric(*both, kid_subsets=subsets, kid_subset_size=subset_size, verbose=False)
    return found[KEY_METRIC_KID_MEAN], found[KEY_METRIC_KID_STD]


def _comparable(where: str, features: Tensor, real_features: Tensor, *, least: int) -> tuple[Tensor, Tensor] | None:
    """Returns both on the CPU in float64, or None if a feature is not finite; raises DataError if they do not match."""
    for name, each in (("generated", features), ("real", real_features)):
        if len(each) < least:
            raise DataError(f"{where}: needs at least {least:,} {name} images, got {len(each):,}")
    if features.shape[1] != real_features.shape[1]:
        widths = f"{features.shape[1]} and {real_features.shape[1]}"
        raise DataError(f"{where}: both must have as many features, got {widths}; take both from one network")
    if not (features.isfinite().all() and real_features.isfinite().all()):
        return None
    return features.cpu().to(torch.float64), real_features.cpu().to(torch.float64)
