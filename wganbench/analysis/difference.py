"""The difference between two samples of one measure: a two-sided test, and the smallest effect that it can find.

Units with a common key, such as runs with a common seed, are compared in pairs if there are enough of them for the
test; otherwise all units of both samples are compared. Measures without bounds are compared by a t test of the pairs or
Welch's t test; counts, shares and other bounded measures, and samples with an infinite value, by an exact sign-flip or
permutation test. The two-sided p-value is twice the smaller one-sided one of ``stats``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import scipy.optimize
import scipy.special
import scipy.stats

from wganbench.analysis import stats
from wganbench.analysis.evidence import MIN_UNITS
from wganbench.analysis.stats import Interval

LEVEL = 0.05
"""The two-sided level at which a difference counts as found, after Holm's adjustment."""
POWER = 0.8
"""The chance with which a difference of the detectable size is found."""
MIN_PAIRS = 6
"""The fewest pairs with which a sign-flip test can reach ``LEVEL``: 2 of the 64 ways to choose the signs are 3 %."""


@dataclass(frozen=True)
class Difference:
    """The mean of the first sample minus that of the second, with a test against zero.

    Attributes:
        test: The name of the test; empty if the units are too few.
        n: The number of units of each sample that the test uses; two equal numbers for pairs.
        is_paired: Whether the units were compared in pairs.
        is_equal: Whether all units that are compared have equal values, so that there is nothing to test.
        estimate: The difference of the means; None if it is undefined.
        interval: Its 95 % interval, unadjusted; None if there is none.
        is_higher: Whether the test points to a higher first sample; also where infinite values leave no estimate.
        p: The two-sided p-value, unadjusted; 1 without a test.
        error: The standard error of the difference, from these units; NaN if a value is infinite or without a test.
        freedom: The degrees of freedom of ``error``.
        smallest_p: The smallest two-sided p-value that the test can return with these numbers of units.
    """

    test: str
    n: tuple[int, int]
    is_paired: bool = False
    is_equal: bool = False
    estimate: float | None = None
    interval: Interval | None = None
    is_higher: bool = False
    p: float = 1.0
    error: float = math.nan
    freedom: float = math.nan
    smallest_p: float = 1.0

    def detectable(self, level: float) -> float | None:
        """Returns the smallest true difference that this test finds at a two-sided ``level`` with 80 % chance.

        Infinite if the test cannot reach ``level`` with so few units, whatever the difference. None if there is no
        test, or if these units have no spread from which it could be computed.
        """
        if not self.test or self.is_equal:
            return None
        if self.smallest_p > level:
            return math.inf
        return detectable(self.error, self.freedom, level) if self.error > 0 else None


def detectable(error: float, freedom: float, level: float) -> float:
    """The smallest true difference that a two-sided t test finds with 80 % chance: the minimum detectable effect.

    It is ``c · error``, where c is the noncentrality with which a noncentral t variable exceeds the critical value
    t(1 − level / 2) with a chance of 80 %; the chance beyond the opposite critical value is neglected. For many degrees
    of freedom c is t(1 − level / 2) + t(0.8), the multiplier of Bloom (1995, Evaluation Review 19, pp. 547-556). The
    value is exact for normal values whose standard error is ``error``. Sign-flip and permutation tests reach the power
    of the t test as the number of units grows (Hoeffding 1952); with about eight units they find a little less.

    Args:
        error: The standard error of the difference; positive.
        freedom: The degrees of freedom of the standard error.
        level: The two-sided level of the test.
    """
    critical = float(scipy.stats.t.isf(level / 2, freedom))
    high = critical + 1.0
    while _chance(high, freedom, critical) < POWER:
        high *= 2
    return error * float(scipy.optimize.brentq(lambda c: _chance(c, freedom, critical) - POWER, 0.0, high, xtol=1e-9))


def _chance(noncentrality: float, freedom: float, critical: float) -> float:
    return 1.0 - float(scipy.special.nctdtr(freedom, noncentrality, critical))


def compare_samples(
    first: Mapping[int, float], second: Mapping[int, float], *, bounded: bool, in_pairs: bool = True
) -> Difference:
    """Compares two samples of one measure.

    Args:
        first, second: The value of each unit by its key, such as the seed of a run. Infinite for a diverged run without
            a finite worst value; never NaN.
        bounded: Whether the measure is a count, a share or otherwise bounded.
        in_pairs: Whether units with a common key may be compared in pairs.
    """
    exact = bounded or not np.isfinite([*first.values(), *second.values()]).all()
    common = sorted(first.keys() & second.keys()) if in_pairs else []
    is_subset = len(common) == min(len(first), len(second)) > 0
    if (first and first == second) or (is_subset and all(first[key] == second[key] for key in common)):
        n = len(common) or len(first)
        return Difference("", (n, n), is_paired=in_pairs, is_equal=True, estimate=0.0)
    if len(common) >= (MIN_PAIRS if exact else MIN_UNITS):
        left, right = (np.array([sample[key] for key in common]) for sample in (first, second))
        return _paired(left, right, exact)
    left, right = (np.array(list(sample.values())) for sample in (first, second))
    if min(len(left), len(right)) < MIN_UNITS:
        estimate = stats.distance_of_means(left, right) if len(left) and len(right) else None
        return Difference("", (len(left), len(right)), estimate=estimate)
    return _unpaired(left, right, exact)


def _paired(left: stats.Array, right: stats.Array, exact: bool) -> Difference:
    n, distances = len(left), _minus(left, right)
    tails = stats.paired_p(left, right) if exact else stats.t_p(distances, 0.0)
    return Difference(
        test="sign flips" if exact else "paired t",
        n=(n, n),
        is_paired=True,
        is_equal=bool(np.all(distances == 0)),
        estimate=stats.distance_of_means(left, right),
        interval=stats.paired_interval(left, right) if exact else stats.student_interval(distances),
        is_higher=tails[0] < tails[1],
        p=min(1.0, 2 * min(tails)),
        error=_deviation(distances) / math.sqrt(n),
        freedom=n - 1,
        smallest_p=min(1.0, 2 * stats.smallest_p("paired", n)) if exact else 0.0,
    )


def _unpaired(left: stats.Array, right: stats.Array, exact: bool) -> Difference:
    n = (len(left), len(right))
    tails = (stats.permutation_p if exact else stats.welch_p)(left, right)
    parts = [_deviation(sample) ** 2 / len(sample) for sample in (left, right)]
    total = sum(parts)
    spread = sum(part**2 / (size - 1) for part, size in zip(parts, n, strict=True))
    return Difference(
        test="permutation" if exact else "Welch's t",
        n=n,
        estimate=stats.distance_of_means(left, right),
        interval=(stats.permutation_interval if exact else stats.welch_interval)(left, right),
        is_higher=tails[0] < tails[1],
        p=min(1.0, 2 * min(tails)),
        error=math.sqrt(total),
        freedom=total**2 / spread if spread > 0 else sum(n) - 2,
        smallest_p=min(1.0, 2 * stats.smallest_p("permutation", *n)) if exact else 0.0,
    )


def _minus(left: stats.Array, right: stats.Array) -> stats.Array:
    """The differences of pairs; 0 for a pair of equal infinities."""
    with np.errstate(invalid="ignore"):
        return np.nan_to_num(left - right, nan=0.0, posinf=math.inf, neginf=-math.inf)


def _deviation(values: stats.Array) -> float:
    """The sample standard deviation; NaN if a value is infinite, and exactly 0 for equal values."""
    if not np.isfinite(values).all():
        return math.nan
    return 0.0 if np.ptp(values) == 0 else float(values.std(ddof=1))
