"""The p-values of many samples at once: the tests of ``stats`` on arrays with one simulated sample per row.

They serve simulations, where a test is repeated thousands of times. The only difference from ``stats`` is that a
permutation or sign-flip test with more than ``SHUFFLES`` permutations draws that many instead of 10,000.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from itertools import chain, combinations

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from wganbench.analysis import stats
from wganbench.spec import (
    Check,
    Comparison,
    Counts,
    Equality,
    Equivalence,
    Level,
    McNemar,
    OverArchitectures,
    Success,
    SuccessCurve,
)

SHUFFLES = 2_000
"""The most permutations of a test."""

Array = NDArray[np.float64]
Tails = tuple[Array, Array]
"""``(p_for, p_against)``, one number per sample."""


def tails_of(check: Check, groups: Sequence[Array]) -> Tails:
    """Returns the p-values of a check on many samples.

    Args:
        groups: The values of each side of the check, of shape (samples, units) and without NaN. Those of
            a comparison or level are negated if lower is better, or the bound is an upper one.
    """
    first, second = groups[0], groups[-1]
    match check:
        case Comparison(test="permutation") | Counts():
            return _permutation(first - check.margin, second)
        case Comparison(test="welch"):
            return _welch(first - check.margin, second)
        case Comparison() | OverArchitectures(test="architectures"):
            return _paired(_minus(first, second, check.margin))
        case OverArchitectures():
            return _sign(_minus(first, second, check.margin))
        case Equivalence():
            (above_low, below_low), (above_high, below_high) = (
                _paired(_minus(first, second, by)) for by in (-check.within, check.within)
            )
            apart = (np.isfinite(first) != np.isfinite(second)).any(axis=1)
            return np.where(apart, 1.0, np.maximum(above_low, below_high)), np.minimum(below_low, above_high)
        case Level():
            return (_sign if check.test == "sign" else _student)(first - oriented_bound(check))
        case Equality():
            (above_low, below_low), (above_high, below_high) = (
                _student(first - check.equals + by) for by in (check.within, -check.within)
            )
            return np.maximum(above_low, below_high), np.minimum(below_low, above_high)
        case Success():
            return _binomial(first.sum(axis=1), first.shape[1], check.rate)
        case McNemar():
            left, right = first > check.threshold, second > check.threshold
            only_better, only_worse = (left & ~right).sum(axis=1), (right & ~left).sum(axis=1)
            return _binomial(only_better, only_better + only_worse, 0.5)
        case SuccessCurve():
            return _success_curve(check, first)


def oriented_bound(check: Level) -> float:
    """Returns the bound of a level, negated if it is an upper one."""
    return float(check.at_least) if check.at_least is not None else -float(check.at_most or 0.0)


def holm(p_values: Array) -> Array:
    """Holm's adjusted p-values of shape (claims, samples), each sample by itself, as ``stats.holm`` does."""
    order = np.argsort(p_values, axis=0, kind="stable")
    factors = np.arange(len(p_values), 0, -1)[:, None]
    highest = np.maximum.accumulate(np.take_along_axis(p_values, order, 0) * factors, axis=0)
    adjusted = np.empty_like(p_values)
    np.put_along_axis(adjusted, order, np.minimum(highest, 1.0), 0)
    return adjusted


def _permutation(better: Array, worse: Array) -> Tails:
    pooled = _finite(np.concatenate([better, worse], axis=1))
    n = better.shape[1]
    return _ranked(pooled, pooled[:, :n].sum(axis=1), _choices(n, worse.shape[1]))


def _paired(distances: Array) -> Tails:
    distances = _finite(np.pad(distances, ((0, 0), (0, 1))))[:, :-1]  # with a 0, which no difference also is
    return _ranked(distances, distances.sum(axis=1), _signs(distances.shape[1]))


def _ranked(values: Array, observed: Array, weights: Array) -> Tails:
    """Both tails of ``observed`` among the sums of ``values`` under each column of ``weights``."""
    null = values @ weights
    tolerance = stats.ROUNDING * np.abs(values).max(axis=1, initial=0.0) * values.shape[1]
    more = (null >= (observed - tolerance)[:, None]).sum(axis=1)
    less = (null <= (observed + tolerance)[:, None]).sum(axis=1)
    itself = int(weights.shape[1] == SHUFFLES)  # randomly drawn permutations omit the observed one
    n = weights.shape[1] + itself
    return (more + itself) / n, (less + itself) / n


@functools.cache
def _choices(n: int, n_others: int) -> Array:
    """The ways to choose ``n`` units of the first group, one per column: all, or ``SHUFFLES`` random ones."""
    size = n + n_others
    if math.comb(size, n) < SHUFFLES:
        flat = np.fromiter(chain.from_iterable(combinations(range(size), n)), dtype=np.intp)
        chosen = flat.reshape(-1, n)
    else:
        chosen = np.random.default_rng(stats.SEED).random((SHUFFLES, size)).argsort(axis=1)[:, :n]
    weights = np.zeros((len(chosen), size))
    np.put_along_axis(weights, chosen, 1.0, axis=1)
    return weights.T.copy()


@functools.cache
def _signs(n: int) -> Array:
    """The signs of ``n`` differences, one set per column: all, or ``SHUFFLES`` random ones."""
    if 2**n < SHUFFLES:
        return (1 - 2 * ((np.arange(2**n) >> np.arange(n)[:, None]) & 1)).astype(np.float64)
    return np.asarray(np.random.default_rng(stats.SEED).choice([-1.0, 1.0], (n, SHUFFLES)), dtype=np.float64)


def _sign(distances: Array) -> Tails:
    n, tolerance = distances.shape[1], stats.ROUNDING
    above, below = (distances > tolerance).sum(axis=1), (distances < -tolerance).sum(axis=1)
    return _binomial(above, n, 0.5)[0], _binomial(below, n, 0.5)[0]


def _binomial(successes: Array | NDArray[np.int64], n: int | NDArray[np.int64], rate: float) -> Tails:
    above, below = scipy.stats.binom.sf(successes - 1, n, rate), scipy.stats.binom.cdf(successes, n, rate)
    return np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)


def _student(distances: Array) -> Tails:
    n = distances.shape[1]
    return _t_tails(distances.mean(axis=1), _deviation(distances) / math.sqrt(n), n - 1.0)


def _welch(better: Array, worse: Array) -> Tails:
    parts = [_deviation(sample) ** 2 / sample.shape[1] for sample in (better, worse)]
    total = parts[0] + parts[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = [(part / total) ** 2 / (each.shape[1] - 1) for part, each in zip(parts, (better, worse), strict=True)]
        freedom = np.where(total > 0, 1 / (weights[0] + weights[1]), 1.0)
    return _t_tails(better.mean(axis=1) - worse.mean(axis=1), np.sqrt(total), freedom)


def _t_tails(distance: Array, error: Array, freedom: float | Array) -> Tails:
    """Both tails of t; without any spread, 0 on the side where the mean lies, or 1 both ways if it is on the bound."""
    flat = error == 0
    t = distance / np.where(flat, 1.0, error)
    beyond, short = flat & (distance > stats.ROUNDING), flat & (distance < -stats.ROUNDING)
    above = np.where(flat, np.where(beyond, 0.0, 1.0), scipy.stats.t.sf(t, freedom))
    return above, np.where(flat, np.where(short, 0.0, 1.0), scipy.stats.t.cdf(t, freedom))


def _success_curve(check: SuccessCurve, values: Array) -> Tails:
    n, n_rates = values.shape[1], len(check.thresholds)
    inside, outside = np.zeros(len(values)), np.ones(len(values))
    for threshold, share in zip(check.thresholds, check.published, strict=True):
        counts, rows = np.unique((values > threshold).sum(axis=1), return_inverse=True)
        found = [stats.success_curve_p([int(k)], n, [share], check.within, check.published_n) for k in counts]
        for_, against = np.array(found)[rows].T
        inside, outside = np.maximum(inside, for_), np.minimum(outside, against)
    return inside, np.minimum(1.0, n_rates * outside)


def _minus(first: Array, second: Array, margin: float) -> Array:
    """The differences of pairs beyond ``margin``; 0 for a pair of equal infinities, which is a tie."""
    with np.errstate(invalid="ignore"):
        return np.nan_to_num(first - second - margin, nan=0.0, posinf=math.inf, neginf=-math.inf)


def _deviation(values: Array) -> Array:
    """The sample standard deviation of each row; exactly 0 if its values differ only by rounding."""
    deviation: Array = values.std(axis=1, ddof=1)
    return np.where(deviation > stats.ROUNDING * np.abs(values).max(axis=1), deviation, 0.0)


def _finite(values: Array) -> Array:
    """Replaces the infinities of each row by its farthest finite value plus the range of these (or 1 if that is 0)."""
    finite = np.isfinite(values)
    if finite.all():
        return values
    low = np.where(finite, values, math.inf).min(axis=1, keepdims=True)
    high = np.where(finite, values, -math.inf).max(axis=1, keepdims=True)
    none = ~finite.any(axis=1, keepdims=True)
    low, high = np.where(none, 0.0, low), np.where(none, 0.0, high)
    pad = np.where(high - low > 0, high - low, 1.0)
    return np.clip(values, low - pad, high + pad)
