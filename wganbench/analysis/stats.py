"""Intervals and one-sided p-values, on arrays that hold one number a run; higher is taken as better throughout.

Every test returns ``(p_for, p_against)``: small for when the numbers lie beyond the bound or margin, small against when
they lie short of it. No test takes NaN. What an exact test is exact for, since a mean alone cannot be tested exactly:

- ``permutation_p``: *better*, moved back by the margin, and *worse* have one distribution. Where their means differ by
  just the margin but their shapes differ, few runs can be judged wrongly more often than the p-value says.
- ``paired_p``, ``paired_equivalence_p``: the differences are distributed symmetrically about their mean.
- ``sign_p``, a test of the median, ``binomial_p`` and ``mcnemar_p``: always.

An infinite value (what a diverged run scores where the measure has no bound) enters permutation and sign flips as a
finite one: one range of the finite values beyond the farthest of them. Tests and intervals of the t family, which it
would ruin, give p = 1 both ways and no interval.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, combinations

import numpy as np
import scipy.special
import scipy.stats
from numpy.typing import ArrayLike, NDArray

LEVEL = 0.95
EXACT = 100_000
"""Up to so many permutations a test takes them all: 9 against 9 runs."""
RESAMPLES = 10_000
"""Beyond, it draws so many with a fixed seed."""
SEED = 0
ROUNDING = 1e-12
"""Relative to the largest value: what differs by less is a tie, so 0.8 − 0.3 ties with 0.5."""

Array = NDArray[np.float64]
Tails = tuple[float, float]
UNDECIDED: Tails = (1.0, 1.0)


@dataclass(frozen=True)
class Interval:
    """A confidence interval, unadjusted for other claims.

    Attributes:
        level: Its true coverage, 0 to 1, which an exact interval of few runs cannot choose.
        method: What it is of and how it was made, for the reader.
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
    """Student's t interval of the mean; None below two values or if one is not finite."""
    array = _array(values)
    if len(array) < 2 or not np.isfinite(array).all():
        return None
    half = float(scipy.stats.t.isf((1 - LEVEL) / 2, len(array) - 1)) * _deviation(array) / math.sqrt(len(array))
    mean = float(array.mean())
    return Interval(mean - half, mean + half, LEVEL, "mean, Student's t")


def median_interval(values: ArrayLike) -> Interval | None:
    """Order statistics about the median: right for counts too, whose coverage is then at least ``level``.

    Below six values there is none of 95 %: the range, with the coverage that it has. None below two values.
    """
    array = np.sort(_array(values))
    n = len(array)
    if n < 2:
        return None
    rank = max(int(scipy.stats.binom.ppf((1 - LEVEL) / 2, n, 0.5)), 1)
    level = 1 - 2 * float(scipy.stats.binom.cdf(rank - 1, n, 0.5))
    return Interval(float(array[rank - 1]), float(array[n - rank]), level, "median, order statistics")


def wilson_interval(successes: int, n: int) -> Interval:
    """Wilson's interval of a success rate."""
    low, high = scipy.stats.binomtest(successes, n).proportion_ci(LEVEL, method="wilson")
    return Interval(float(low), float(high), LEVEL, "success rate, Wilson")


def welch_interval(better: ArrayLike, worse: ArrayLike) -> Interval | None:
    """Welch's t interval of the difference of means; None below two values a side or if one is not finite."""
    left, right = _array(better), _array(worse)
    if min(len(left), len(right)) < 2 or not np.isfinite([*left, *right]).all():
        return None
    error, freedom = _welch_error(left, right)
    half = float(scipy.stats.t.isf((1 - LEVEL) / 2, freedom)) * error
    distance = float(left.mean() - right.mean())
    return Interval(distance - half, distance + half, LEVEL, "difference of means, Welch's t")


def permutation_interval(better: ArrayLike, worse: ArrayLike) -> Interval | None:
    """All margins that ``permutation_p`` rejects neither way: its inversion, exact where the test is.

    A permutation that swaps j runs of *better* for j of *worse* reaches the observed difference as soon as the margin
    is at least (sum of those − sum of these) / j, so the limits are order statistics of these quotients (after
    Tritchler 1984). None below two values a side or if one is not finite.
    """
    left, right = _array(better), _array(worse)
    n, pooled = len(left), np.concatenate([left, right])
    if min(n, len(right)) < 2 or not np.isfinite(pooled).all():
        return None
    if math.comb(len(pooled), n) <= EXACT:
        flat = np.fromiter(chain.from_iterable(combinations(range(len(pooled)), n)), dtype=np.intp)
        chosen = flat.reshape(-1, n)
    else:
        chosen = np.random.default_rng(SEED).random((RESAMPLES // 2, len(pooled))).argsort(axis=1)[:, :n]
    swapped = (chosen >= n).sum(axis=1)
    moved = swapped > 0
    margins = (left.sum() - pooled[chosen].sum(axis=1))[moved] / swapped[moved]
    return _inverted(margins, "difference of means, inverted permutation test")


def paired_interval(better: ArrayLike, worse: ArrayLike) -> Interval | None:
    """All margins that ``paired_p`` rejects neither way: order statistics of the means of all subsets (Hartigan 1969).

    None below two pairs or if a value is not finite.
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
    result = scipy.stats.permutation_test(
        samples,
        _difference_of_means,
        permutation_type="independent",
        vectorized=True,
        n_resamples=EXACT if n_permutations <= EXACT else RESAMPLES,
        batch=max(2_000_000 // sum(map(len, samples)), 1),
        rng=np.random.default_rng(SEED),
    )
    return _tails(result.null_distribution, float(result.statistic), n_permutations, tolerance)


def paired_p(better: ArrayLike, worse: ArrayLike, margin: float = 0.0) -> Tails:
    """Sign-flip test that the mean difference of pairs is more than ``margin``; a pair of equal infinities is a tie."""
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

    For: the larger of the two p-values. Against: the smaller p-value of the two tests that the mean difference lies
    outside. Where the tests are exact they are at most 2.5 % just when the 95 % ``paired_interval`` lies wholly inside,
    or outside. As a p-value, the one against is up to twice too small where ``within`` is far below the standard error;
    but no mean difference can then be found within, so both ways together stay at 5 %.

    Infinities enter each test as they do ``paired_p``: a pair of equal ones is evidence neither way. But where one of
    a pair alone is infinite, the mean difference is, and nothing is found within: p is 1.
    """
    left, right = _array(first), _array(second)
    above_low, below_low = paired_p(left, right, -within)
    above_high, below_high = paired_p(left, right, within)
    apart = bool((np.isfinite(left) != np.isfinite(right)).any())
    return 1.0 if apart else max(above_low, below_high), min(below_low, above_high)


def sign_p(values: ArrayLike, bound: float) -> Tails:
    """Exact sign test that the median lies above ``bound``; a value on it is evidence for neither side."""
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

    For: the larger of the two p-values. Against: the smaller p-value of the two tests that the mean lies outside, which
    is at most 2.5 % just when the 95 % t interval lies wholly outside. As a p-value it is up to twice too small where
    ``within`` is far below the standard error; but no mean can then be found within, so both ways together stay at 5 %.
    """
    above_low, below_low = t_p(values, equals - within)
    above_high, below_high = t_p(values, equals + within)
    return max(above_low, below_high), min(below_low, above_high)


def binomial_p(successes: int, n: int, rate: float) -> Tails:
    """Exact binomial test that the success rate is more than ``rate``."""
    return (
        float(scipy.stats.binomtest(successes, n, rate, alternative="greater").pvalue),
        float(scipy.stats.binomtest(successes, n, rate, alternative="less").pvalue),
    )


def mcnemar_p(better: ArrayLike, worse: ArrayLike, threshold: float) -> Tails:
    """McNemar's exact test that of the units with one value alone above ``threshold``, more than half have *better*'s.

    The units with both or neither above it say nothing of that.
    """
    only_better, only_worse = discordant(better, worse, threshold)
    if not only_better + only_worse:
        return UNDECIDED
    return binomial_p(only_better, only_better + only_worse, 0.5)


def discordant(better: ArrayLike, worse: ArrayLike, threshold: float) -> tuple[int, int]:
    """How many units have only *better*'s value above ``threshold``, and how many only *worse*'s."""
    left, right = _array(better) > threshold, _array(worse) > threshold
    return int((left & ~right).sum()), int((right & ~left).sum())


def success_curve_p(
    successes: Sequence[int], n: int, published: Sequence[float], within: float, published_n: int | None = None
) -> Tails:
    """That every one of several success rates lies within ``within`` of its published value.

    For: the largest p-value of two one-sided tests a rate, since all of them must pass. Against: the smallest p-value
    that a rate lies outside, times the number of rates.

    Args:
        successes: Of ``n`` units, one number a rate.
        published: Rates, 0 to 1.
        published_n: Units that the published rates are of, with whose sampling error the tests are ``rates_differ_p``;
            None where the rates are known, and the tests exact binomial ones.
    """
    inside, outside = 0.0, 1.0
    for count, rate in zip(successes, published, strict=True):
        for bound in (-within, within):
            if published_n is not None:
                above, below = rates_differ_p(count, n, round(rate * published_n), published_n, bound)
            elif 0 < rate + bound < 1:
                above, below = binomial_p(count, n, rate + bound)
            else:
                continue  # no rate lies beyond
            inner, outer = (above, below) if bound < 0 else (below, above)
            inside, outside = max(inside, inner), min(outside, outer)
    return inside, min(1.0, len(successes) * outside)


def rates_differ_p(successes: int, n: int, others: int, n_others: int, margin: float) -> Tails:
    """Score test that one success rate exceeds another by more than ``margin``, both of samples.

    The distance of the two shares, less the margin, is divided by its standard error at the likeliest rates that differ
    by just the margin (Farrington and Manning 1990), and taken as normal. It is approximate: of 200 units a sample and
    a margin of 0.15, a test at 2.5 % rejects wrongly in at most 2.7 %.

    Args:
        successes, n: Of the first sample, and its size.
        others, n_others: Of the second.
        margin: Between −1 and 1, and not 0.
    """
    first, second = _rates_apart(successes / n, others / n_others, n_others / n, margin)
    error = math.sqrt(first * (1 - first) / n + second * (1 - second) / n_others)
    return _t_tails(successes / n, others / n_others + margin, error, math.inf)


def _rates_apart(first: float, second: float, ratio: float, margin: float) -> tuple[float, float]:
    """The likeliest rates behind two shares, given that they differ by ``margin``: a root of a cubic.

    Args:
        ratio: Size of the second sample over that of the first.
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
    """Holm's adjusted p-values, in the order given: the k-th smallest of m times m − k + 1, monotone, at most 1."""
    adjusted, highest = [0.0] * len(p_values), 0.0
    for passed, position in enumerate(np.argsort(p_values, kind="stable")):
        highest = max(highest, (len(p_values) - passed) * p_values[position])
        adjusted[position] = min(highest, 1.0)
    return adjusted


def smallest_p(test: str, *sizes: int, rate: float = 0.5) -> float:
    """The smallest ``p_for`` that a test can give whatever is measured.

    Args:
        test: As a claim names it.
        sizes: Runs of each variant, at least 1.
        rate: Of a binomial test; a sign test has 0.5.
    """
    if test == "permutation":
        return _smallest_share(float(scipy.special.comb(sum(sizes), sizes[0])))
    if test in ("paired", "paired_equivalence", "architectures"):
        return _smallest_share(2.0 ** min(*sizes, 1000))
    if test in ("binomial", "sign", "architectures_sign", "mcnemar"):
        return (rate if test == "binomial" else 0.5) ** sizes[0]
    return 0.0


# ---- what they share ------------------------------------------------------------------------------------------------


def _array(values: ArrayLike) -> Array:
    return np.asarray(values, dtype=np.float64)


def _rounding(*numbers: Array | float) -> float:
    """What differs by no more is a tie."""
    flat = np.abs(np.concatenate([np.atleast_1d(number) for number in numbers]))
    return ROUNDING * float(flat[np.isfinite(flat)].max(initial=0.0))


def _finite(samples: Sequence[Array], tolerance: float) -> list[Array]:
    """``samples`` with infinities one range of all finite values (1 where that is 0) beyond the farthest of them."""
    pooled = np.concatenate(samples)
    finite = pooled[np.isfinite(pooled)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)
    pad = high - low if high - low > tolerance else 1.0
    return [np.clip(sample, low - pad, high + pad) for sample in samples]


def _deviation(array: Array) -> float:
    """Sample standard deviation; exactly 0 where only rounding varies."""
    deviation = float(array.std(ddof=1))
    return deviation if deviation > ROUNDING * float(np.abs(array).max()) else 0.0


def _welch_error(left: Array, right: Array) -> tuple[float, float]:
    """Standard error of the difference of means, and Welch's degrees of freedom."""
    parts = [_deviation(sample) ** 2 / len(sample) for sample in (left, right)]
    if not sum(parts):
        return 0.0, float(len(left) + len(right) - 2)
    weights = [part / sum(parts) for part in parts]
    freedom = 1 / sum(weight**2 / (len(sample) - 1) for weight, sample in zip(weights, (left, right), strict=True))
    return math.sqrt(sum(parts)), freedom


def _t_tails(mean: float, bound: float, error: float, freedom: float) -> Tails:
    """Both tails of t; without any spread 0 on the side where the mean lies, and undecided on the bound itself."""
    distance = mean - bound
    if error == 0:
        if abs(distance) <= ROUNDING * max(abs(mean), abs(bound)):
            return UNDECIDED
        return (0.0, 1.0) if distance > 0 else (1.0, 0.0)
    return float(scipy.stats.t.sf(distance / error, freedom)), float(scipy.stats.t.cdf(distance / error, freedom))


def _flipped(distances: Array) -> Array:
    """Sums of ``distances`` under all signs, or beyond ``EXACT`` under drawn ones; faster than scipy by far."""
    if 2 ** len(distances) > EXACT:
        signs = np.random.default_rng(SEED).choice([-1.0, 1.0], (RESAMPLES, len(distances)))
        return np.asarray(signs @ distances, dtype=np.float64)
    sums = np.zeros(1)
    for distance in distances:
        sums = np.concatenate([sums + distance, sums - distance])
    return sums


def _tails(null: Array, observed: float, n_permutations: int, tolerance: float) -> Tails:
    """Both tails of a permutation distribution.

    They are counted here, as scipy's own tolerance for ties is relative to the observed statistic, so none where that
    is 0 or far below the values themselves.
    """
    itself = 0 if n_permutations <= EXACT else 1  # drawn permutations leave out the observed one
    more = int(np.count_nonzero(null >= observed - tolerance)) + itself
    less = int(np.count_nonzero(null <= observed + tolerance)) + itself
    return more / (len(null) + itself), less / (len(null) + itself)


def _difference_of_means(first: Array, second: Array, axis: int = -1) -> Array:
    difference: Array = first.mean(axis=axis) - second.mean(axis=axis)
    return difference


def _smallest_share(n_permutations: float) -> float:
    return 1 / n_permutations if n_permutations <= EXACT else 1 / (RESAMPLES + 1)
