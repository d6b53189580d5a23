"""Confidence intervals and one-sided p-values for arrays with one number per run; higher is better throughout.

Every test returns ``(p_for, p_against)``: ``p_for`` is small when the numbers lie beyond the bound or margin,
``p_against`` when they fall short of it. No test accepts NaN. A mean alone cannot be tested exactly, so the exact tests
are exact under these assumptions:

- ``permutation_p``: *better*, shifted back by the margin, and *worse* have the same distribution. If their means differ
  by just the margin but their shapes differ, small samples may be judged wrongly more often than the p-value says.
- ``paired_p``, ``paired_equivalence_p``: the differences are distributed symmetrically about their mean.
- ``sign_p``, which tests the median, ``binomial_p`` and ``mcnemar_p``: no further assumption.

Permutation and sign-flip tests replace an infinite value (the score of a diverged run if the measure has no bound) by a
finite one: the farthest finite value plus the range of the finite values. Tests of the t family, which an infinite
value would ruin, then return p = 1 both ways, and t intervals are None.

Distributions come from ``scipy.special``: ``scipy.stats`` takes half a second to import, and is imported where needed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, combinations

import numpy as np
import scipy.special
from numpy.typing import ArrayLike, NDArray

LEVEL = 0.95
EXACT = 100_000
"""The most permutations that a test enumerates completely: 9 runs against 9."""
RESAMPLES = 10_000
"""The number of permutations that a test draws, with a fixed seed, when there are more than ``EXACT``."""
SEED = 0
ROUNDING = 1e-12
"""The tolerance for ties, relative to the largest value, so that 0.8 − 0.3 ties with 0.5."""

Array = NDArray[np.float64]
Tails = tuple[float, float]
UNDECIDED: Tails = (1.0, 1.0)


@dataclass(frozen=True)
class Interval:
    """A confidence interval, unadjusted for other claims.

    Attributes:
        level: The true coverage, 0 to 1; an exact interval over few runs cannot choose it freely.
        method: The quantity that the interval covers and how it was computed, in words for the reader.
    """

    low: float
    high: float
    level: float
    method: str


# ---- intervals ------------------------------------------------------------------------------------------------------


def distance_of_means(left: ArrayLike, right: ArrayLike) -> float | None:
    """The mean of ``left`` minus that of ``right``; None where both are infinite."""
    distance = float(_array(left).mean()) - float(_array(right).mean())
    return None if math.isnan(distance) else distance


def student_interval(values: ArrayLike) -> Interval | None:
    """Student's t interval of the mean; None for fewer than two values or if one is not finite."""
    array = _array(values)
    if len(array) < 2 or not np.isfinite(array).all():
        return None
    half = _t_quantile(len(array) - 1) * _deviation(array) / math.sqrt(len(array))
    mean = float(array.mean())
    return Interval(mean - half, mean + half, LEVEL, "mean, Student's t")


def median_interval(values: ArrayLike) -> Interval | None:
    """The interval between order statistics about the median; for counts its coverage is at least ``level``.

    With fewer than six values no such interval reaches 95 %, so the range is returned with the coverage that it has.
    None for fewer than two values.
    """
    array = np.sort(_array(values))
    n = len(array)
    if n < 2:
        return None
    rank, level = _median_rank(n)
    return Interval(float(array[rank - 1]), float(array[n - rank]), level, "median, order statistics")


def wilson_interval(successes: int, n: int) -> Interval:
    """Wilson's interval of a success rate."""
    import scipy.stats

    low, high = scipy.stats.binomtest(successes, n).proportion_ci(LEVEL, method="wilson")
    return Interval(float(low), float(high), LEVEL, "success rate, Wilson")


def welch_interval(better: ArrayLike, worse: ArrayLike) -> Interval | None:
    """Welch's t interval of the difference of means; None for fewer than two values a side or if one is not finite."""
    left, right = _array(better), _array(worse)
    if min(len(left), len(right)) < 2 or not np.isfinite([*left, *right]).all():
        return None
    error, freedom = _welch_error(left, right)
    half = _t_quantile(freedom) * error
    distance = float(left.mean() - right.mean())
    return Interval(distance - half, distance + half, LEVEL, "difference of means, Welch's t")


def permutation_interval(better: ArrayLike, worse: ArrayLike) -> Interval | None:
    """The margins that ``permutation_p`` rejects in neither direction: the inverted test, exact where the test is.

    A permutation that swaps j runs of *better* for j of *worse* reaches the observed difference as soon as the margin
    is at least (sum of the former − sum of the latter) / j, so the limits are order statistics of these quotients
    (after Tritchler 1984). None for fewer than two values a side or if one is not finite.
    """
    left, right = _array(better), _array(worse)
    n, pooled = len(left), np.concatenate([left, right])
    if min(n, len(right)) < 2 or not np.isfinite(pooled).all():
        return None
    if math.comb(len(pooled), n) <= EXACT:
        chosen = _choices(len(pooled), n)
    else:
        chosen = np.random.default_rng(SEED).random((RESAMPLES // 2, len(pooled))).argsort(axis=1)[:, :n]
    swapped = (chosen >= n).sum(axis=1)
    moved = swapped > 0
    margins = (left.sum() - pooled[chosen].sum(axis=1))[moved] / swapped[moved]
    return _inverted(margins, "difference of means, inverted permutation test")


def paired_interval(better: ArrayLike, worse: ArrayLike) -> Interval | None:
    """The margins that ``paired_p`` rejects in neither direction, from the means of all subsets (Hartigan 1969).

    The limits are order statistics of these means. None for fewer than two pairs or if a value is not finite.
    """
    left, right = _array(better), _array(worse)
    n = len(left)
    if n < 2 or not np.isfinite([*left, *right]).all():
        return None
    if 2**n <= EXACT:
        chosen = (np.arange(1, 2**n)[:, None] >> np.arange(n)) & 1
    else:
        chosen = np.random.default_rng(SEED).integers(0, 2, (RESAMPLES // 2, n))
        chosen = chosen[chosen.any(axis=1)]
    return _inverted((chosen @ (left - right)) / chosen.sum(axis=1), "mean difference, inverted sign-flip test")


def _inverted(margins: Array, method: str) -> Interval:
    """The interval between the order statistics that leave at most 2.5 % of the permutations outside on each side."""
    margins = np.sort(margins)
    n = len(margins) + 1  # the identity reaches the observed value whatever the margin
    rank = max(int((1 - LEVEL) / 2 * n + ROUNDING), 1)
    return Interval(float(margins[rank - 1]), float(margins[-rank]), 1 - 2 * rank / n, method)


# ---- tests ----------------------------------------------------------------------------------------------------------


def permutation_p(better: ArrayLike, worse: ArrayLike, margin: float = 0.0) -> Tails:
    """Two-sample permutation test that the means differ by more than ``margin``."""
    left, right = _array(better), _array(worse)
    if min(len(left), len(right)) < 2:
        return UNDECIDED
    tolerance = _rounding(left, right, margin)
    samples = _finite([left - margin, right], tolerance)
    n_permutations = math.comb(len(left) + len(right), len(left))
    if n_permutations <= EXACT:  # scipy takes a hundred times longer to enumerate them
        first, second = samples
        null = _difference_over_choices(first, second)
        return _tails(null, float(_difference_of_means(first, second)), n_permutations, tolerance)
    import scipy.stats

    result = scipy.stats.permutation_test(
        samples,
        _difference_of_means,
        permutation_type="independent",
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=max(2_000_000 // sum(map(len, samples)), 1),
        rng=np.random.default_rng(SEED),
    )
    return _tails(result.null_distribution, float(result.statistic), n_permutations, tolerance)


def paired_p(better: ArrayLike, worse: ArrayLike, margin: float = 0.0) -> Tails:
    """Sign-flip test that the mean difference of pairs exceeds ``margin``; a pair of equal infinities is a tie."""
    left, right = _array(better), _array(worse)
    with np.errstate(invalid="ignore"):  # inf - inf
        distances = left - right - margin
    distances[np.isnan(distances)] = 0.0
    if len(distances) < 2:
        return UNDECIDED
    tolerance = _rounding(left, right, margin)
    distances, _ = _finite([distances, np.zeros(1)], tolerance)
    return _tails(_flipped(distances), float(distances.sum()), 2 ** len(distances), len(distances) * tolerance)


def paired_equivalence_p(first: ArrayLike, second: ArrayLike, within: float) -> Tails:
    """Two one-sided sign-flip tests that the mean difference of pairs lies within ``within`` of 0, either way.

    ``p_for`` is the larger of the two p-values; ``p_against`` is the smaller p-value of the two tests that the mean
    difference lies outside. Where the tests are exact, they are at most 2.5 % exactly when the 95 % ``paired_interval``
    lies wholly inside or wholly outside. ``p_against`` can be too small by up to a factor of 2 when ``within`` is far
    below the standard error; but no mean difference can then be found within, so the two errors together stay at 5 %.

    Infinities are treated as in ``paired_p``: a pair of equal ones is evidence for neither side. If only one of a pair
    is infinite, so is the mean difference, and ``p_for`` is 1.
    """
    left, right = _array(first), _array(second)
    above_low, below_low = paired_p(left, right, -within)
    above_high, below_high = paired_p(left, right, within)
    apart = bool((np.isfinite(left) != np.isfinite(right)).any())
    return 1.0 if apart else max(above_low, below_high), min(below_low, above_high)


def sign_p(values: ArrayLike, bound: float) -> Tails:
    """Exact sign test that the median lies above ``bound``; a value equal to it is evidence for neither side."""
    array = _array(values)
    tolerance = _rounding(array, bound)
    above, below = int((array > bound + tolerance).sum()), int((array < bound - tolerance).sum())
    return binomial_p(above, len(array), 0.5)[0], binomial_p(below, len(array), 0.5)[0]


def welch_p(better: ArrayLike, worse: ArrayLike, margin: float = 0.0) -> Tails:
    """Welch's t test that the means differ by more than ``margin``."""
    left, right = _array(better), _array(worse)
    if min(len(left), len(right)) < 2 or not np.isfinite([*left, *right]).all():
        return UNDECIDED
    error, freedom = _welch_error(left, right)
    return _t_tails(float(left.mean()), float(right.mean()) + margin, error, freedom)


def t_p(values: ArrayLike, bound: float) -> Tails:
    """Student's t test that the mean lies above ``bound``."""
    array = _array(values)
    if len(array) < 2 or not np.isfinite(array).all():
        return UNDECIDED
    return _t_tails(float(array.mean()), bound, _deviation(array) / math.sqrt(len(array)), len(array) - 1)


def tost_p(values: ArrayLike, equals: float, within: float) -> Tails:
    """Two one-sided t tests that the mean lies within ``within`` of ``equals``.

    ``p_for`` is the larger of the two p-values. ``p_against`` is the smaller p-value of the two tests that the mean
    lies outside, which is at most 2.5 % exactly when the 95 % t interval lies wholly outside. It can be too small by up
    to a factor of 2 when ``within`` is far below the standard error; but no mean can then be found within, so the two
    errors together stay at 5 %.
    """
    above_low, below_low = t_p(values, equals - within)
    above_high, below_high = t_p(values, equals + within)
    return max(above_low, below_high), min(below_low, above_high)


def binomial_p(successes: int, n: int, rate: float) -> Tails:
    """Exact binomial test that the success rate exceeds ``rate``."""
    return (
        float(scipy.special.bdtrc(successes - 1, n, rate)),
        float(scipy.special.bdtr(successes, n, rate)),
    )


def mcnemar_p(better: ArrayLike, worse: ArrayLike, threshold: float) -> Tails:
    """McNemar's exact test that *better* exceeds ``threshold`` alone more often than *worse* does.

    Only units with exactly one of their two values above ``threshold`` count: the test is that in more than half of
    them it is the value of *better*.
    """
    only_better, only_worse = discordant(better, worse, threshold)
    if not only_better + only_worse:
        return UNDECIDED
    return binomial_p(only_better, only_better + only_worse, 0.5)


def discordant(better: ArrayLike, worse: ArrayLike, threshold: float) -> tuple[int, int]:
    """Counts the units with only the value of *better* above ``threshold``, and those with only that of *worse*."""
    left, right = _array(better) > threshold, _array(worse) > threshold
    return int((left & ~right).sum()), int((right & ~left).sum())


def success_curve_p(
    successes: Sequence[int], n: int, published: Sequence[float], within: float, published_n: int | None = None
) -> Tails:
    """Tests that each of several success rates lies within ``within`` of its published value.

    ``p_for`` is the largest p-value of two one-sided tests per rate, since all of them must pass. ``p_against`` is the
    smallest p-value that a rate lies outside, times the number of rates.

    Args:
        successes: For each rate, the number of successes among ``n`` units.
        published: The published rates, 0 to 1.
        published_n: The number of units behind each published rate, whose sampling error ``rates_differ_p`` then takes
            into account; None if the rates are known exactly, and the tests are exact binomial ones.
    """
    inside, outside = 0.0, 1.0
    for count, rate in zip(successes, published, strict=True):
        for bound in (-within, within):
            if published_n is not None:
                above, below = rates_differ_p(count, n, round(rate * published_n), published_n, bound)
            elif 0 < rate + bound < 1:
                above, below = binomial_p(count, n, rate + bound)
            else:
                continue  # no rate can lie beyond this bound
            inner, outer = (above, below) if bound < 0 else (below, above)
            inside, outside = max(inside, inner), min(outside, outer)
    return inside, min(1.0, len(successes) * outside)


def rates_differ_p(successes: int, n: int, others: int, n_others: int, margin: float) -> Tails:
    """Score test that the success rate of one sample exceeds that of another by more than ``margin``.

    The difference of the two shares, minus the margin, is divided by its standard error at the most likely rates that
    differ by exactly the margin (Farrington and Manning 1990), and treated as normal. The test is approximate: with 200
    units per sample and a margin of 0.15, a test at 2.5 % rejects wrongly at most 2.7 % of the time.

    Args:
        successes, n: The number of successes in the first sample, and its size.
        others, n_others: The same for the second sample.
        margin: A difference of rates, between −1 and 1, and not 0.
    """
    first, second = _rates_apart(successes / n, others / n_others, n_others / n, margin)
    error = math.sqrt(first * (1 - first) / n + second * (1 - second) / n_others)
    return _t_tails(successes / n, others / n_others + margin, error, math.inf)


def _rates_apart(first: float, second: float, ratio: float, margin: float) -> tuple[float, float]:
    """The most likely rates behind two shares, given that they differ by ``margin``: a root of a cubic.

    Args:
        ratio: The size of the second sample divided by that of the first.
    """
    a = 1 + ratio
    b = -(1 + ratio + first + ratio * second + margin * (ratio + 2)) / (3 * a)
    c = (margin**2 + margin * (2 * first + ratio + 1) + first + ratio * second) / a
    d = -first * margin * (1 + margin) / a
    v = b**3 - b * c / 2 + d / 2
    u = math.copysign(math.sqrt(max(b * b - c / 3, 0.0)), v)
    turn = math.acos(min(max(v / u**3, -1.0), 1.0)) if u else 0.0
    rate = 2 * u * math.cos((math.pi + turn) / 3) - b
    rate = min(max(rate, 0.0, margin), 1.0, 1.0 + margin)
    return rate, rate - margin


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the given order: the k-th smallest of m times (m − k + 1), monotone, at most 1."""
    adjusted, highest = [0.0] * len(p_values), 0.0
    for passed, position in enumerate(np.argsort(p_values, kind="stable")):
        highest = max(highest, (len(p_values) - passed) * p_values[position])
        adjusted[position] = min(highest, 1.0)
    return adjusted


def smallest_p(test: str, *sizes: int, rate: float = 0.5) -> float:
    """The smallest ``p_for`` that a test can return, whatever is measured.

    Args:
        test: The name of the test, as in a claim.
        sizes: The number of units of each side of the check, at least 1.
        rate: The success rate that a binomial test compares with; a sign test always uses 0.5.
    """
    if test in ("permutation", "counts"):
        return _smallest_share(float(scipy.special.comb(sum(sizes), sizes[0])))
    if test in ("paired", "paired_equivalence", "architectures"):
        return _smallest_share(2.0 ** min(*sizes, 1000))
    if test in ("binomial", "sign", "architectures_sign", "mcnemar"):
        return (rate if test == "binomial" else 0.5) ** sizes[0]
    return 0.0


# ---- shared helpers -------------------------------------------------------------------------------------------------


def _array(values: ArrayLike) -> Array:
    return np.asarray(values, dtype=np.float64)


def _rounding(*numbers: Array | float) -> float:
    """The largest difference between two of ``numbers`` that counts as a tie."""
    flat = np.abs(np.concatenate([np.atleast_1d(number) for number in numbers]))
    return ROUNDING * float(flat[np.isfinite(flat)].max(initial=0.0))


def _finite(samples: Sequence[Array], tolerance: float) -> list[Array]:
    """Replaces infinities by the farthest finite value plus the range of all finite values (or 1 if that is 0)."""
    pooled = np.concatenate(samples)
    finite = pooled[np.isfinite(pooled)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)
    pad = high - low if high - low > tolerance else 1.0
    return [np.clip(sample, low - pad, high + pad) for sample in samples]


def _deviation(array: Array) -> float:
    """The sample standard deviation; exactly 0 if the values differ only by rounding."""
    deviation = float(array.std(ddof=1))
    return deviation if deviation > ROUNDING * float(np.abs(array).max()) else 0.0


def _welch_error(left: Array, right: Array) -> tuple[float, float]:
    """The standard error of the difference of means, and Welch's degrees of freedom."""
    parts = [_deviation(sample) ** 2 / len(sample) for sample in (left, right)]
    if not sum(parts):
        return 0.0, float(len(left) + len(right) - 2)
    weights = [part / sum(parts) for part in parts]
    freedom = 1 / sum(weight**2 / (len(sample) - 1) for weight, sample in zip(weights, (left, right), strict=True))
    return math.sqrt(sum(parts)), freedom


def _t_tails(mean: float, bound: float, error: float, freedom: float) -> Tails:
    """Both tails of t; without any spread, 0 on the side where the mean lies, or undecided if it is on the bound."""
    distance = mean - bound
    if error == 0:
        if abs(distance) <= ROUNDING * max(abs(mean), abs(bound)):
            return UNDECIDED
        return (0.0, 1.0) if distance > 0 else (1.0, 0.0)
    t = distance / error
    return float(scipy.special.stdtr(freedom, -t)), float(scipy.special.stdtr(freedom, t))


@lru_cache(maxsize=1024)
def _t_quantile(freedom: float) -> float:
    """The upper quantile of Student's t that leaves out half of 1 − ``LEVEL``; a report asks for few, but often."""
    return -float(scipy.special.stdtrit(freedom, (1 - LEVEL) / 2))


@lru_cache(maxsize=1024)
def _median_rank(n: int) -> tuple[int, float]:
    """The rank of the order statistic that is the lower limit of the median of ``n`` values, and the coverage."""
    below = scipy.special.bdtr(np.arange(n + 1), n, 0.5)
    rank = max(int((below < (1 - LEVEL) / 2).sum()), 1)
    return rank, 1 - 2 * float(below[rank - 1])


@lru_cache(maxsize=16)
def _choices(n: int, k: int) -> NDArray[np.intp]:
    """All choices of ``k`` of ``n`` places, shape ``(choices, k)``."""
    return np.fromiter(chain.from_iterable(combinations(range(n), k)), dtype=np.intp).reshape(-1, k)


def _difference_over_choices(left: Array, right: Array) -> Array:
    """The difference of means for every division of all values into two samples of these sizes."""
    pooled = np.concatenate([left, right])
    sums = pooled[_choices(len(pooled), len(left))].sum(axis=1)
    difference: Array = sums / len(left) - (pooled.sum() - sums) / len(right)
    return difference


def _flipped(distances: Array) -> Array:
    """Sums ``distances`` under all signs, or random ones if there are more than ``EXACT``; far faster than scipy."""
    if 2 ** len(distances) > EXACT:
        signs = np.random.default_rng(SEED).choice([-1.0, 1.0], (RESAMPLES, len(distances)))
        return np.asarray(signs @ distances, dtype=np.float64)
    sums = np.zeros(1)
    for distance in distances:
        sums = np.concatenate([sums + distance, sums - distance])
    return sums


def _tails(null: Array, observed: float, n_permutations: int, tolerance: float) -> Tails:
    """Both tails of a permutation distribution.

    They are counted here because scipy's own tolerance for ties is relative to the observed statistic, and so has no
    effect if that is 0 or far smaller than the values themselves.
    """
    itself = 0 if n_permutations <= EXACT else 1  # randomly drawn permutations omit the observed one
    more = int(np.count_nonzero(null >= observed - tolerance)) + itself
    less = int(np.count_nonzero(null <= observed + tolerance)) + itself
    return more / (len(null) + itself), less / (len(null) + itself)


def _difference_of_means(first: Array, second: Array, axis: int = -1) -> Array:
    difference: Array = first.mean(axis=axis) - second.mean(axis=axis)
    return difference


def _smallest_share(n_permutations: float) -> float:
    return 1 / n_permutations if n_permutations <= EXACT else 1 / (RESAMPLES + 1)
