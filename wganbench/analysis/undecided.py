"""Claims that have all of their runs and no verdict, with how many fresh seeds would likely give them one.

A claim may be asked once more, of fresh seeds. One that was asked twice stays open: a claim that is asked until it
agrees will agree by chance.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from wganbench.analysis.estimate import NOT_KNOWN, Speed, estimate, format_hours
from wganbench.analysis.lacking import runs_of
from wganbench.analysis.power import Power, simulate
from wganbench.analysis.results import Results
from wganbench.analysis.verdict import judge
from wganbench.spec import Claim, Experiment
from wganbench.spec.plan import cohorts, expand


@dataclass(frozen=True)
class Undecided:
    """A claim that its runs leave inconclusive.

    Attributes:
        experiment: The name of its experiment.
        seeds: The number of seeds that it is judged on; of architectures, if it is about such.
        needed: The fewest seeds tried that give a verdict with a chance of 90 %, simulated from its runs; None if none
            do, or if that cannot be simulated.
        hours: The hours to train as many fresh seeds on one CPU core or GPU; None if that is not known.
    """

    experiment: str
    claim: Claim
    seeds: int
    needed: int | None
    hours: float | None

    def row(self) -> dict[str, str]:
        """Returns the row's cells as text, by column."""
        return {
            "claim": f"{self.experiment}:{self.claim.id}",
            "profile": self.claim.profile,
            "seeds": f"{self.seeds:,}",
            "needed": NOT_KNOWN if self.needed is None else f"{self.needed:,}",
            "time": NOT_KNOWN if self.hours is None else format_hours(self.hours),
        }


def undecided(every: Iterable[Results], speed: Speed) -> list[Undecided]:
    """Returns the claims that are inconclusive with all of their runs and were asked only once, the cheapest first."""
    found = []
    for results in every:
        asked_again = {name for claim in results.experiment.live_claims for name in claim.restated_as}
        claims = [
            verdict.claim
            for verdict in judge(results)
            if verdict.outcome == "inconclusive"
            and not verdict.claim.superseded
            and not verdict.claim.restated_as
            and verdict.claim.id not in asked_again
            and all(run.id in results.records for run in runs_of(results.experiment, verdict.claim))
        ]
        powers: dict[str, Power] = {}
        for profile in dict.fromkeys(claim.profile for claim in claims):
            powers |= simulate(results, profile)
        found += [_found(results.experiment, claim, powers.get(claim.id), speed) for claim in claims]
    return sorted(found, key=lambda each: (each.hours is None, each.hours or 0.0))


def _found(experiment: Experiment, claim: Claim, power: Power | None, speed: Speed) -> Undecided:
    if power is None or power.needed is None:
        n_seeds = power.n if power else len(experiment.seeds_of(claim))
        return Undecided(experiment.name, claim, n_seeds, None, None)
    runs = expand(experiment, claim.profile, range(power.needed), experiment.judged_variants(claim))
    cost = estimate(cohorts(runs, experiment.stack), (), speed)
    hours = None if any(row.hours is None for row in cost.rows) else cost.hours_left
    return Undecided(experiment.name, claim, power.n, power.needed, hours)
