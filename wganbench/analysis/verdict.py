"""Verdicts: each claim of a spec, tested in both directions on the records of its variants.

A claim is *reproduced* or *contradicted* if its p-value in that direction, Holm-adjusted over all claims of the spec
(those not run or not decidable count as p = 1), is at most 2.5 %; otherwise it is *inconclusive*, or *not run*. This
keeps the chance of any false verdict in a spec at 5 %, under the assumptions that the tests in ``stats`` state.

A superseded claim is adjusted over the claims of the last version of the spec that had it, so it keeps its verdict.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import numpy as np

from wganbench.analysis import comparability, stats
from wganbench.analysis.answer import answer, estimate_of
from wganbench.analysis.results import Results, value_or_worst
from wganbench.analysis.stats import Interval
from wganbench.records.record import Record
from wganbench.spec import (
    GAPS,
    Claim,
    Criterion,
    Equality,
    Experiment,
    Level,
    McNemar,
    Setting,
    Success,
    SuccessCurve,
    claim_digest,
    is_timed,
)

Outcome = Literal["reproduced", "contradicted", "inconclusive", "not run"]
ALPHA = 0.025
MIN_UNITS = 5
PAIRED = ("paired", "paired_equivalence")
"""The tests that use only the seeds that both variants have."""


@dataclass(frozen=True)
class Unit:
    """One unit of the statistics: a run or, for claims over architectures, an architecture with all its seeds.

    For a claim about seconds, a unit is a stack of runs that share one clock: their mean, or whether all of them
    succeed.

    Attributes:
        run_id: The id of the run, or of the first run of an architecture or stack.
        seed: The seed of the run, or the position of an architecture in the sampled list.
        status: The status of the run; ``failed`` or ``diverged`` for an architecture or stack with any such run.
        value: The number that the claim reads: the measure, or its declared worst value if the run diverged or the
            measure is not finite; 1 for a success and 0 otherwise; NaN for a failed run, or if no worst value is
            declared. For an architecture, the mean over its seeds.
    """

    run_id: str
    seed: int
    status: str
    value: float


Units = Mapping[str, tuple[Unit, ...]]


@dataclass(frozen=True)
class Verdict:
    """The verdict on a claim, with the numbers that it is based on.

    Attributes:
        why: The reason in one line if the claim is inconclusive or not run; otherwise empty.
        estimate: The value of ``estimate_of``; infinite if a diverged run's worst value is infinite, None if nothing
            can be said.
        interval: The unadjusted interval, at 95 % unless it states another level; None if there is none.
        p_for, p_against: The one-sided p-values; 1 if the claim cannot be decided.
        adjusted_for, adjusted_against: The same after Holm's adjustment over the spec's claims.
        units: The units of each variant, sorted by seed; for a paired claim, only the seeds that both variants have.
            For a claim over architectures, those of each method, limited to architectures with runs of every method.
        post_hoc: Whether the claim was written or changed after runs that it is judged on.
    """

    claim: Claim
    outcome: Outcome
    why: str
    estimate: float | None
    estimate_of: str
    interval: Interval | None
    p_for: float
    p_against: float
    adjusted_for: float
    adjusted_against: float
    units: Units
    post_hoc: bool

    @property
    def n_diverged(self) -> int:
        return sum(unit.status == "diverged" for units in self.units.values() for unit in units)


def judge(results: Results) -> list[Verdict]:
    """Returns a verdict for each claim, including superseded ones, in the spec's order."""
    experiment = results.experiment
    weighed = [_weigh(results, claim) for claim in experiment.claims]
    judged: dict[str, Verdict] = {}
    for version in {_judged_in(experiment, claim) for claim in experiment.claims}:
        together = [verdict for verdict in weighed if verdict.claim.lived_in(version)]
        adjusted_for = stats.holm([verdict.p_for for verdict in together])
        adjusted_against = stats.holm([verdict.p_against for verdict in together])
        for verdict, *adjusted in zip(together, adjusted_for, adjusted_against, strict=True):
            if _judged_in(experiment, verdict.claim) == version:
                judged[verdict.claim.id] = _conclude(verdict, *adjusted)
    return [judged[claim.id] for claim in experiment.claims]


def _judged_in(experiment: Experiment, claim: Claim) -> int:
    """The version of the spec over whose claims a claim is adjusted: the last version that has it."""
    return claim.superseded.version - 1 if claim.superseded else experiment.version


def without_runs(results: Results) -> dict[str, str]:
    """Describes what is missing for each claim that ``judge`` reports as not run, by claim id."""
    missing = {claim.id: _read(results, claim).missing for claim in results.experiment.claims}
    return {claim: text for claim, text in missing.items() if text}


def _conclude(verdict: Verdict, adjusted_for: float, adjusted_against: float) -> Verdict:
    outcome, why = verdict.outcome, verdict.why
    if adjusted_for <= ALPHA:
        outcome = "reproduced"
    elif adjusted_against <= ALPHA:
        outcome = "contradicted"
    elif not why:
        why = f"adjusted p is {adjusted_for:.2g} for and {adjusted_against:.2g} against, neither at most {ALPHA}"
    return dataclasses.replace(
        verdict, outcome=outcome, why=why, adjusted_for=adjusted_for, adjusted_against=adjusted_against
    )


# ---- one claim ------------------------------------------------------------------------------------------------------


def _weigh(results: Results, claim: Claim) -> Verdict:
    """The verdict before Holm: inconclusive or not run, with p-values of 1 if the claim cannot be decided."""
    experiment, read = results.experiment, _read(results, claim)
    settings, used, units = read.settings, read.used, read.units
    outcome: Outcome = "not run" if read.missing else "inconclusive"
    why = read.missing or next(chain(_check_seeds(experiment, claim, used), _obstacles(claim, units, used)), "")
    found = answer(claim, settings, {side: [unit.value for unit in some] for side, some in units.items()})
    p_for, p_against = stats.UNDECIDED if why else found.tails
    return Verdict(
        claim=claim,
        outcome=outcome,
        why=why,
        estimate=found.estimate,
        estimate_of=estimate_of(claim, settings) if settings.keys() >= units.keys() else "",
        interval=found.interval,
        p_for=p_for,
        p_against=p_against,
        adjusted_for=1.0,
        adjusted_against=1.0,
        units=units,
        post_hoc=_is_post_hoc(experiment, claim, [record for some in used.values() for record in some]),
    )


@dataclass(frozen=True)
class _Read:
    """The inputs of a claim by variant, or by method if it is about architectures, in the claim's order.

    Attributes:
        settings: The setting of each variant, or of a method's first architecture; a variant of a superseded claim
            whose records are missing has none.
        missing: A description of what has no run under which profile; empty if nothing is missing.
    """

    settings: Mapping[str, Setting]
    used: Mapping[str, Sequence[Record]]
    units: Units
    missing: str


def _read(results: Results, claim: Claim) -> _Read:
    read = _read_architectures(results, claim) if claim.methods() else _read_runs(results, claim)
    if not read.missing:
        return read
    return dataclasses.replace(read, missing=f"{read.missing} under profile {claim.profile}")


def _read_runs(results: Results, claim: Claim) -> _Read:
    used = {variant: _recorded(results, claim, variant) for variant in claim.variants()}
    settings = _settings(results.experiment, claim, used)
    missing = [variant for variant, found in used.items() if not found]
    if claim.test in PAIRED and not missing:
        used = _with_common_seeds(used)
    units = {variant: tuple(_stacked(claim, found)) for variant, found in used.items()}
    return _Read(settings, used, units, f"no run of {' or '.join(missing)}" if missing else "")


def _read_architectures(results: Results, claim: Claim) -> _Read:
    """Reads the architectures that have runs of every method of the claim, using the seeds common to all methods."""
    experiment, methods = results.experiment, claim.methods()
    settings: dict[str, Setting] = {}
    used: dict[str, list[Record]] = {method: [] for method in methods}
    units: dict[str, list[Unit]] = {method: [] for method in methods}
    for name, variants in experiment.architectures_of(claim.profile, methods).items():
        method_of = dict(zip(variants, methods, strict=True))
        found = {variant: _recorded(results, claim, variant) for variant in variants}
        own = _settings(experiment, claim, found)
        if not settings and len(own) == len(methods):
            settings = {method: own[variant] for variant, method in method_of.items()}
        for variant, records in _with_common_seeds(found).items():
            if records:
                used[method_of[variant]] += records
                units[method_of[variant]].append(_averaged(int(name[1:]), [_unit(claim, each) for each in records]))
    missing = "" if all(units.values()) else f"no architecture has runs with {' and '.join(methods)}"
    return _Read(settings, used, {method: tuple(found) for method, found in units.items()}, missing)


def _recorded(results: Results, claim: Claim, variant: str) -> list[Record]:
    """The records of a variant: those of its setting, or the ones that a superseded claim was judged on."""
    kept, declared = claim.judged_on().get(variant), results.experiment.declared_seeds
    found = results.by_setting.get(kept, []) if kept else results.of(variant, claim.profile)
    return found if declared is None or claim.superseded else [each for each in found if each.seed in declared]


def _settings(experiment: Experiment, claim: Claim, used: Mapping[str, Sequence[Record]]) -> dict[str, Setting]:
    """The setting of each variant in the spec or, for a superseded claim, that of the records it was judged on."""
    own = {variant: experiment.setting(variant, claim.profile) for variant in used.keys() - claim.judged_on().keys()}
    return own | {variant: found[0].setting for variant, found in used.items() if variant not in own and found}


def _with_common_seeds(used: Mapping[str, Sequence[Record]]) -> dict[str, list[Record]]:
    common = set.intersection(*({record.seed for record in found} for found in used.values()))
    return {side: [record for record in found if record.seed in common] for side, found in used.items()}


def _stacked(claim: Claim, records: Sequence[Record]) -> Iterator[Unit]:
    """Yields one unit per run or, if the claim reads the clock, one unit for all runs that trained together."""
    together: dict[tuple[str, ...], list[Record]] = {}
    for record in records:
        alone = not _reads_the_clock(claim, record)
        together.setdefault((record.id,) if alone else tuple(sorted(record.cohort)), []).append(record)
    for stack in together.values():
        units = [_unit(claim, record) for record in stack]
        unit = _averaged(units[0].seed, units)
        yield dataclasses.replace(unit, value=math.floor(unit.value)) if isinstance(claim, Success) else unit


def _reads_the_clock(claim: Claim, record: Record) -> bool:
    uses = record.setting.measures
    return any(label in uses and is_timed(uses[label]) for label in claim.measured())


def _averaged(place: int, units: Sequence[Unit]) -> Unit:
    statuses = [unit.status for unit in units]
    status = next((word for word in ("failed", "diverged") if word in statuses), "finished")
    return Unit(units[0].run_id, place, status, float(np.mean([unit.value for unit in units])))


def _unit(claim: Claim, record: Record) -> Unit:
    measured = record.best if claim.statistic == "best" else record.measures
    if record.status == "failed":
        value = math.nan
    elif isinstance(claim, Success):
        meets = (_meets(criterion, measured.get(criterion.measure)) for criterion in claim.criteria)
        value = float(record.status == "finished" and all(meets))
    else:
        value = value_or_worst(record, claim.measure, claim.statistic)
    return Unit(record.id, record.seed, record.status, value)


def _meets(criterion: Criterion, number: float | None) -> bool:
    if number is None:
        return False
    if criterion.at_least is not None:
        return number >= criterion.at_least
    return criterion.at_most is not None and number <= criterion.at_most


def _check_seeds(experiment: Experiment, claim: Claim, used: Mapping[str, Sequence[Record]]) -> Iterator[str]:
    """Yields why a claim with declared seeds is incomplete; claims about architectures use what their list contains."""
    declared = experiment.declared_seeds
    if declared is None or claim.superseded or claim.methods():
        return
    for variant, found in used.items():
        if len(found) < len(declared):
            yield f"incomplete: {len(found)} of the {len(declared)} declared seeds of {variant} are recorded"


def _obstacles(claim: Claim, units: Units, used: Mapping[str, Sequence[Record]]) -> Iterator[str]:
    """Yields the reasons why the claim cannot be decided, the most serious first."""
    every = [unit for found in units.values() for unit in found]
    records = [record for found in used.values() for record in found]
    failed = [unit.run_id for unit in every if unit.status == "failed"]
    if failed:
        yield f"run {failed[0]} failed" + (f" and {len(failed) - 1} more" if failed[1:] else "")
    for side, found in units.items():
        if len(found) < MIN_UNITS:
            kind = "seeds in both variants" if claim.test in PAIRED else f"units of {side}"
            if claim.methods():
                kind = f"architectures with runs of {' and '.join(claim.methods())}"
            yield f"{len(found)} {kind}, at least {MIN_UNITS} needed"
    if len({record.score_protocol for record in records if record.status == "finished"}) > 1:
        yield "the runs were scored by different protocols"
    yield from _check_published_scale(claim, records)
    timed = [record.provenance for record in records if _reads_the_clock(claim, record)]
    if len({(one.device, one.threads) for one in timed}) > 1:
        yield "the runs were timed on different devices"
    if len({record.setting.precision for record in records}) > 1:
        yield "the runs were trained in different precisions"
    data = {(record.setting.data.name, record.data_checksum) for record in records}
    if len(data) > len({name for name, _ in data}):
        yield "the runs were trained on different copies of the data"
    if claim.drift_at_most is not None:
        for variant, trained in used.items():
            yield from _check_drift(variant, trained, claim.drift_at_most)
    if claim.gap_at_least is not None:
        for variant, trained in used.items():
            yield from _check_gaps(variant, trained, claim.gap_at_least)
    for unit in every:
        if math.isnan(unit.value):
            yield f"run {unit.run_id} has no value, and the measure declares no worst one"
        if math.isinf(unit.value) and claim.test in ("welch", "t", "tost"):
            yield f"run {unit.run_id} counts as infinite, which a t test cannot weigh"


def _check_published_scale(claim: Claim, records: Sequence[Record]) -> Iterator[str]:
    """Yields a reason if the claim compares with a published score, but the runs were scored by another network.

    A level or a threshold is on the published scale if the setting asks for the Inception network.
    """
    if not isinstance(claim, Equality | SuccessCurve | Level | McNemar):
        return
    for record in records:
        use, score = record.setting.measures.get(claim.measure), record.setting.score
        published = isinstance(claim, Equality | SuccessCurve) or (
            score is not None and score.name == comparability.INCEPTION
        )
        if (
            use
            and published
            and comparability.is_scored(use, record.setting)
            and not comparability.may_stand_beside_published(record.score_protocol)
        ):
            yield f"the runs were scored by {record.score_protocol}, and the published value was not"
            return


def _check_drift(variant: str, records: Sequence[Record], at_most: float) -> Iterator[str]:
    """Yields why the variant's critic does not count as converged; a diverged run has infinite drift."""
    drifts = [record.measures.get("drift") if record.status == "finished" else math.inf for record in records]
    known = [drift for drift in drifts if drift is not None]
    if len(known) < len(records):
        yield f"run {records[drifts.index(None)].id} has no drift"
    elif (median := float(np.median(known))) > at_most:
        over = f"median drift {100 * median:.3g} % over {len(known)} runs, at most {100 * at_most:.3g} % allowed"
        yield f"the critic of {variant} had not converged: {over}"


def _check_gaps(variant: str, records: Sequence[Record], at_least: float) -> Iterator[str]:
    """Yields for each run why its critic is not optimal, whatever its drift.

    Only runs whose critic seeks the exact distance are checked.
    """
    for record in records:
        if not record.setting.seeks_the_distance:
            continue
        measured = record.measures if record.status == "finished" else {}
        gap = next((measured[label] for label in GAPS if measured.get(label) is not None), None)
        if gap is None:
            yield f"run {record.id} has no gap over the exact distance"
        elif gap < at_least:
            found = f"the gap of run {record.id} is {gap:.3g} of the exact distance, at least {at_least:g} needed"
            yield f"the critic of {variant} is no optimum: {found}"


def _is_post_hoc(experiment: Experiment, claim: Claim, records: Sequence[Record]) -> bool:
    """Checks whether the claim was written or changed after runs that it is judged on.

    It was if none of the runs was planned with this claim, or if a run of this experiment was planned without it or
    with a different claim of the same id. Runs that a spec inherits may not know the claims that it adds.
    """
    present = claim_digest(claim)
    foreseen = [record.claims.get(claim.id) == present for record in records]
    own = [record.experiment == experiment.name for record in records]
    changed = any(mine and not knew for mine, knew in zip(own, foreseen, strict=True))
    return bool(records) and (changed or not any(foreseen))
