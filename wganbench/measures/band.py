"""The band of a measure that should fall: how far a run has come back up from its own lowest value.

Two write-ups lost generators that had been improving, after 115,000 steps (musyoku 2017, 45,000 drawn faces) and after
250,000 (a write-up of 2018, photographs of food): the estimate, which had fallen throughout, rose again.
"""

import math

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from wganbench.measures.over_steps import Curves, curve_of

SMOOTHED = 3
"""The number of values in the running median that a band looks at: one value out of line is not a collapse."""


def regained(curves: Curves, *, of: str, skip: float = 0.05) -> float:
    """The share of its own fall that a measure has regained: 0 at its lowest value, 1 back where the fall began.

    The fall begins at the highest value before the lowest. All values are medians of the last three, which makes the
    share independent of the sign and the unit of the measure, such as a critic's.

    Args:
        of: Label of a measure that the spec names before this one.
        skip: Fraction of the steps so far to leave out at the beginning, while the critic has not settled.

    Returns:
        At least 0, lower is better. NaN if the measure has not fallen yet, or a value is not finite.
    """
    steps, values = curve_of(curves, of)
    values = _smooth(values[steps >= skip * steps[-1]])
    if not len(values) or not np.isfinite(values).all():
        return math.nan
    lowest = int(values.argmin())
    fall = values[: lowest + 1].max() - values[lowest]
    return float((values[-1] - values[lowest]) / fall) if fall > 0 else math.nan


def excess(curves: Curves, *, of: str) -> float:
    """The last value of a distance divided by the lowest value of the run so far.

    Args:
        of: Label of a positive measure, lower is better, that the spec names before this one.

    Returns:
        At least 1, lower is better; NaN if a value is not finite or not positive.
    """
    _, values = curve_of(curves, of)
    return float(values[-1] / values.min()) if _are_positive(values) else math.nan


def share_outside(curves: Curves, *, of: str, factor: float = 2.0) -> float:
    """The share of a distance's values that are above ``factor`` times the lowest value before them.

    Args:
        of: Label of a positive measure, lower is better, that the spec names before this one.
        factor: The width of the band; above 1.

    Returns:
        0 to 1, lower is better; a value that is not finite is outside. NaN if there are fewer than two values, or one
        is not positive.
    """
    _, values = curve_of(curves, of)
    finite = np.where(np.isfinite(values), values, math.inf)
    if len(values) < 2 or not (finite > 0).all():
        return math.nan
    before = np.minimum.accumulate(finite)[:-1]
    return float(((finite[1:] > factor * before) | ~np.isfinite(values[1:])).mean())


def fall(curves: Curves, *, of: str, skip: float = 0.05) -> float:
    """Spearman's rank correlation of a measure with the step, from the beginning up to its lowest value.

    Args:
        of: Label of a measure that the spec names before this one; its values are smoothed as in ``regained``.
        skip: As in ``regained``.

    Returns:
        −1 to 1, lower is better: −1 for a measure that falls steadily to its lowest value. 1 if that value comes
        within the first three, as the measure has then not fallen; NaN if a value is not finite, or there are fewer
        than three.
    """
    steps, values = curve_of(curves, of)
    used = steps >= skip * steps[-1]
    steps, values = steps[used], _smooth(values[used])
    if len(values) < 3 or not np.isfinite(values).all():
        return math.nan
    end = int(values.argmin()) + 1
    if end <= SMOOTHED or np.ptp(values[:end]) == 0:
        return 1.0
    return float(scipy.stats.spearmanr(steps[:end], values[:end]).statistic)


def _smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The median of each value and the two before it; of fewer at the beginning."""
    return np.array([np.median(values[max(0, i + 1 - SMOOTHED) : i + 1]) for i in range(len(values))])


def _are_positive(values: NDArray[np.float64]) -> bool:
    return bool(np.isfinite(values).all() and (values > 0).all())
