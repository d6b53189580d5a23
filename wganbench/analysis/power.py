"""The power of a plan: the chance that its runs lead to a verdict, simulated from the runs that exist.

Each simulated experiment draws its seeds, with replacement, from those of the runs that exist; variants with the same
seeds get the same draw, so that pairs stay pairs. Its claims are judged as ``verdict`` judges them: checks are combined
within a claim, and claims Holm-adjusted over their family. The same is done without an effect: the values are shifted
so that every check sits exactly on its bound or margin, successes are drawn at the claimed rate, and the methods of a
McNemar test are exchanged at random. A success curve has no such shift.

Draws from few runs repeat values, so that with fewer than about ten runs the chances without an effect are rough, and
often too high. The simulation uses the fewer permutations of ``tails``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from wganbench.analysis import tails
from wganbench.analysis.evidence import Units, sample
from wganbench.analysis.profiles import SMOKE
from wganbench.analysis.results import Results
from wganbench.analysis.tails import Array
from wganbench.analysis.verdict import ALPHA, family_of
from wganbench.spec import (
    Check,
    Claim,
    Comparison,
    Counts,
    Equality,
    Equivalence,
    Experiment,
    Level,
    McNemar,
    OverArchitectures,
    Success,
    SuccessCurve,
    scale_of,
)

N_SIMULATED = 400
"""The number of simulated experiments; the standard error of a chance is at most 2.5 percentage points."""
WANTED = 0.9
"""The chance of a verdict that ``Power.needed`` is for."""
SIZES = (5, 6, 7, 8, 10, 12, 16, 20, 24, 32, 48, 64, 96, 128, 192, 256)
"""The numbers of seeds that are tried for ``WANTED``."""
MAX_VALUES = 4_000_000
"""The most values of one claim's simulated experiments; a larger number of seeds is not tried."""


@dataclass(frozen=True)
class Power:
    """The simulated chances of a claim.

    Attributes:
        n: The number of seeds that the claim is judged on, or of its architectures.
        unit: ``"seeds"`` or ``"architectures"``.
        reproduced, contradicted: The chance of each verdict if the new runs are like those that exist.
        without_effect: The chance of any verdict without an effect; None if no such shift is defined.
        needed: The fewest seeds tried that give a verdict with a chance of 90 %; None if none do.
        n_runs: The smallest number of existing runs, or architectures, of a variant or method.
        profile: The profile of these runs.
    """

    n: int
    unit: str
    reproduced: float
    contradicted: float
    without_effect: float | None
    needed: int | None
    n_runs: int
    profile: str

    def data(self) -> dict[str, object]:
        """The power as JSON data."""
        return asdict(self)


@dataclass(frozen=True)
class _Values:
    """The values of one check: for each side, the seeds or architectures, and one number for each."""

    check: Check
    keys: tuple[tuple[int, ...], ...]
    groups: tuple[Array, ...]


@dataclass(frozen=True)
class _Source:
    """The existing runs of one claim: the values of its checks under one profile."""

    claim: Claim
    profile: str
    checks: tuple[_Values, ...]

    @property
    def n_runs(self) -> int:
        return min(len(keys) for each in self.checks for keys in each.keys)


def simulate(results: Results, profile: str) -> dict[str, Power]:
    """Returns the power of each live claim of a profile that has enough runs, of it or of another one, by claim id."""
    experiment = results.experiment
    claims = [claim for claim in experiment.live_claims if claim.profile == profile]
    sources = {claim.id: found for claim in claims if (found := _find_source(results, claim))}
    powers: dict[str, Power] = {}
    for claim in claims if sources else ():
        family = family_of(experiment, claim, claims)
        if claim.id not in powers and any(each.id in sources for each in family):
            powers |= _simulate_family(experiment, family, sources)
    return powers


def _find_source(results: Results, claim: Claim) -> _Source | None:
    """The runs to draw from: those of the claim's profile, or else of the last other profile that has enough."""
    others = [name for name in reversed(results.experiment.profiles) if name not in (claim.profile, SMOKE)]
    for profile in (claim.profile, *others):
        units = [sample(results, claim, check, profile) for check in claim.checks]
        if None not in units:
            found = (_values(results.experiment, *pair) for pair in zip(claim.checks, units, strict=True))
            return _Source(claim, profile, tuple(found))
    return None


def _values(experiment: Experiment, check: Check, units: Units | None) -> _Values:
    assert units is not None  # as _find_source has checked
    sign = 1.0
    if isinstance(check, Comparison):
        use = experiment.setting(check.better, check.profile).measures[check.measure]
        sign = 1.0 if scale_of(use).higher_is_better else -1.0
    elif isinstance(check, Level) and check.at_most is not None:
        sign = -1.0
    sides = check.sides()
    keys = tuple(tuple(unit.seed for unit in units[side]) for side in sides)
    return _Values(check, keys, tuple(sign * np.array([unit.value for unit in units[side]]) for side in sides))


def _simulate_family(
    experiment: Experiment, family: Sequence[Claim], sources: Mapping[str, _Source]
) -> dict[str, Power]:
    """Simulates the claims of one family; those without a source are undecided, and take a place in it."""
    known = [sources[claim.id] for claim in family if claim.id in sources]
    sizes = {source.claim.id: _planned_size(experiment, source) for source in known}
    planned = _verdicts(known, sizes, len(family))
    shifted = {source.claim.id: moved for source in known if (moved := _without_effect(source))}
    null = _verdicts(list(shifted.values()), sizes, len(family), without_effect=True)
    needed: dict[str, int] = {}
    by_seeds = [source for source in known if not source.claim.methods()]
    for n in SIZES:
        left = [source for source in by_seeds if source.claim.id not in needed]
        if not left or n * N_SIMULATED * max(len(source.checks) for source in by_seeds) > MAX_VALUES:
            break
        found = _verdicts(known, {**sizes, **{source.claim.id: n for source in by_seeds}}, len(family))
        needed |= {source.claim.id: n for source in left if sum(found[source.claim.id]) >= WANTED}
    return {
        source.claim.id: Power(
            n=sizes[source.claim.id],
            unit="architectures" if source.claim.methods() else "seeds",
            reproduced=planned[source.claim.id][0],
            contradicted=planned[source.claim.id][1],
            without_effect=sum(null[source.claim.id]) if source.claim.id in null else None,
            needed=needed.get(source.claim.id),
            n_runs=source.n_runs,
            profile=source.profile,
        )
        for source in known
    }


def _planned_size(experiment: Experiment, source: _Source) -> int:
    claim = source.claim
    if claim.methods():
        return len(experiment.architectures_of(claim.profile, claim.methods()))
    return len(experiment.seeds_of(claim))


def _verdicts(
    sources: Sequence[_Source], sizes: Mapping[str, int], n_family: int, *, without_effect: bool = False
) -> dict[str, tuple[float, float]]:
    """Returns the share of simulated experiments that reproduce and that contradict each claim, by id.

    Args:
        sizes: The number of units of each claim.
        n_family: The number of claims in the family; those that have no source are undecided.
    """
    if not sources:
        return {}
    draws: dict[tuple[object, ...], NDArray[np.intp]] = {}
    p_values = np.ones((2, n_family, N_SIMULATED))
    rng = np.random.default_rng(0)
    for place, source in enumerate(sources):
        found = []
        for values in source.checks:
            groups = []
            for keys, group in zip(values.keys, values.groups, strict=True):
                name = (source.profile, keys, sizes[source.claim.id])
                if name not in draws:
                    draws[name] = rng.integers(0, len(keys), (N_SIMULATED, name[-1]), dtype=np.intp)
                groups.append(group[draws[name]])
            if without_effect:
                groups = _drawn_without_effect(values.check, groups, rng)
            found.append(tails.tails_of(values.check, groups))
        p_values[:, place] = _combine(source.claim, np.array(found))
    adjusted = [tails.holm(way) <= ALPHA for way in p_values]
    for_ = {source.claim.id: float(adjusted[0][place].mean()) for place, source in enumerate(sources)}
    against = (adjusted[1] & ~adjusted[0]).mean(axis=1)
    return {source.claim.id: (for_[source.claim.id], float(against[place])) for place, source in enumerate(sources)}


def _combine(claim: Claim, found: Array) -> Array:
    """The p-values of a claim, of shape (2, samples), from those of its checks, of shape (checks, 2, samples)."""
    for_, against = found[:, 0], found[:, 1]
    if claim.any:
        for_, against = against, for_
    pair = np.array([for_.max(axis=0), np.minimum(len(found) * against.min(axis=0), 1.0)])
    return pair[::-1] if claim.any else pair


# ---- no effect ------------------------------------------------------------------------------------------------------


def _without_effect(source: _Source) -> _Source | None:
    """Shifts the values of every check onto its bound or margin; None if that is not defined for one of them."""
    moved = []
    for values in source.checks:
        groups = _shift(values.check, *values.groups)
        if groups is None:
            return None
        moved.append(_Values(values.check, values.keys, groups))
    return _Source(source.claim, source.profile, tuple(moved))


def _shift(check: Check, first: Array, second: Array | None = None) -> tuple[Array, ...] | None:
    """Shifts the first group of a check so that its statistic is on the bound; None if that is not defined."""
    groups = (first,) if second is None else (first, second)
    if isinstance(check, Success | McNemar):
        return groups  # whose draws are changed instead
    if isinstance(check, SuccessCurve) or not np.isfinite(np.concatenate(groups)).all():
        return None
    match check:
        case Comparison() | Counts():
            by = check.margin - (first.mean() - groups[-1].mean())
        case OverArchitectures(test="architectures"):
            by = check.margin - (first - groups[-1]).mean()
        case OverArchitectures():
            by = check.margin - np.median(first - groups[-1])
        case Level():
            by = tails.oriented_bound(check) - (np.median(first) if check.test == "sign" else first.mean())
        case Equality():
            off = first.mean() - check.equals
            by = (check.within if off >= 0 else -check.within) - off
        case Equivalence():
            off = first.mean() - groups[-1].mean()
            by = (check.within if off >= 0 else -check.within) - off
    return (first + float(by), *groups[1:])


def _drawn_without_effect(check: Check, groups: list[Array], rng: np.random.Generator) -> list[Array]:
    """Draws successes at the claimed rate, and exchanges the two methods of a McNemar test at random."""
    shape = groups[0].shape
    if isinstance(check, Success):
        return [(rng.random(shape) < check.rate).astype(np.float64)]
    if isinstance(check, McNemar):
        swapped = rng.random(shape) < 0.5
        return [np.where(swapped, *pair) for pair in (groups, groups[::-1])]
    return groups
