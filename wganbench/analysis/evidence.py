"""The evidence on one check of a claim: the records that it reads, its estimate, interval and p-values."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from wganbench.analysis import comparability, stats
from wganbench.analysis.answer import answer, estimate_of
from wganbench.analysis.results import Results, value_of, value_or_worst
from wganbench.analysis.stats import Interval
from wganbench.records.record import Record
from wganbench.spec import (
    GAPS,
    Check,
    Claim,
    Counts,
    Criterion,
    Equality,
    Experiment,
    Level,
    McNemar,
    Setting,
    Success,
    SuccessCurve,
    claim_key,
    is_claim_key,
    is_timed,
    listed,
    scale_of,
)

MIN_UNITS = 5
PAIRED = ("paired", "paired_equivalence")
"""The tests that use only the seeds that both variants have."""


@dataclass(frozen=True)
class Unit:
    """One unit of the statistics: a run or, for checks over architectures, an architecture with all its seeds.

    For a check of counts, a unit is a seed with its runs of all variants of a side. For a check of seconds, it is a
    stack of runs that share one clock: their mean, or whether all of them succeed.

    Attributes:
        run_id: The id of the run, or of the first run of an architecture, a seed or a stack.
        seed: The seed of the run, or the position of an architecture in the sampled list.
        status: The status of the run; ``failed`` or ``diverged`` for several runs with any such one.
        value: The number that the check reads: the measure, or its declared worst value if the run diverged or the
            measure is not finite; 1 for a success and 0 otherwise; NaN for a failed run, or if no worst value is
            declared. For an architecture, the mean over its seeds; for a seed, the sum over its runs.
        undefined: Whether a run of it finished without a number, so that the worst value, or no success, stands for it.
    """

    run_id: str
    seed: int
    status: str
    value: float
    undefined: bool = False


Units = Mapping[str, tuple[Unit, ...]]


@dataclass(frozen=True)
class Evidence:
    """The numbers that one check is based on.

    Attributes:
        missing: What has no run under which profile; empty if there are runs.
        why: The reason in one line if the check cannot be decided; otherwise empty.
        estimate: The value of ``estimate_of``; infinite if a diverged run's worst value is infinite, None if nothing
            can be said.
        interval: The unadjusted interval, at 95 % unless it states another level; None if there is none.
        p_for, p_against: The one-sided p-values; 1 if the check cannot be decided.
        units: The units of each side of the check, sorted by seed: those of each variant, or for a check of counts
            those of several variants together. For a paired check, only the seeds that both variants have.
            For a check over architectures, those of each method, limited to architectures with runs of every method.
        settings: The setting of each variant, or of a method's first architecture; a variant of a superseded claim
            whose records are missing has none.
        post_hoc: Whether the check was written or changed after runs that it is judged on.
    """

    check: Check
    missing: str
    why: str
    estimate: float | None
    estimate_of: str
    interval: Interval | None
    p_for: float
    p_against: float
    units: Units
    settings: Mapping[str, Setting]
    post_hoc: bool

    @property
    def n_diverged(self) -> int:
        return sum(unit.status == "diverged" for units in self.units.values() for unit in units)


def weigh(results: Results, claim: Claim, check: Check) -> Evidence:
    """Returns the evidence on one of a claim's checks."""
    experiment = results.experiment
    read = _read(results, claim, check, experiment.seeds_of(claim))
    settings, used, units = read.settings, read.used, read.units
    why = read.missing or next(chain(_check_seeds(experiment, claim, used), _obstacles(check, units, used)), "")
    found = answer(check, settings, {side: [unit.value for unit in some] for side, some in units.items()})
    p_for, p_against = stats.UNDECIDED if why else found.tails
    return Evidence(
        check=check,
        missing=read.missing,
        why=why,
        estimate=found.estimate,
        estimate_of=estimate_of(check, settings) if settings.keys() >= used.keys() else "",
        interval=found.interval,
        p_for=p_for,
        p_against=p_against,
        units=units,
        settings=settings,
        post_hoc=_is_post_hoc(experiment, claim, check, [record for some in used.values() for record in some]),
    )


def find_missing(results: Results, claim: Claim, check: Check) -> str:
    """Describes what a check has no run of, under which profile; empty if there are runs."""
    return _read(results, claim, check, results.experiment.seeds_of(claim)).missing


def sample(results: Results, claim: Claim, check: Check, profile: str) -> Units | None:
    """Returns the units of a check from all runs under any profile, whatever their seed.

    None if a variant or method has fewer than ``MIN_UNITS``, the check could not be decided on these runs, or it reads
    the clock, so that a unit is a whole stack.
    """
    experiment = results.experiment
    if not set(check.variants()) <= set(experiment.variants_of(profile)):
        return None
    read = _read(results, claim, check.model_copy(update={"profile": profile}), None)
    records = [record for found in read.used.values() for record in found]
    known = all(set(check.measured()) <= record.setting.measures.keys() for record in records)
    if read.missing or not known or any(_reads_the_clock(check, record) for record in records):
        return None
    return None if any(_obstacles(check, read.units, read.used)) else read.units


@dataclass(frozen=True)
class _Read:
    """The inputs of a check by variant, or by method if it is about architectures, in the check's order.

    Attributes:
        settings: The setting of each variant, or of a method's first architecture; a variant of a superseded claim
            whose records are missing has none.
        missing: A description of what has no run under which profile; empty if nothing is missing.
    """

    settings: Mapping[str, Setting]
    used: Mapping[str, Sequence[Record]]
    units: Units
    missing: str


def _read(results: Results, claim: Claim, check: Check, seeds: Collection[int] | None) -> _Read:
    """Reads what a check is judged on; with ``seeds`` None from the runs of all seeds."""
    read = (_read_architectures if check.methods() else _read_runs)(results, claim, check, seeds)
    if not read.missing:
        return read
    absent = [side for side, found in read.used.items() if not found and side in results.experiment.variants]
    others = {record.seed for variant in absent for record in results.of(variant, check.profile)}
    apart = (
        f" with seeds {listed(seeds)}; seeds {listed(others)} never count"
        if others and seeds and not claim.superseded
        else ""
    )
    return dataclasses.replace(read, missing=f"{read.missing} under profile {check.profile}{apart}")


def _read_runs(results: Results, claim: Claim, check: Check, seeds: Collection[int] | None) -> _Read:
    used = {variant: _recorded(results, claim, check, variant, seeds) for variant in check.variants()}
    settings = _settings(results.experiment, claim, check, used)
    missing = [variant for variant, found in used.items() if not found]
    if check.test in PAIRED and not missing:
        used = _with_common_seeds(used)
    if isinstance(check, Counts):
        units = {name: tuple(_counted(check, [used[each] for each in side])) for name, side in check.sides().items()}
    else:
        units = {variant: tuple(_stacked(check, found)) for variant, found in used.items()}
    return _Read(settings, used, units, f"no run of {' or '.join(missing)}" if missing else "")


def _read_architectures(results: Results, claim: Claim, check: Check, seeds: Collection[int] | None) -> _Read:
    """Reads the architectures that have runs of every method of the check, using the seeds common to all methods."""
    experiment, methods = results.experiment, check.methods()
    settings: dict[str, Setting] = {}
    used: dict[str, list[Record]] = {method: [] for method in methods}
    units: dict[str, list[Unit]] = {method: [] for method in methods}
    for name, variants in experiment.architectures_of(check.profile, methods).items():
        method_of = dict(zip(variants, methods, strict=True))
        found = {variant: _recorded(results, claim, check, variant, seeds) for variant in variants}
        own = _settings(experiment, claim, check, found)
        if not settings and len(own) == len(methods):
            settings = {method: own[variant] for variant, method in method_of.items()}
        for variant, records in _with_common_seeds(found).items():
            if records:
                used[method_of[variant]] += records
                units[method_of[variant]].append(_averaged(int(name[1:]), [_unit(check, each) for each in records]))
    missing = "" if all(units.values()) else f"no architecture has runs with {' and '.join(methods)}"
    return _Read(settings, used, {method: tuple(found) for method, found in units.items()}, missing)


def _recorded(
    results: Results, claim: Claim, check: Check, variant: str, seeds: Collection[int] | None
) -> list[Record]:
    """The records of a variant with these seeds, or those that a superseded claim was judged on."""
    kept = claim.judged_on().get(variant)
    found = results.by_setting.get(kept, []) if kept else results.of(variant, check.profile)
    return found if claim.superseded or seeds is None else [each for each in found if each.seed in seeds]


def _settings(
    experiment: Experiment, claim: Claim, check: Check, used: Mapping[str, Sequence[Record]]
) -> dict[str, Setting]:
    """The setting of each variant in the spec or, for a superseded claim, that of the records it was judged on."""
    own = {variant: experiment.setting(variant, check.profile) for variant in used.keys() - claim.judged_on().keys()}
    return own | {variant: found[0].setting for variant, found in used.items() if variant not in own and found}


def _with_common_seeds(used: Mapping[str, Sequence[Record]]) -> dict[str, list[Record]]:
    common = set.intersection(*({record.seed for record in found} for found in used.values()))
    return {side: [record for record in found if record.seed in common] for side, found in used.items()}


def _stacked(check: Check, records: Sequence[Record]) -> Iterator[Unit]:
    """Yields one unit per run or, if the check reads the clock, one unit for all runs that trained together."""
    together: dict[tuple[str, ...], list[Record]] = {}
    for record in records:
        alone = not _reads_the_clock(check, record)
        together.setdefault((record.id,) if alone else tuple(sorted(record.cohort)), []).append(record)
    for stack in together.values():
        units = [_unit(check, record) for record in stack]
        unit = _averaged(units[0].seed, units)
        yield dataclasses.replace(unit, value=float(np.floor(unit.value))) if isinstance(check, Success) else unit


def _counted(check: Counts, side: Sequence[Sequence[Record]]) -> Iterator[Unit]:
    """Yields one unit per seed of which every variant of a side has a run: how many of these runs succeed."""
    by_seed = [{record.seed: _unit(check, record) for record in records} for records in side]
    for seed in sorted(set.intersection(*({*units} for units in by_seed))):
        units = [each[seed] for each in by_seed]
        yield dataclasses.replace(_averaged(seed, units), value=sum(unit.value for unit in units))


def _reads_the_clock(check: Check, record: Record) -> bool:
    uses = record.setting.measures
    return any(label in uses and is_timed(uses[label]) for label in check.measured())


def _averaged(place: int, units: Sequence[Unit]) -> Unit:
    statuses = [unit.status for unit in units]
    status = next((word for word in ("failed", "diverged") if word in statuses), "finished")
    undefined = any(unit.undefined for unit in units)
    return Unit(units[0].run_id, place, status, float(np.mean([unit.value for unit in units])), undefined)


def _unit(check: Check, record: Record) -> Unit:
    at = check.at or ()
    numbers = {measure: value_of(record, measure, check.statistic, at) for measure in check.measured()}
    if record.status == "failed":
        value = math.nan
    elif isinstance(check, Success | Counts):
        meets = (_meets(criterion, numbers[criterion.measure]) for criterion in check.criteria)
        value = float(record.status == "finished" and all(meets))
    else:
        value = value_or_worst(record, check.measure, check.statistic, at)
    undefined = record.status == "finished" and None in numbers.values()
    return Unit(record.id, record.seed, record.status, value, undefined)


def _meets(criterion: Criterion, number: float | None) -> bool:
    if number is None:
        return False
    if criterion.at_least is not None:
        return number >= criterion.at_least
    return criterion.at_most is not None and number <= criterion.at_most


def _check_seeds(experiment: Experiment, claim: Claim, used: Mapping[str, Sequence[Record]]) -> Iterator[str]:
    """Yields why a claim is incomplete; checks of architectures use those that have runs."""
    declared = experiment.seeds_of(claim)
    if claim.superseded:
        return
    for variant, found in used.items():
        if variant in experiment.variants and len(found) < len(declared):
            yield f"incomplete: {len(found)} of {len(declared)} runs of {variant}"


def _obstacles(check: Check, units: Units, used: Mapping[str, Sequence[Record]]) -> Iterator[str]:
    """Yields the reasons why the check cannot be decided, the most serious first."""
    every = [unit for found in units.values() for unit in found]
    records = [record for found in used.values() for record in found]
    failed = [unit.run_id for unit in every if unit.status == "failed"]
    if failed:
        yield f"run {failed[0]} failed" + (f" and {len(failed) - 1} more" if failed[1:] else "")
    for side, found in units.items():
        if len(found) < MIN_UNITS:
            kind = "seeds in both variants" if check.test in PAIRED else f"units of {side}"
            if check.methods():
                kind = f"architectures with runs of {' and '.join(check.methods())}"
            yield f"{len(found)} {kind}, at least {MIN_UNITS} needed"
    if len({record.score_protocol for record in records if record.status == "finished"}) > 1:
        yield "the runs were scored by different protocols"
    yield from _check_published_scale(check, records)
    timed = [record.provenance for record in records if _reads_the_clock(check, record)]
    if len({(one.device, one.threads) for one in timed}) > 1:
        yield "the runs were timed on different devices"
    if len({record.setting.precision for record in records}) > 1:
        yield "the runs were trained in different precisions"
    data = {(record.setting.data.name, record.data_checksum) for record in records}
    if len(data) > len({name for name, _ in data}):
        yield "the runs were trained on different copies of the data"
    if check.drift_at_most is not None:
        for variant, trained in used.items():
            yield from _check_drift(variant, trained, check.drift_at_most)
    if check.gap_at_least is not None:
        for variant, trained in used.items():
            yield from _check_gaps(variant, trained, check.gap_at_least)
    if not isinstance(check, Success | Counts):
        yield from _check_worst(check, records)
    for unit in every:
        if math.isnan(unit.value):
            yield f"run {unit.run_id} has no value, and the measure declares no worst one"
        if math.isinf(unit.value) and check.test in ("welch", "t", "tost"):
            yield f"run {unit.run_id} counts as infinite, which a t test cannot weigh"


def _check_published_scale(check: Check, records: Sequence[Record]) -> Iterator[str]:
    """Yields a reason if the check compares with a published score, but the runs were scored by another network.

    A level or a threshold is on the published scale if the setting asks for the Inception network.
    """
    if not isinstance(check, Equality | SuccessCurve | Level | McNemar):
        return
    for record in records:
        use, score = record.setting.measures.get(check.measure), record.setting.score
        published = isinstance(check, Equality | SuccessCurve) or (
            score is not None and score.name == comparability.INCEPTION
        )
        if (
            use
            and published
            and comparability.is_scored(use, record.setting)
            and not comparability.may_stand_beside_published(record.score_protocol, scale_of(use))
        ):
            yield f"the runs were scored by {record.score_protocol}, and the published value was not"
            return


def _check_worst(check: Check, records: Sequence[Record]) -> Iterator[str]:
    """Yields a reason if a run that diverged, or has no number, would count as better than one that has a number."""
    (measure,) = check.measured()
    numbers = {
        record.id: value_of(record, measure, check.statistic, check.at or ()) if record.status == "finished" else None
        for record in records
        if measure in record.setting.measures and record.status != "failed"
    }
    for record in (record for record in records if record.id in numbers and numbers[record.id] is None):
        scale = scale_of(record.setting.measures[measure], record.setting.data)
        worse = [
            (value, name)
            for name, value in numbers.items()
            if value is not None and (value < scale.worst if scale.higher_is_better else value > scale.worst)
        ]
        if scale.higher_is_better is not None and worse:
            what = "diverged" if record.status == "diverged" else "has no number"
            found = f"counts as {scale.worst:.4g}, better than the {worse[0][0]:.4g} of {worse[0][1]}"
            yield f"run {record.id} {what} and {found}; {measure} needs another worst value"
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


def _is_post_hoc(experiment: Experiment, claim: Claim, check: Check, records: Sequence[Record]) -> bool:
    """Checks whether the check was written or changed after runs that it is judged on.

    It was if none of the runs was planned with this check, or if a run of this experiment was planned without it, with
    a different check of the same id, or while the claim had other checks or seeds. Runs that a spec inherits may not
    know the checks that it adds, and older runs, and those with ``--set``, know nothing of claims as a whole.
    """
    present, key = experiment.digests_of(claim), claim_key(claim)
    foreseen = [record.claims.get(check.id) == present[check.id] for record in records]
    own = [record.experiment == experiment.name for record in records]
    changed = any(mine and not knew for mine, knew in zip(own, foreseen, strict=True))
    if not claim.superseded and key in present:
        known = [record.claims for record, mine in zip(records, own, strict=True) if mine]
        changed |= any(stated.get(key) != present[key] for stated in known if any(map(is_claim_key, stated)))
    return bool(records) and (changed or not any(foreseen))
