"""The three scores as functions of what a network says of each image; torch-fidelity's own arithmetic, in float64."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from wganbench.errors import DataError

WIDEST = 700.0
"""Logits this far below an image's largest are raised to it: exp(−700) is the least that float64 tells from nothing,
and a class to which no image of a split gave anything would make the split's score 0 · ∞."""


def inception_score(logits: Tensor, *, splits: int = 10) -> tuple[float, float]:
    """Mean and spread over splits of ``exp(mean KL(p(y|x) ‖ p(y)))`` (Salimans et al. 2016), of torch-fidelity.

    Splits are consecutive and in order, as in the published protocol; torch-fidelity shuffles unless told otherwise.
    p(y) is a split's own, so that a score of fewer samples a split is lower: 50,000 in 10 is compared with the same.

    Args:
        logits: Shape ``(n, classes)``; their softmax is p(y|x).
        splits: Into how many consecutive parts the samples go, equal to within one sample.

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
    for i in range(splits):  # one at a time, since the arithmetic holds four copies in float64
        split = logits[i * n // splits : (i + 1) * n // splits].double()
        split = split.maximum(split.amax(dim=1, keepdim=True) - WIDEST)
        scores.append(isc_features_to_metric(split, splits=1, shuffle=False)[KEY_METRIC_ISC_MEAN])
    return float(np.mean(scores)), float(np.std(scores))


def frechet_distance(features: Tensor, real_features: Tensor) -> float:
    """``|μ − μ′|² + tr(Σ + Σ′ − 2 (Σ Σ′)^½)`` (Heusel et al. 2017, "FID"), of torch-fidelity.

    It falls with the number of samples: distances are compared where that number is the same.

    Args:
        features: Shape ``(n, d)``, of generated images.
        real_features: Shape ``(m, d)``.

    Returns:
        Squared feature units, lower is better, 0 for equal moments up to rounding, which may put it just below. NaN if
        a feature is not finite.

    Raises:
        DataError: If one of them has fewer than two rows, or their widths differ.
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
    """Mean and spread over random subsets of the squared MMD, cubic kernel (Bińkowski et al. 2018), of torch-fidelity.

    Unlike the Fréchet distance it does not depend on the number of samples. Subsets are torch-fidelity's default draw.

    Args:
        features: Shape ``(n, d)``, of generated images.
        real_features: Shape ``(m, d)``.
        subsets: How many pairs of subsets are drawn.
        subset_size: Rows of each, at most n and m.

    Returns:
        The mean, lower is better, below 0 by chance where both are alike; and the standard deviation over the subsets,
        with ``subsets`` in the denominator. NaN, NaN if a feature is not finite.

    Raises:
        DataError: If there are fewer rows than a subset has, or their widths differ.
    """
    from torch_fidelity.metric_kid import KEY_METRIC_KID_MEAN, KEY_METRIC_KID_STD, kid_features_to_metric

    both = _comparable("kernel_distance", features, real_features, least=subset_size)
    if both is None:
        return math.nan, math.nan
    found = kid_features_to_metric(*both, kid_subsets=subsets, kid_subset_size=subset_size, verbose=False)
    return found[KEY_METRIC_KID_MEAN], found[KEY_METRIC_KID_STD]


def _comparable(where: str, features: Tensor, real_features: Tensor, *, least: int) -> tuple[Tensor, Tensor] | None:
    """Both on the CPU in float64; None if one is not finite."""
    for name, each in (("generated", features), ("real", real_features)):
        if len(each) < least:
            raise DataError(f"{where}: needs at least {least:,} {name} images, got {len(each):,}")
    if features.shape[1] != real_features.shape[1]:
        widths = f"{features.shape[1]} and {real_features.shape[1]}"
        raise DataError(f"{where}: both must have as many features, got {widths}; take both from one network")
    if not (features.isfinite().all() and real_features.isfinite().all()):
        return None
    return features.cpu().to(torch.float64), real_features.cpu().to(torch.float64)
