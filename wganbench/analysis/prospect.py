"""Finds the claims that a plan's runs can settle: those judged under its profile, with enough seeds per variant."""

from __future__ import annotations

import functools
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from wganbench.analysis import stats
from wganbench.analysis.evidence import MIN_UNITS
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
    experiment: Experiment, runs: Sequence[Run], recorded: Collection[str] = (), published: Experiment | None = None
) -> list[Prospect]:
    """Returns a prospect for each claim, in the spec's order.

    Args:
        runs: The planned runs of ``experiment``, all under one profile.
        recorded: The setting ids that have records, whose runs need not be planned again.
        published: The spec without the changes of ``--set`` and ``--data``; claims are judged by it.
    """
    n_seeds, found = len({run.seed for run in runs}), []
    for claim, can, needed in reachable(experiment, n_seeds):
        why = _obstacle(experiment, claim, runs, recorded, published or experiment)
        if not why and needed is None:
            why = "no number of seeds is enough for a verdict"
        elif not why and not can:
            why = f"needs {needed} seeds, {n_seeds} planned"
        found.append(Prospect(claim, not why, needed, why))
    return found


def _obstacle(
    experiment: Experiment, claim: Claim, runs: Sequence[Run], recorded: Collection[str], published: Experiment
) -> str:
    """Describes why the claim uses none of ``runs``, or needs others as well; empty if there is no obstacle."""
    if claim.profile != runs[0].profile:
        return f"this plan is of profile {runs[0].profile}"
    planned = {run.variant for run in runs}
    needed = claim.variants()
    changed = [each for each in needed if _is_changed(experiment, published, each, claim.profile)]
    if changed:
        return f"--set or --data changes {', '.join(changed)}, so these runs do not enter it"
    if needed and planned.isdisjoint(needed):
        return "none of its variants is in this plan"
    missing = [each for each in needed if each not in planned]
    missing = [each for each in missing if experiment.family(each, claim.profile) not in recorded]
    return f"needs runs of {' and '.join(missing)} as well" if missing else ""


def _is_changed(experiment: Experiment, published: Experiment, variant: str, profile: str) -> bool:
    return experiment.family(variant, profile) != published.family(variant, profile)


def lines(found: Sequence[Prospect], profile: str, n_seeds: int) -> Iterator[str]:
    """Yields a readable line for each claim judged under the plan's profile, and one for all the others."""
    own = [each for each in found if each.claim.profile == profile]
    for each in own:
        word = each.why or f"can reach a verdict with {n_seeds} seeds"
        yield f"claim {each.claim.id} (judged at profile {profile}): {word}"
    others = Counter(each.claim.profile for each in found if each.claim.profile != profile)
    if others:
        counted = ", ".join(f"{n:,} at {name}" for name, n in others.items())
        yield f"claims judged at another profile, which these runs do not enter: {counted}"


# ---- seeds ----------------------------------------------------------------------------------------------------------


def reachable(experiment: Experiment, n_seeds: Mapping[str, int] | int) -> list[tuple[Claim, bool, int | None]]:
    """Checks for each live claim whether ``n_seeds`` could reproduce it in the best case, and how many seeds could.

    Args:
        n_seeds: The number of seeds of each variant (0 for variants that are missing), or one number for all.

    Returns:
        For each claim that is not superseded: the claim, whether its smallest attainable p-value passes Holm if every
        claim of its family attains its own smallest, and the fewest seeds, the same number for all variants, with which
        it passes; None if no number of seeds is enough.
    """
    claims = experiment.live_claims

    @functools.cache  # the searches for different claims try many of the same sizes
    def best_case(n: int | None) -> list[float]:
        smallest = {claim.id: _smallest_p(experiment, claim, n_seeds if n is None else n) for claim in claims}
        adjusted = []
        for claim in claims:
            family = family_of(experiment, claim, claims)
            adjusted.append(stats.holm([smallest[each.id] for each in family])[family.index(claim)])
        return adjusted

    def enough(position: int) -> int | None:
        sizes = range(1 if claims[position].methods() else MIN_UNITS, 2**31)
        if best_case(sizes[-1])[position] > ALPHA:
            return None
        return sizes[bisect_left(sizes, True, key=lambda n: best_case(n)[position] <= ALPHA)]

    reached = [p <= ALPHA for p in best_case(None)]
    return [(claim, reached[position], enough(position)) for position, claim in enumerate(claims)]


def _smallest_p(experiment: Experiment, claim: Claim, n_seeds: Mapping[str, int] | int) -> float:
    """The smallest p-value for a claim, whatever is measured: the largest of its checks', with ``any`` the smallest."""
    found = [_smallest_p_of_check(experiment, check, n_seeds) for check in claim.checks]
    return min(stats.holm(found)) if claim.any else max(found)


def _smallest_p_of_check(experiment: Experiment, check: Check, n_seeds: Mapping[str, int] | int) -> float:
    def seeds_of(variant: str) -> int:
        return n_seeds if isinstance(n_seeds, int) else n_seeds.get(variant, 0)

    sizes = [seeds_of(variant) for variant in check.variants()]
    if check.methods():
        chosen = experiment.architectures_of(check.profile, check.methods()).values()
        sizes = [sum(min(map(seeds_of, variants)) > 0 for variants in chosen)]
    if min(sizes) < MIN_UNITS:
        return 1.0
    if isinstance(check, SuccessCurve):
        nearest = [round(share * sizes[0]) for share in check.published]
        return stats.success_curve_p(nearest, sizes[0], check.published, check.within, check.published_n)[0]
    return stats.smallest_p(check.test, *sizes, rate=check.rate if isinstance(check, Success) else 0.5)
