"""Finds the claims that a plan's runs can settle: those judged under its profile, with enough seeds per variant."""

from __future__ import annotations

import functools
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from wganbench.analysis import stats
from wganbench.analysis.verdict import ALPHA, MIN_UNITS
from wganbench.spec import Claim, Experiment, Success, SuccessCurve
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
        claim attains its own smallest, and the fewest seeds, the same number for all variants, with which it passes;
        None if no number of seeds is enough.
    """

    claims = experiment.live_claims

    def best_case(sizes: Mapping[str, int] | int) -> list[float]:
        return stats.holm([_smallest_p(experiment, claim, sizes) for claim in claims])

    with_seeds = functools.cache(best_case)  # the searches for different claims try many of the same sizes

    def enough(position: int) -> int | None:
        sizes = range(1 if claims[position].methods() else MIN_UNITS, 2**31)
        if with_seeds(sizes[-1])[position] > ALPHA:
            return None
        return sizes[bisect_left(sizes, True, key=lambda n: with_seeds(n)[position] <= ALPHA)]

    reached = [p <= ALPHA for p in best_case(n_seeds)]
    return [(claim, reached[position], enough(position)) for position, claim in enumerate(claims)]


def _smallest_p(experiment: Experiment, claim: Claim, n_seeds: Mapping[str, int] | int) -> float:
    def seeds_of(variant: str) -> int:
        return n_seeds if isinstance(n_seeds, int) else n_seeds.get(variant, 0)

    sizes = [seeds_of(variant) for variant in claim.variants()]
    if claim.methods():
        chosen = experiment.architectures_of(claim.profile, claim.methods()).values()
        sizes = [sum(min(map(seeds_of, variants)) > 0 for variants in chosen)]
    if min(sizes) < MIN_UNITS:
        return 1.0
    if isinstance(claim, SuccessCurve):
        nearest = [round(share * sizes[0]) for share in claim.published]
        return stats.success_curve_p(nearest, sizes[0], claim.published, claim.within, claim.published_n)[0]
    return stats.smallest_p(claim.test, *sizes, rate=claim.rate if isinstance(claim, Success) else 0.5)
