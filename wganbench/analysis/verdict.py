"""Verdicts: each claim of a spec, tested in both directions on the records of its variants.

A claim holds if all of its checks do. Its p-value *for* is the largest of its checks', an intersection-union test,
which needs no correction among the checks (Berger 1982); its p-value *against* is the smallest of its checks',
Holm-adjusted over them. With ``any``, the two are exchanged.

A claim is *reproduced* or *contradicted* if its p-value in that direction, Holm-adjusted over its family, is at most
2.5 %; otherwise it is *inconclusive*. A family is the claims of one spec with one profile and one role that have runs;
those that cannot be decided count as p = 1, and those *not run* take no place. This keeps the chance of any false
verdict in a family at 5 %, under the assumptions that the tests in ``stats`` state.

A superseded claim is adjusted over the claims of the last version of the spec that had it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from wganbench.analysis import stats
from wganbench.analysis.evidence import Evidence, find_missing, weigh
from wganbench.analysis.results import Results
from wganbench.spec import Claim, Experiment

Outcome = Literal["reproduced", "contradicted", "inconclusive", "not run"]
ALPHA = 0.025


@dataclass(frozen=True)
class Verdict:
    """The verdict on a claim, with the evidence on its checks.

    Attributes:
        why: The reason in one line if the claim is inconclusive or not run; otherwise empty.
        p_for, p_against: The one-sided p-values of all checks together; 1 if the claim cannot be decided.
        adjusted_for, adjusted_against: The same after Holm's adjustment over the claim's family.
        checks: The evidence on each check, in the claim's order.
    """

    claim: Claim
    outcome: Outcome
    why: str
    p_for: float
    p_against: float
    adjusted_for: float
    adjusted_against: float
    checks: tuple[Evidence, ...]

    @property
    def n_diverged(self) -> int:
        """The number of different units with a run that diverged."""
        units = {unit for each in self.checks for some in each.units.values() for unit in some}
        return len({unit.run_id for unit in units if unit.status == "diverged"})

    @property
    def n_undefined(self) -> int:
        """The number of different units with a run that finished without a number."""
        units = {unit for each in self.checks for some in each.units.values() for unit in some}
        return len({unit.run_id for unit in units if unit.undefined})

    @property
    def post_hoc(self) -> bool:
        """Whether a check was written or changed after runs that it is judged on."""
        return any(each.post_hoc and not each.missing for each in self.checks)

    @property
    def deciding(self) -> Evidence:
        """The evidence on the check that decides the claim's p-value: the least certain, or with ``any`` the most."""
        if self.outcome == "contradicted":
            return (max if self.claim.any else min)(self.checks, key=lambda each: each.p_against)
        return (min if self.claim.any else max)(self.checks, key=lambda each: each.p_for)

    def outcome_of(self, evidence: Evidence) -> str:
        """Returns what one of the claim's checks shows: ``holds``, ``fails``, ``open`` or ``not run``."""
        if evidence.missing:
            return "not run"
        against = stats.holm([each.p_against for each in self.checks])
        if evidence.p_for <= ALPHA:
            return "holds"
        return "fails" if against[self.checks.index(evidence)] <= ALPHA else "open"


def judge(results: Results) -> list[Verdict]:
    """Returns a verdict for each claim, including superseded ones, in the spec's order."""
    claims = results.experiment.claims
    evidence = {claim.id: [weigh(results, claim, check) for check in claim.checks] for claim in claims}
    return conclude(results.experiment, evidence)


def conclude(experiment: Experiment, evidence: dict[str, list[Evidence]]) -> list[Verdict]:
    """Returns the verdicts that follow from the evidence on the checks of each claim, in the spec's order."""
    tails = {claim.id: combine(claim, evidence[claim.id]) for claim in experiment.claims}
    run = [claim for claim in experiment.claims if not all(each.missing for each in evidence[claim.id])]
    verdicts = []
    for claim in experiment.claims:
        p_for, p_against = tails[claim.id]
        adjusted = (1.0, 1.0)
        if claim in run:
            family = family_of(experiment, claim, run)
            place = family.index(claim)
            for_, against = (stats.holm([tails[each.id][way] for each in family])[place] for way in (0, 1))
            adjusted = (for_, against)
        verdicts.append(_verdict(claim, (p_for, p_against), adjusted, evidence[claim.id]))
    return verdicts


def combine(claim: Claim, evidence: Sequence[Evidence]) -> stats.Tails:
    """Returns a claim's p-values from those of its checks; those that cannot be decided have 1."""
    for_, against = ([each.p_for for each in evidence], [each.p_against for each in evidence])
    if claim.any:
        return min(stats.holm(for_)), max(against)
    return max(for_), min(stats.holm(against))


def family_of(experiment: Experiment, claim: Claim, run: Sequence[Claim]) -> list[Claim]:
    """Returns the claims that a claim is adjusted over, itself among them.

    Args:
        run: The claims that have runs.
    """
    version = claim.superseded.version - 1 if claim.superseded else experiment.version
    same = [each for each in run if (each.profile, each.role) == (claim.profile, claim.role)]
    return [each for each in same if each.lived_in(version)]


def without_runs(results: Results) -> dict[str, str]:
    """Describes what is missing for each claim that ``judge`` reports as not run, by claim id."""
    found = {}
    for claim in results.experiment.claims:
        missing = [find_missing(results, claim, check) for check in claim.checks]
        if all(missing):
            found[claim.id] = missing[0]
    return found


def _verdict(claim: Claim, tails: stats.Tails, adjusted: stats.Tails, evidence: Sequence[Evidence]) -> Verdict:
    outcome: Outcome = "inconclusive"
    if all(each.missing for each in evidence):
        outcome = "not run"
    elif adjusted[0] <= ALPHA:
        outcome = "reproduced"
    elif adjusted[1] <= ALPHA:
        outcome = "contradicted"
    why = ""
    if outcome in ("inconclusive", "not run"):
        reasons = [(each.check.id, each.why) for each in evidence if each.why]
        why = f"adjusted p is {adjusted[0]:.2g} for and {adjusted[1]:.2g} against, neither at most {ALPHA}"
        if reasons:
            why = reasons[0][1] if len(evidence) == 1 else f"{reasons[0][0]}: {reasons[0][1]}"
    return Verdict(claim, outcome, why, *tails, *adjusted, tuple(evidence))
