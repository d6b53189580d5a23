"""Finds the claims that a plan's runs can settle: those judged under its profile, with all of their seeds."""

from __future__ import annotations

import functools
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from wganbench.analysis import stats
from wganbench.analysis.evidence import MIN_UNITS
from wganbench.analysis.power import SIZES, Power
from wganbench.analysis.verdict import ALPHA, family_of
from wganbench.spec import Check, Claim, Experiment, Success, SuccessCurve
from wganbench.spec.plan import Run


@dataclass(frozen=True)
class Prospect:
    """A plan's prospect of settling one claim.

    Attributes:
        reachable: Whether the plan's runs can settle the claim in the best case.
        needed_seeds: The fewest seeds of each variant, under the claim's profile, that can settle it; None if no number
            is enough.
        why: A description of what is missing; empty if nothing is.
    """

    claim: Claim
    reachable: bool
    needed_seeds: int | None
    why: str

    def data(self) -> dict[str, str | bool | int | None]:
        """The prospect as JSON data."""
        return {
            "claim": self.claim.id,
            "profile": self.claim.profile,
            "reachable": self.reachable,
            "needed_seeds": self.needed_seeds,
            "why": self.why,
        }


def prospects(
    experiment: Experiment,
    runs: Sequence[Run],
    recorded: Mapping[str, Collection[int]] | None = None,
    published: Experiment | None = None,
) -> list[Prospect]:
    """Returns a prospect for each live claim, in the spec's order.

    Args:
        runs: The planned runs of ``experiment``, all under one profile.
        recorded: The seeds that have records, by setting id, whose runs need not be planned again.
        published: The spec without the changes of ``--set`` and ``--data``; claims are judged by it.
    """
    found = []
    for claim, can, needed in reachable(experiment):
        why = _obstacle(experiment, claim, runs, recorded or {}, published or experiment)
        if not why and needed is None:
            why = "no number of seeds is enough for a verdict"
        elif not why and not can:
            why = f"needs {needed} seeds, judged on {len(experiment.seeds_of(claim))}"
        found.append(Prospect(claim, not why, needed, why))
    return found


def _obstacle(
    experiment: Experiment,
    claim: Claim,
    runs: Sequence[Run],
    recorded: Mapping[str, Collection[int]],
    published: Experiment,
) -> str:
    """Describes why the claim uses none of ``runs``, or needs others as well; empty if there is no obstacle."""
    if claim.profile != runs[0].profile:
        return f"this plan is of profile {runs[0].profile}"
    planned: dict[str, set[int]] = {}
    for run in runs:
        planned.setdefault(run.variant, set()).add(run.seed)
    needed = claim.variants()
    changed = [each for each in needed if _is_changed(experiment, published, each, claim.profile)]
    if changed:
        return f"--set or --data changes {', '.join(changed)}, so these runs do not enter it"
    if needed and planned.keys().isdisjoint(needed):
        return "none of its variants is in this plan"
    seeds = {each: {*recorded.get(experiment.family(each, claim.profile), ())} for each in needed}
    missing = [each for each in needed if each not in planned and not seeds[each]]
    if missing:
        return f"needs runs of {' and '.join(missing)} as well"
    declared = experiment.seeds_of(claim)
    present = min((len(declared & (seeds[each] | planned.get(each, set()))) for each in needed), default=len(declared))
    if present < len(declared):
        return f"judged on {len(declared)} seeds, of which {present} are planned or recorded"
    return ""


def _is_changed(experiment: Experiment, published: Experiment, variant: str, profile: str) -> bool:
    return experiment.family(variant, profile) != published.family(variant, profile)


def lines(
    found: Sequence[Prospect], powers: Mapping[str, Power], experiment: Experiment, profile: str
) -> Iterator[str]:
    """Yields a readable line for each claim judged under the plan's profile, and one for all the others.

    Args:
        powers: The simulated power of the claims for which there are runs to simulate it from, by claim id.
    """
    for each in found:
        if each.claim.profile == profile:
            word = f"can reach a verdict with its {len(experiment.seeds_of(each.claim))} seeds in the best case"
            power = powers.get(each.claim.id)
            yield f"claim {each.claim.id}: {each.why or (power_line(power) if power else word)}"
    others = Counter(each.claim.profile for each in found if each.claim.profile != profile)
    if others:
        counted = ", ".join(f"{n:,} at {name}" for name, n in others.items())
        yield f"claims judged at another profile, which these runs do not enter: {counted}"


def power_line(power: Power) -> str:
    """Describes a claim's power, such as ``"94 % chance of a verdict with 24 seeds (93 % reproduced, …"``."""
    shares = [power.reproduced + power.contradicted, power.reproduced, power.contradicted, power.without_effect or 0.0]
    chance, reproduced, contradicted, without = (f"{100 * share:.0f} %" for share in shares)
    text = f"{chance} chance of a verdict with {power.n} {power.unit} "
    text += f"({reproduced} reproduced, {contradicted} contradicted), "
    text += f"{without} without an effect" if power.without_effect is not None else "without an effect not defined"
    if power.unit == "seeds":
        text += f"; {power.needed} seeds for 90 %" if power.needed else f"; none of up to {SIZES[-1]} seeds give 90 %"
    return f"{text}; from {power.n_runs} {'runs' if power.unit == 'seeds' else power.unit} under {power.profile!r}"


# ---- seeds ----------------------------------------------------------------------------------------------------------


def reachable(experiment: Experiment, n_seeds: int | None = None) -> list[tuple[Claim, bool, int | None]]:
    """Checks for each live claim whether its seeds could reproduce it in the best case, and how many seeds could.

    Args:
        n_seeds: The number of seeds of every claim; by default, each claim has its own.

    Returns:
        For each claim that is not superseded: the claim, whether its smallest attainable p-value passes Holm if every
        claim of its family attains its own smallest, and the fewest seeds, the same number for all variants, with which
        it passes; None if no number of seeds is enough.
    """
    claims = experiment.live_claims
    families = {tuple(each.id for each in family_of(experiment, claim, claims)) for claim in claims}

    @functools.cache  # the searches for different claims try many of the same sizes
    def best_case(n: int | None) -> list[float]:
        sizes = [len(experiment.seeds_of(claim)) if n is None else n for claim in claims]
        smallest = {claim.id: _smallest_p(experiment, claim, size) for claim, size in zip(claims, sizes, strict=True)}
        adjusted: dict[str, float] = {}
        for family in families:
            adjusted |= dict(zip(family, stats.holm([smallest[name] for name in family]), strict=True))
        return [adjusted[claim.id] for claim in claims]

    def enough(position: int) -> int | None:
        sizes = range(1 if claims[position].methods() else MIN_UNITS, 2**31)
        if best_case(sizes[-1])[position] > ALPHA:
            return None
        return sizes[bisect_left(sizes, True, key=lambda n: best_case(n)[position] <= ALPHA)]

    reached = [p <= ALPHA for p in best_case(n_seeds)]
    return [(claim, reached[position], enough(position)) for position, claim in enumerate(claims)]


def _smallest_p(experiment: Experiment, claim: Claim, n_seeds: int) -> float:
    """The smallest p-value for a claim, whatever is measured: the largest of its checks', with ``any`` the smallest."""
    found = [_smallest_p_of_check(experiment, check, n_seeds) for check in claim.checks]
    return min(stats.holm(found)) if claim.any else max(found)


def _smallest_p_of_check(experiment: Experiment, check: Check, n_seeds: int) -> float:
    sizes = [n_seeds for _ in check.sides()]
    if check.methods():
        sizes = [len(experiment.architectures_of(check.profile, check.methods())) if n_seeds else 0]
    if min(sizes) < MIN_UNITS:
        return 1.0
    if isinstance(check, SuccessCurve):
        nearest = [round(share * sizes[0]) for share in check.published]
        return stats.success_curve_p(nearest, sizes[0], check.published, check.within, check.published_n)[0]
    return stats.smallest_p(check.test, *sizes, rate=check.rate if isinstance(check, Success) else 0.5)
