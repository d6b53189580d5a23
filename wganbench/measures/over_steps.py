"""What the curves of a run say together: of two measures at one step, over its steps, and whether it has settled."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from wganbench.errors import DataError

Curves = Mapping[str, tuple[Sequence[int], Sequence[float | None]]]
"""Steps and values so far, by label; None for a value that is not finite."""


def quotient(curves: Curves, *, of: str, to: str) -> float:
    """The last value of one measure over the last of another, taken at the same step.

    Args:
        curves: Of the run so far.
        of, to: Labels of measures that the spec names before this one.

    Returns:
        NaN where either is not finite, or ``to`` is 0.
    """
    (step, above), (other, below) = _last(curves, of), _last(curves, to)
    if step != other:
        raise DataError(f"quotient: {of!r} was last taken at step {step}, {to!r} at {other}; give both as many points")
    return above / below if below else math.nan


def rank_correlation(curves: Curves, *, of: str, to: str, skip: float = 0.2, window: int = 101) -> float:
    """Spearman's rank correlation of one measure's running median with another measure, over the steps of a run.

    The steps are those at which ``to`` was taken. They are to be even: where half of them are logarithmic, half of what
    is ranked is the first tenth of a run. The median is that of Arjovsky et al. (2017, figure 3), whose curves have a
    value at each generator step and a median filter of width 101; here it is over what was taken within such a window.

    Args:
        curves: Of the run so far, taken for the whole.
        of, to: Labels of measures that the spec names before this one.
        skip: Part of the run that is left out at its beginning, where a critic is still finding its form.
        window: Width of the running median of ``of``, in generator steps: those at most ``window // 2`` away.

    Returns:
        −1 to 1, higher is better: one tells where the other is going. NaN where fewer than three steps are left, one of
        them has no value of ``of`` in its window, a value that is read is not finite, or one measure is constant.
    """
    (taken, values), (steps, exact) = _known(curves, of), _known(curves, to)
    late = steps > skip * steps[-1]
    smooth = np.array([_median(values[abs(taken - step) <= window // 2]) for step in steps[late]])
    pairs = np.array([smooth, exact[late]])
    if late.sum() < 3 or not np.isfinite(pairs).all() or (np.ptp(pairs, axis=1) == 0).any():
        return math.nan
    return float(scipy.stats.spearmanr(*pairs).statistic)


def _median(values: NDArray[np.float64]) -> float:
    """NaN of none, and where one is not finite."""
    return float(np.median(values)) if len(values) else math.nan


def drift(curves: Curves, *, of: str = "wasserstein_estimate") -> float:
    """How far the mean of a measure over the last fifth of the steps lies from that over the fifth before.

    This suite's own test of convergence: a critic whose gap drifts by more than 2 % is still learning.

    Args:
        curves: Of the run so far, taken for the whole.
        of: Label of a measure that the spec names before this one.

    Returns:
        ``|last / before − 1|``, at least 0, lower is better; NaN if a value there is not finite, a fifth has none, or
        the earlier mean is 0.
    """
    steps, values = _known(curves, of)
    end = steps[-1]
    last, before = values[steps > 0.8 * end], values[(steps > 0.6 * end) & (steps <= 0.8 * end)]
    if not len(last) or not len(before) or before.mean() == 0:
        return math.nan
    return abs(float(last.mean() / before.mean()) - 1)


def late_mean(curves: Curves, *, of: str, share: float = 0.2) -> float:
    """Mean of a score over the last steps, where a single one says as much of the moment as of the method.

    Args:
        curves: Of the run so far, taken for the whole.
        of: Label of a score that the spec names before this one.
        share: Of the steps, counted from the end: the values at steps above (1 − share)·steps are taken.

    Returns:
        Higher is better; NaN where a value there is not finite, or there is none.
    """
    late = _late(curves, of, share)
    return float(late.mean()) if len(late) else math.nan


def late_spread(curves: Curves, *, of: str, share: float = 0.2) -> float:
    """Standard deviation of a score over the last steps of a run: how much it still goes up and down.

    Args:
        curves, of, share: As for ``late_mean``.

    Returns:
        At least 0, lower is better, with one value less than there are as divisor; NaN where a value there is not
        finite, or there are fewer than two.
    """
    late = _late(curves, of, share)
    return float(late.std(ddof=1)) if len(late) > 1 else math.nan


def detrended_spread(curves: Curves, *, of: str, share: float = 0.2) -> float:
    """Standard deviation of a score about its straight line over the last steps of a run.

    A score that still rises steadily has a ``late_spread``, which is its slope, and none of this.

    Args:
        curves, of, share: As for ``late_mean``.

    Returns:
        At least 0, lower is better: the root of the squared residuals of least squares over the number of values less
        two. NaN where a value there is not finite, or there are fewer than three.
    """
    steps, values = _known(curves, of)
    late = steps > (1 - share) * steps[-1]
    if late.sum() < 3 or not np.isfinite(values[late]).all():
        return math.nan
    x, y = steps[late] - steps[late].mean(), values[late] - values[late].mean()
    residuals = y - x * (x @ y) / (x @ x)
    return math.sqrt(float(residuals @ residuals) / (len(y) - 2))


def seconds_to(curves: Curves, *, of: str, level: float, by: str = "training_seconds") -> float:
    """The time after which a score was first seen at a level, in s: how fast a method is by the clock.

    Args:
        curves: Of the run so far, taken for the whole.
        of: Label of a score that the spec names before this one.
        level: To be reached, in the score's own unit.
        by: Label of the seconds of training, which the spec names before this one; between the steps at which they are
            taken they are interpolated.

    Returns:
        At least 0, lower is better, as coarse as the steps at which the score is taken; NaN where it was never seen at
        that level.
    """
    steps, values = _known(curves, of)
    reached = np.flatnonzero(values >= level)
    return float(np.interp(steps[reached[0]], *_known(curves, by))) if len(reached) else math.nan


def _late(curves: Curves, of: str, share: float) -> NDArray[np.float64]:
    steps, values = _known(curves, of)
    return values[steps > (1 - share) * steps[-1]]


def _known(curves: Curves, label: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    if label not in curves:
        known = ", ".join(curves) or "none"
        raise DataError(f"measure {label!r}: not taken so far (taken: {known}); the spec must name it before this one")
    steps, values = curves[label]
    return np.array(steps), np.array(values, dtype=np.float64)


def _last(curves: Curves, label: str) -> tuple[int, float]:
    steps, values = _known(curves, label)
    return int(steps[-1]), float(values[-1])
