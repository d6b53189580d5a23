"""Claims that lack runs, with what it takes to train them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from wganbench.analysis.estimate import Speed, estimate, format_hours
from wganbench.spec import Claim, Experiment
from wganbench.spec.plan import Run, cohorts, expand


@dataclass(frozen=True)
class Lacking:
    """A claim that lacks runs.

    Attributes:
        experiment: The name of its experiment.
        runs: The number of runs that it is judged on.
        left: The number of these that are not recorded, or failed.
        hours: The hours to train what is left on one CPU core or GPU, one cohort after the other; None if the cost
            of any is not known.
    """

    experiment: str
    claim: Claim
    runs: int
    left: int
    hours: float | None

    def row(self) -> dict[str, str]:
        """Returns the row's cells as text, by column."""
        return {
            "claim": f"{self.experiment}:{self.claim.id}",
            "profile": self.claim.profile,
            "runs": f"{self.runs:,}",
            "left": f"{self.left:,}",
            "time": "unknown" if self.hours is None else format_hours(self.hours),
        }


def runs_of(experiment: Experiment, claim: Claim) -> list[Run]:
    """Returns the runs that a claim is judged on."""
    return expand(experiment, claim.profile, sorted(experiment.seeds_of(claim)), experiment.judged_variants(claim))


def lacking(experiments: Iterable[Experiment], recorded: Collection[str], speed: Speed) -> list[Lacking]:
    """Returns the claims that count and lack runs, the cheapest first; those of unknown cost come last.

    Args:
        recorded: The ids of the recorded runs that have not failed.
    """
    found = []
    for experiment in experiments:
        for claim in experiment.live_claims:
            runs = runs_of(experiment, claim)
            left = [run for run in runs if run.id not in recorded]
            if left:
                cost = estimate(cohorts(runs, experiment.stack), recorded, speed)
                hours = None if any(row.hours_left is None for row in cost.rows) else cost.hours_left
                found.append(Lacking(experiment.name, claim, len(runs), len(left), hours))
    return sorted(found, key=lambda each: (each.hours is None, each.hours or 0.0))
