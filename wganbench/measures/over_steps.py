"""Measures over a run's steps: relations between two curves, means, spreads, convergence, and the time of training."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from wganbench.errors import DataError

Curves = Mapping[str, tuple[Sequence[int], Sequence[float | None]]]
"""The steps and values so far, by label; a value that is not finite is None."""


def quotient(curves: Curves, *, of: str, to: str) -> float:
    """The last value of ``of`` divided by the last value of ``to``, both taken at the same step.

    Args:
        of, to: Labels of measures that the spec names before this one.

    Returns:
        Any sign; NaN if either value is not finite, or ``to`` is 0.

    Raises:
        DataError: If a label is unknown, or the two were last taken at different steps.
    """
    (step, above), (other, below) = _last(curves, of), _last(curves, to)
    if step != other:
        raise DataError(f"quotient: {of!r} was last taken at step {step}, {to!r} at {other}; give both as many points")
    return above / below if below else math.nan


def relative_error(curves: Curves, *, of: str, to: str) -> float:
    """The distance of the last value of an estimate ``of`` from the exact value ``to``, as a fraction of the latter.

    Args:
        of, to: As for `quotient`.

    Returns:
        ``|of / to − 1|``, at least 0, lower is better; NaN as for `quotient`.

    Raises:
        DataError: As for `quotient`.
    """
    return abs(quotient(curves, of=of, to=to) - 1)


def remaining(curves: Curves, *, of: str) -> float:
    """The last value of a distance divided by its value at step 0, that of the untrained networks.

    Args:
        of: Label of a measure that the spec names before this one, taken at least at the first and the last step.

    Returns:
        Lower is better; NaN if either value is not finite, or the first is 0.

    Raises:
        DataError: If the label is unknown, or the measure was not taken at step 0.
    """
    steps, values = curve_of(curves, of)
    if steps[0] != 0:
        raise DataError(f"remaining: {of!r} was first taken at step {steps[0]}, not at 0; give it 2 points or more")
    return float(values[-1] / values[0]) if values[0] else math.nan


def rank_correlation(curves: Curves, *, of: str, to: str, skip: float = 0.2, window: int = 101) -> float:
    """Spearman's rank correlation of one measure's running median with another measure, over the steps of a run.

    The steps are those at which ``to`` was taken. They should be evenly spaced: if half of them are logarithmic, half
    of the ranked values come from the first tenth of the run. The median follows Arjovsky et al. (2017, figure 3):
    their curves have a value at each generator step and a median filter of width 101; here it is over the values taken
    within such a window.

    Args:
        of, to: Labels of measures that the spec names before this one.
        skip: Fraction of the run to leave out at its beginning, while the critic has not settled.
        window: Width of the running median of ``of``, in generator steps: it uses those at most ``window // 2`` away.

    Returns:
        −1 to 1, higher is better: one measure predicts the other. NaN if fewer than three steps are left, one of them
        has no value of ``of`` in its window, a value in use is not finite, or one measure is constant.
    """
    (taken, values), (steps, exact) = curve_of(curves, of), curve_of(curves, to)
    late = steps > skip * steps[-1]
    near = [values[abs(taken - step) <= window // 2] for step in steps[late]]
    smooth = np.array([np.median(each) if len(each) else math.nan for each in near])
    pairs = np.array([smooth, exact[late]])
    if late.sum() < 3 or not np.isfinite(pairs).all() or (np.ptp(pairs, axis=1) == 0).any():
        return math.nan
    return float(scipy.stats.spearmanr(*pairs).statistic)


def drift(curves: Curves, *, of: str = "wasserstein_estimate") -> float:
    """The relative change of a measure's mean from the last but one fifth of the steps to the last.

    This is the suite's own test of convergence: a critic whose gap drifts by more than 2 % is still learning.

    Args:
        of: Label of a measure that the spec names before this one.

    Returns:
        ``|last / before − 1|``, at least 0, lower is better; NaN if a value in either fifth is not finite, a fifth has
        no values, or the earlier mean is 0.
    """
    steps, values = curve_of(curves, of)
    end = steps[-1]
    last, before = values[steps > 0.8 * end], values[(steps > 0.6 * end) & (steps <= 0.8 * end)]
    if not len(last) or not len(before) or before.mean() == 0:
        return math.nan
    return abs(float(last.mean() / before.mean()) - 1)


def trend(curves: Curves, *, of: str, share: float = 1.0) -> float:
    """Spearman's rank correlation of a measure with the step, over the last part of a run.

    Args:
        of: Label of a measure that the spec names before this one.
        share: Fraction of the steps, counted from the end: values at steps above (1 − share)·steps are used.

    Returns:
        −1 to 1, neither better nor worse: 1 if the measure rises from each value to the next, −1 if it falls. NaN if
        one of these values is not finite, there are fewer than three, or all are equal.
    """
    steps, values = curve_of(curves, of)
    late = steps > (1 - share) * steps[-1]
    if late.sum() < 3 or not np.isfinite(values[late]).all() or np.ptp(values[late]) == 0:
        return math.nan
    return float(scipy.stats.spearmanr(steps[late], values[late]).statistic)


def late_mean(curves: Curves, *, of: str, share: float = 0.2) -> float:
    """The mean of a score over the last steps, as a single value depends as much on the step as on the method.

    Args:
        of: Label of a score that the spec names before this one.
        share: Fraction of the steps, counted from the end: values at steps above (1 − share)·steps are used.

    Returns:
        Higher is better; NaN if one of these values is not finite, or there are none.
    """
    late = _late(curves, of, share)
    return float(late.mean()) if len(late) else math.nan


def late_spread(curves: Curves, *, of: str, share: float = 0.2) -> float:
    """The standard deviation of a score over the last steps of a run: its remaining fluctuation.

    Args:
        curves, of, share: As for ``late_mean``.

    Returns:
        At least 0, lower is better; the divisor is the number of values less one. NaN if one of these values is not
        finite, or there are fewer than two.
    """
    late = _late(curves, of, share)
    return float(late.std(ddof=1)) if len(late) > 1 else math.nan


def detrended_spread(curves: Curves, *, of: str, share: float = 0.2) -> float:
    """The standard deviation of a score about its regression line over the last steps of a run.

    A score that still rises steadily has a ``late_spread`` because of its slope, but no ``detrended_spread``.

    Args:
        curves, of, share: As for ``late_mean``.

    Returns:
        At least 0, lower is better: the square root of the sum of squared residuals over the number of values less two.
        NaN if one of these values is not finite, or there are fewer than three.
    """
    steps, values = curve_of(curves, of)
    late = steps > (1 - share) * steps[-1]
    if late.sum() < 3 or not np.isfinite(values[late]).all():
        return math.nan
    x, y = steps[late] - steps[late].mean(), values[late] - values[late].mean()
    residuals = y - x * (x @ y) / (x @ x)
    return math.sqrt(float(residuals @ residuals) / (len(y) - 2))


def late_distance(curves: Curves, *, of: str, share: float = 0.2) -> float:
    """The mean of a distance over the last steps; see `late_mean`, which has the same arguments.

    Returns:
        Lower is better; NaN as for `late_mean`.
    """
    return late_mean(curves, of=of, share=share)


def detrended_distance_spread(curves: Curves, *, of: str, share: float = 0.2) -> float:
    """The standard deviation of a distance about its regression line over the last steps; see `detrended_spread`.

    Returns:
        At least 0, lower is better; NaN as for `detrended_spread`.
    """
    return detrended_spread(curves, of=of, share=share)


def rise_contrast(curves: Curves, *, of: str, to: str, rise: float = 0.5) -> float:
    """The mean of one measure at the steps at which another has just risen, less its mean at all other steps.

    Arjovsky et al. (2017, § 4) saw negative cosines of Adam's step only where the loss blew up and samples got worse.

    Args:
        of, to: Labels of measures that the spec names before this one, taken at the same steps.
        rise: ``to`` has risen if it is above 1 + ``rise`` times its value before; a value that is not finite has risen.

    Returns:
        Any sign, in the unit of ``of``, neither better nor worse; values of ``of`` that are not finite are left out.
        NaN if ``to`` never rose or always did.

    Raises:
        DataError: If a label is unknown, or the two were taken at different steps.
    """
    (steps, values), (others, level) = curve_of(curves, of), curve_of(curves, to)
    if not np.array_equal(steps, others):
        raise DataError(f"rise_contrast: {of!r} and {to!r} were taken at different steps; give both as many points")
    rose = ~np.isfinite(level[1:]) | (level[1:] > (1 + rise) * level[:-1])
    after, known = values[1:], np.isfinite(values[1:])
    if not (rose & known).any() or not (~rose & known).any():
        return math.nan
    return float(after[rose & known].mean() - after[~rose & known].mean())


def training_seconds(training_seconds: float) -> float:
    """The wall time of the cohort's training so far, in seconds, which depends on the device in the record.

    Time spent on measures and on saving is not counted; after a stop, the count continues where it was.

    Args:
        training_seconds: Seconds counted by the training loop.

    Returns:
        At least 0; the time for all seeds of the cohort together, as they are trained in lockstep.
    """
    return training_seconds


def seconds_to(curves: Curves, *, of: str, level: float, by: str = "training_seconds") -> float:
    """The training time in seconds after which a score first reached a level: the speed of a method by the clock.

    Args:
        of: Label of a score that the spec names before this one.
        level: The level to reach, in the unit of the score.
        by: Label of the training seconds, which the spec names before this one; they are interpolated between the steps
            at which they were taken.

    Returns:
        At least 0, lower is better, as coarse as the steps at which the score is taken; NaN if the score never reached
        that level.
    """
    steps, values = curve_of(curves, of)
    reached = np.flatnonzero(values >= level)
    return float(np.interp(steps[reached[0]], *curve_of(curves, by))) if len(reached) else math.nan


def _late(curves: Curves, of: str, share: float) -> NDArray[np.float64]:
    steps, values = curve_of(curves, of)
    return values[steps > (1 - share) * steps[-1]]


def curve_of(curves: Curves, label: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Returns the steps and values of a curve; a value that is not finite is NaN.

    Raises:
        DataError: If there is no curve of that label.
    """
    if label not in curves:
        taken = ", ".join(curves) or "none"
        raise DataError(f"measure {label!r}: not taken so far (taken: {taken}); the spec must name it before this one")
    steps, values = curves[label]
    return np.array(steps), np.array(values, dtype=np.float64)


def _last(curves: Curves, label: str) -> tuple[int, float]:
    steps, values = curve_of(curves, label)
    return int(steps[-1]), float(values[-1])
