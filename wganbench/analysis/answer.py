"""The answer to a claim: an estimate, its interval, and p-values in both directions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wganbench.analysis import stats
from wganbench.analysis.stats import Interval
from wganbench.spec import (
    Claim,
    Comparison,
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
    """The estimate, interval and p-values for a claim; the defaults mean that nothing can be said."""

    estimate: float | None = None
    interval: Interval | None = None
    tails: stats.Tails = stats.UNDECIDED


def answer(claim: Claim, settings: Mapping[str, Setting], values: Mapping[str, Sequence[float]]) -> Answer:
    """Computes the answer to a claim; an empty one if a variant has no values or one of them is NaN.

    Args:
        values: One number per unit, by variant or method.
    """
    first, *_ = groups = [np.array(values[side]) for side in claim.variants() or claim.methods()]
    if any(len(group) == 0 or np.isnan(group).any() for group in groups):
        return Answer()
    mean = float(first.mean())
    match claim:
        case Comparison():
            sign = 1.0 if _higher_is_better(claim, settings) else -1.0
            better, worse = (sign * group for group in groups)
            exceeds_by, interval_of = _COMPARED[claim.test]
            tails = exceeds_by(better, worse, claim.margin)
            return Answer(stats.distance_of_means(better, worse), interval_of(better, worse), tails)
        case Level():
            exceeds, interval = _LEVELLED[claim.test]
            sign, bound = (1.0, claim.at_least) if claim.at_most is None else (-1.0, claim.at_most)
            assert bound is not None  # a Level has exactly one of the two bounds
            centre = float(np.median(first)) if claim.test == "sign" else mean
            return Answer(centre, interval(first), exceeds(sign * first, sign * bound))
        case Success():
            n_met, n = int(first.sum()), len(first)
            return Answer(mean, stats.wilson_interval(n_met, n), stats.binomial_p(n_met, n, claim.rate))
        case Equality():
            return Answer(mean, stats.student_interval(first), stats.tost_p(first, claim.equals, claim.within))
        case OverArchitectures():
            better, worse = groups
            if claim.test == "architectures_sign":
                n, tails = int((better - worse > claim.margin).sum()), stats.sign_p(better - worse, claim.margin)
                return Answer(n / len(better), stats.wilson_interval(n, len(better)), tails)
            tails = stats.paired_p(better, worse, claim.margin)
            return Answer(stats.distance_of_means(better, worse), stats.paired_interval(better, worse), tails)
        case McNemar():
            better, worse = groups
            only_better, only_worse = stats.discordant(better, worse, claim.threshold)
            if not (n_alone := only_better + only_worse):
                return Answer()
            tails = stats.mcnemar_p(better, worse, claim.threshold)
            return Answer(only_better / n_alone, stats.wilson_interval(only_better, n_alone), tails)
        case SuccessCurve():
            n_above = [int((first > threshold).sum()) for threshold in claim.thresholds]
            distances = [count / len(first) - share for count, share in zip(n_above, claim.published, strict=True)]
            tails = stats.success_curve_p(n_above, len(first), claim.published, claim.within, claim.published_n)
            return Answer(max(distances, key=abs), None, tails)
        case Equivalence():
            _, second = groups
            tails = stats.paired_equivalence_p(first, second, claim.within)
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


def estimate_of(claim: Claim, settings: Mapping[str, Setting]) -> str:
    """Describes what a claim's estimate measures, such as ``"mean modes_covered of a minus b"``."""
    if isinstance(claim, Success):
        return f"share of {claim.variant} runs that succeed"
    if isinstance(claim, SuccessCurve):
        return f"largest distance of the success rate of {claim.method} from the published one"
    if isinstance(claim, McNemar):
        return f"of the architectures above {claim.threshold:g} with one method alone, share with {claim.better}"
    if claim.test == "architectures_sign":
        return f"share of architectures that score higher with {claim.better}"
    centre = "median" if claim.test == "sign" else "mean"
    mean = f"{centre} {'best ' if claim.statistic == 'best' else ''}{claim.measure} of"
    if isinstance(claim, Equivalence):
        return f"{mean} {claim.first} minus {claim.second}"
    if isinstance(claim, OverArchitectures):
        return f"{mean} {claim.better} minus {claim.worse}, over architectures"
    if not isinstance(claim, Comparison):
        return f"{mean} {claim.variant}"
    higher, lower = (claim.better, claim.worse) if _higher_is_better(claim, settings) else (claim.worse, claim.better)
    return f"{mean} {higher} minus {lower}"


def _higher_is_better(claim: Comparison, settings: Mapping[str, Setting]) -> bool:
    return bool(scale_of(settings[claim.better].measures[claim.measure]).higher_is_better)
