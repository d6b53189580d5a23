"""The answer to a check: an estimate, its interval, and p-values in both directions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wganbench.analysis import stats
from wganbench.analysis.stats import Interval
from wganbench.spec import (
    Check,
    Comparison,
    Counts,
    Equality,
    Equivalence,
    Level,
    McNemar,
    OverArchitectures,
    Setting,
    Success,
    SuccessCurve,
    scale_of,
)


@dataclass(frozen=True)
class Answer:
    """The estimate, interval and p-values for a check; the defaults mean that nothing can be said."""

    estimate: float | None = None
    interval: Interval | None = None
    tails: stats.Tails = stats.UNDECIDED


def answer(check: Check, settings: Mapping[str, Setting], values: Mapping[str, Sequence[float]]) -> Answer:
    """Computes the answer to a check; an empty one if a variant has no values or one of them is NaN.

    Args:
        values: One number per unit, by side of the check.
    """
    first, *_ = groups = [np.array(values[side]) for side in check.sides()]
    if any(len(group) == 0 or np.isnan(group).any() for group in groups):
        return Answer()
    mean = float(first.mean())
    match check:
        case Comparison():
            sign = 1.0 if _higher_is_better(check, settings) else -1.0
            better, worse = (sign * group for group in groups)
            exceeds_by, interval_of = _COMPARED[check.test]
            tails = exceeds_by(better, worse, check.margin)
            return Answer(stats.distance_of_means(better, worse), interval_of(better, worse), tails)
        case Level():
            exceeds, interval = _LEVELLED[check.test]
            sign, bound = (1.0, check.at_least) if check.at_most is None else (-1.0, check.at_most)
            assert bound is not None  # a Level has exactly one of the two bounds
            centre = float(np.median(first)) if check.test == "sign" else mean
            return Answer(centre, interval(first), exceeds(sign * first, sign * bound))
        case Success():
            n_met, n = int(first.sum()), len(first)
            return Answer(mean, stats.wilson_interval(n_met, n), stats.binomial_p(n_met, n, check.rate))
        case Counts():
            _, worse = groups
            tails = stats.permutation_p(first, worse, check.margin)
            return Answer(stats.distance_of_means(first, worse), stats.permutation_interval(first, worse), tails)
        case Equality():
            return Answer(mean, stats.student_interval(first), stats.tost_p(first, check.equals, check.within))
        case OverArchitectures():
            better, worse = groups
            if check.test == "architectures_sign":
                n, tails = int((better - worse > check.margin).sum()), stats.sign_p(better - worse, check.margin)
                return Answer(n / len(better), stats.wilson_interval(n, len(better)), tails)
            tails = stats.paired_p(better, worse, check.margin)
            return Answer(stats.distance_of_means(better, worse), stats.paired_interval(better, worse), tails)
        case McNemar():
            better, worse = groups
            only_better, only_worse = stats.discordant(better, worse, check.threshold)
            if not (n_alone := only_better + only_worse):
                return Answer()
            tails = stats.mcnemar_p(better, worse, check.threshold)
            return Answer(only_better / n_alone, stats.wilson_interval(only_better, n_alone), tails)
        case SuccessCurve():
            n_above = [int((first > threshold).sum()) for threshold in check.thresholds]
            distances = [count / len(first) - share for count, share in zip(n_above, check.published, strict=True)]
            tails = stats.success_curve_p(n_above, len(first), check.published, check.within, check.published_n)
            return Answer(max(distances, key=abs), None, tails)
        case Equivalence():
            _, second = groups
            tails = stats.paired_equivalence_p(first, second, check.within)
            return Answer(stats.distance_of_means(first, second), stats.paired_interval(first, second), tails)


_COMPARED = {
    "permutation": (stats.permutation_p, stats.permutation_interval),
    "paired": (stats.paired_p, stats.paired_interval),
    "welch": (stats.welch_p, stats.welch_interval),
}
_LEVELLED = {
    "sign": (stats.sign_p, stats.median_interval),
    "t": (stats.t_p, stats.student_interval),
}


def estimate_of(check: Check, settings: Mapping[str, Setting]) -> str:
    """Describes what a check's estimate measures, such as ``"mean modes_covered of a minus b"``."""
    if isinstance(check, Success):
        return f"share of {check.variant} runs that succeed"
    if isinstance(check, Counts):
        return f"mean number of runs that succeed with {' minus '.join(check.sides())}"
    if isinstance(check, SuccessCurve):
        return f"largest distance of the success rate of {check.method} from the published one"
    if isinstance(check, McNemar):
        return f"of the architectures above {check.threshold:g} with one method alone, share with {check.better}"
    if check.test == "architectures_sign":
        return f"share of architectures that score higher with {check.better}"
    centre = "median" if check.test == "sign" else "mean"
    mean = f"{centre} {_value_used(check)} of"
    if isinstance(check, Equivalence):
        return f"{mean} {check.first} minus {check.second}"
    if isinstance(check, OverArchitectures):
        return f"{mean} {check.better} minus {check.worse}, over architectures"
    if not isinstance(check, Comparison):
        return f"{mean} {check.variant}"
    higher, lower = (check.better, check.worse) if _higher_is_better(check, settings) else (check.worse, check.better)
    return f"{mean} {higher} minus {lower}"


def _value_used(check: Comparison | Level | Equality | Equivalence | OverArchitectures) -> str:
    """Names the value of a run that a check reads, such as ``"best modes_covered"``."""
    if check.statistic == "mean":
        return f"{check.measure} over {len(check.at or ())} moments"
    return f"best {check.measure}" if check.statistic == "best" else check.measure


def _higher_is_better(check: Comparison, settings: Mapping[str, Setting]) -> bool:
    return bool(scale_of(settings[check.better].measures[check.measure]).higher_is_better)
