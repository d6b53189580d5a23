"""The records of an experiment, indexed once, and statistics of their measures."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from wganbench.analysis import comparability, stats
from wganbench.analysis.comparability import basis_of
from wganbench.analysis.estimate import format_hours
from wganbench.analysis.profiles import SMOKE, settings_of, shown
from wganbench.records.record import Curve, Record
from wganbench.spec import Claim, Experiment, MeasureUse, Setting, Statistic, listed, scale_of
from wganbench.spec.catalogue import Scale


@dataclass(frozen=True)
class Results:
    """An experiment with the records that it may use.

    Attributes:
        records: Records of any experiments, by run id. Those with a setting of this experiment belong to it, whichever
            experiment they were trained for.
    """

    experiment: Experiment
    records: Mapping[str, Record]

    @cached_property
    def by_setting(self) -> dict[str, list[Record]]:
        """All records by setting id, sorted by seed, with custom measures interpreted by the current spec."""
        custom, found = self.experiment.with_custom_measures, by_setting(self.records.values())
        return found | {
            name: [_reinterpret(record, custom[name], self.experiment.claims) for record in found[name]]
            for name in found.keys() & custom.keys()
        }

    def of(self, variant: str, profile: str) -> list[Record]:
        """Returns the records of a variant under a profile, sorted by seed."""
        return self.by_setting.get(self.experiment.family(variant, profile), [])

    def planned(self, profile: str) -> list[Record]:
        """Returns the records that the spec plans under ``profile``, sorted by variant and seed."""
        return [record for variant in self.experiment.variants_of(profile) for record in self.of(variant, profile)]

    def about_pilot(self, claim: Claim) -> str:
        """Says that a claim was stated after a pilot, and which of its seeds have no record; empty if it was not."""
        seeds = self.experiment.seen_before(claim)
        if not seeds:
            return ""
        own = {each.seed for each in self.records.values() if each.experiment == self.experiment.name}
        gone = [seed for seed in seeds if seed not in own]
        lacks = f", of which {listed(gone)} are not recorded here" if gone else ""
        lacks = ", none of whose runs is recorded here" if gone == seeds else lacks
        return f"Stated after a pilot of seeds {listed(seeds)}{lacks}; judged on fresh seeds alone."

    def cost(self, claim: Claim) -> str:
        """Says how many runs a claim is judged on and their wall time; empty if it has none, or no longer counts."""
        if claim.superseded:
            return ""
        seeds, variants = self.experiment.seeds_of(claim), self.experiment.judged_variants(claim)
        runs = [each for variant in variants for each in self.of(variant, claim.profile) if each.seed in seeds]
        plural = "" if len(runs) == 1 else "s"
        return f"{len(runs):,} run{plural}, {format_hours(hours_of(runs))} of wall time, with measures" if runs else ""

    def measured(self, profile: str) -> list[PoolResult]:
        """Returns the results of every variant of ``profile`` on each of its measures, whether it has records or not.

        A variant whose runs are not comparable has one result per pool of comparable runs.
        """
        if profile not in self._measured:
            self._measured[profile] = list(self._measure(profile))
        return self._measured[profile]

    @cached_property
    def _measured(self) -> dict[str, list[PoolResult]]:
        """The cache of ``measured``."""
        return {}

    def _measure(self, profile: str) -> Iterator[PoolResult]:
        n_planned = len(self.experiment.planned_seeds)
        for variant in self.experiment.variants_of(profile):
            setting, groups = self.experiment.setting(variant, profile), pools(self.of(variant, profile)) or [[]]
            for group in groups:
                apart = f" ({group[0].score_protocol}, data {group[0].data_checksum})" if len(groups) > 1 else ""
                for measure, use in setting.measures.items():
                    summary = summarise(group, measure, n_planned=n_planned)
                    protocol = comparability.protocol_of(use, setting, group)
                    best = best_of(group, measure)
                    yield PoolResult(variant, variant + apart, measure, scale_of(use), summary, protocol, best)


def reported(experiments: Collection[Experiment], records: Mapping[str, Record]) -> dict[str, Record]:
    """The records that a report includes: all but those of ``smoke`` where ``shown`` omits that profile.

    A run that another profile plans as well is included.
    """
    if all(record.profile != SMOKE for record in records.values()):
        return dict(records)
    judged = {each.name for each in experiments if SMOKE in shown(each)}
    planned = {name for each in experiments for name in settings_of(each, shown(each))}
    return {
        name: record
        for name, record in records.items()
        if record.profile != SMOKE or record.experiment in judged or record.family in planned
    }


def other_experiments(experiments: Collection[Experiment], records: Mapping[str, Record]) -> list[str]:
    """The names of other experiments with records that none of ``experiments`` has made or plans."""
    names = {experiment.name for experiment in experiments}
    planned = {name for each in experiments for name in settings_of(each, each.profiles)}
    found = reported(experiments, records).values()
    return sorted({each.experiment for each in found if each.experiment not in names and each.family not in planned})


def by_setting(records: Iterable[Record]) -> dict[str, list[Record]]:
    """Groups records by setting id, each group sorted by seed."""
    found: dict[str, list[Record]] = {}
    for record in sorted(records, key=lambda record: record.seed):
        found.setdefault(record.family, []).append(record)
    return found


def hours_of(records: Iterable[Record]) -> float:
    """Returns the wall time of runs in hours, with measures, as if cohorts had been trained one after the other.

    Of a cohort's wall time, each of its runs counts an equal share.
    """
    return sum(record.wall_seconds / max(1, len(record.cohort)) for record in records) / 3600


def pools(records: Sequence[Record]) -> list[list[Record]]:
    """Divides the runs of one setting into pools of comparable ones; none if there are no runs.

    Runs that were scored by different protocols or trained on different data are never pooled. Runs that did not finish
    have no score, and go into the first pool.
    """
    known = sorted({basis_of(record) for record in records if record.status == "finished"}) or [("", "")]
    keys = [basis_of(record) if record.status == "finished" else known[0] for record in records]
    found = [[record for record, own in zip(records, keys, strict=True) if own == key] for key in known]
    return list(filter(None, found))


# ---- custom measures ------------------------------------------------------------------------------------------------


def _reinterpret(record: Record, setting: Setting, claims: Iterable[Claim]) -> Record:
    """Returns a record with custom measures interpreted by the current spec: better direction and best value.

    A record keeps the interpretation at the time it was made, which is not part of its run's id. If a measure is now
    interpreted differently, the run did not foresee claims about it, whatever its record says, so they count as post
    hoc.

    Args:
        setting: The setting of the run in the current spec.
    """
    own = record.setting.measures
    known = {name: use for name, use in setting.measures.items() if name in own}
    changed = {name: use for name, use in known.items() if scale_of(use) != scale_of(own[name])}
    if not changed:
        return record
    best = {name: best_in(record.curves.get(name), use) for name, use in changed.items()}
    judged_otherwise = {name for name, use in changed.items() if _without_unit(use) != _without_unit(own[name])}
    every = (check for claim in claims for check in claim.checks)
    unforeseen = {check.id for check in every if judged_otherwise & {*check.measured()}}
    return record.model_copy(
        update={
            "setting": record.setting.model_copy(update={"measures": {**own, **changed}}),
            "best": {**record.best, **best},
            "claims": {check: digest for check, digest in record.claims.items() if check not in unforeseen},
        }
    )


def _without_unit(use: MeasureUse) -> Scale:
    """The measure's scale without the unit, on which no verdict depends."""
    return replace(scale_of(use), unit="")


def best_in(curve: Curve | None, use: MeasureUse) -> float | None:
    """The best value of a measure's curve; None if it has no values, or the measure no better direction."""
    higher = scale_of(use).higher_is_better
    values = [value for value in (curve.values if curve else []) if value is not None]
    if higher is None or not values:
        return None
    return max(values) if higher else min(values)


# ---- statistics of one measure --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Summary:
    """Statistics of one measure over the runs of one setting.

    Attributes:
        n: The number of values that the statistics cover.
        n_runs, n_planned: The number of runs recorded, and of runs that the spec asks for.
        n_diverged, n_failed: The number of recorded runs that diverged, and that failed.
        n_undefined: The number of runs that finished without a number.
        interval: Student's t interval of the mean; None for counts and bounded measures.
        median, median_interval: The median and its interval from order statistics; None for unbounded measures.
    """

    n: int = 0
    n_runs: int = 0
    n_planned: int = 0
    n_diverged: int = 0
    n_failed: int = 0
    n_undefined: int = 0
    mean: float | None = None
    interval: stats.Interval | None = None
    median: float | None = None
    median_interval: stats.Interval | None = None


@dataclass(frozen=True)
class Best:
    """The best value of one score over the runs of one setting.

    Attributes:
        value: The mean over runs, or the median for a bounded score; a diverged run counts as the score's worst value.
        first, last: The earliest and the latest generator step at which a finished run first reached its best value.
    """

    value: float
    first: int
    last: int


@dataclass(frozen=True)
class PoolResult:
    """The results of one pool of runs on one measure.

    Attributes:
        label: The variant, with what distinguishes the pool if the variant has several.
        protocol: The score protocol; None for a measure that is not a score.
        best: The best of a score that was taken more than once; None for any other measure.
    """

    variant: str
    label: str
    measure: str
    scale: Scale
    summary: Summary
    protocol: str | None = None
    best: Best | None = None


def value_of(record: Record, measure: str, statistic: Statistic = "final", at: Sequence[float] = ()) -> float | None:
    """Returns a run's value of a measure; None if it has none, or one that it needs is not finite.

    Args:
        at: The moments of ``statistic = "mean"``, as fractions of the steps of the run.
    """
    if statistic == "mean":
        return mean_at(record.curves.get(measure), at)
    return (record.best if statistic == "best" else record.measures).get(measure)


def mean_at(curve: Curve | None, at: Sequence[float]) -> float | None:
    """Returns the mean of a curve's values at the steps nearest to these fractions of its last step.

    Where two steps are equally near, the earlier one counts. None without values, or if one in use is not finite.
    """
    if curve is None or not curve.steps:
        return None
    steps = np.array(curve.steps)
    values = [curve.values[int(abs(steps - moment * steps[-1]).argmin())] for moment in at]
    finite = [value for value in values if value is not None]
    return float(np.mean(finite)) if len(finite) == len(values) else None


def value_or_worst(record: Record, measure: str, statistic: Statistic = "final", at: Sequence[float] = ()) -> float:
    """Returns a run's value, or the measure's worst value if the run did not finish or its value is not finite.

    Not meant for failed runs, which have no value.
    """
    value = value_of(record, measure, statistic, at) if record.status == "finished" else None
    return scale_of(record.setting.measures[measure], record.setting.data).worst if value is None else value


def summarise(records: Sequence[Record], measure: str, statistic: Statistic = "final", n_planned: int = 0) -> Summary:
    """Computes the statistics of one measure over the runs of one setting.

    A diverged run, or a finished one whose value is not finite, counts as the measure's worst value; if that is
    infinite or undefined, the statistics cover the other runs. A failed run has no value.
    """
    if not records:
        return Summary(n_planned=n_planned)
    values = np.array([value_or_worst(each, measure, statistic) for each in records if each.status != "failed"])
    values = values[np.isfinite(values)]
    some, bounded = len(values) > 0, scale_of(records[0].setting.measures[measure], records[0].setting.data).bounded
    return Summary(
        n=len(values),
        n_runs=len(records),
        n_planned=n_planned,
        n_diverged=sum(record.status == "diverged" for record in records),
        n_failed=sum(record.status == "failed" for record in records),
        n_undefined=sum(each.status == "finished" and value_of(each, measure, statistic) is None for each in records),
        mean=float(values.mean()) if some else None,
        interval=None if bounded else stats.student_interval(values),
        median=float(np.median(values)) if some and bounded else None,
        median_interval=stats.median_interval(values) if bounded else None,
    )


def best_of(records: Sequence[Record], measure: str) -> Best | None:
    """Returns the best of a measure over runs of one setting, or None if there is nothing to show.

    This is the case for measures that are not scores, have no better direction or are taken only once, and if no run
    finished with a value.
    """
    if not records:
        return None
    setting, use = records[0].setting, records[0].setting.measures[measure]
    if scale_of(use).higher_is_better is None or use.points == 1 or not comparability.is_scored(use, setting):
        return None
    summary = summarise(records, measure, "best")
    value = summary.mean if summary.median is None else summary.median
    steps = [step for record in records if (step := _best_step(record, measure)) is not None]
    return Best(value, min(steps), max(steps)) if steps and value is not None else None


def _best_step(record: Record, measure: str) -> int | None:
    """The first step at which a finished run reached its best value; None for other runs."""
    curve, best = record.curves.get(measure), record.best.get(measure)
    if record.status != "finished" or curve is None or best is None or best not in curve.values:
        return None
    return curve.steps[curve.values.index(best)]
