"""Tables of published and measured values for every variant of a profile, and of the runs that no spec plans."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from wganbench.analysis import comparability
from wganbench.analysis.best import BEST, Best, best_of
from wganbench.analysis.results import Summary, as_read_by, pools, scores_of, summarise
from wganbench.analysis.tables.cells import (
    best_data,
    best_text,
    between,
    describe,
    fields,
    number,
    published_data,
    runs_text,
    summary_data,
)
from wganbench.analysis.tables.changed import Changes
from wganbench.analysis.tables.notes import Sources, notes_of
from wganbench.analysis.tables.table import NONE, Scalar, Table
from wganbench.records.record import Record
from wganbench.spec import Experiment, Published, Statistic, scale_of
from wganbench.spec.catalogue import CUSTOM, Scale


def headline(experiment: Experiment) -> list[str]:
    """The measures that claims, published rows, figures or the success table use; all measures if there are none."""
    read = {measure for claim in experiment.live_claims for measure in claim.measured()}
    read |= {row.measure for row in experiment.published}
    read |= {measure for figure in experiment.figures for measure in figure.measures_shown()}
    read |= {experiment.success_table.measure} if experiment.success_table else set()
    pairs = [(variant, profile) for profile in experiment.profiles for variant in experiment.variants_of(profile)]
    every = list(dict.fromkeys(measure for pair in pairs for measure in experiment.setting(*pair).measures))
    return [measure for measure in every if measure in read] or every


@dataclass(frozen=True)
class Measured:
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


def measured(
    experiment: Experiment, records: Mapping[str, Record], profile: str, statistic: Statistic = "final"
) -> list[Measured]:
    """Returns the results of every variant of ``profile`` on each of its measures, whether it has records or not."""
    by_family, found = pools(planned(experiment, records, profile)), []
    groups = [
        (variant, group, f" ({group[0].score_protocol}, data {group[0].data_checksum})" if len(groups) > 1 else "")
        for variant in experiment.variants_of(profile)
        for groups in [by_family.get(experiment.family(variant, profile), [[]])]
        for group in groups
    ]
    every = scores_of([group for _, group, _ in groups], statistic)
    for (variant, group, apart), scores in zip(groups, every, strict=True):
        setting = experiment.setting(variant, profile)
        for measure, use in setting.measures.items():
            summary = Summary(n_planned=len(experiment.planned_seeds))
            if measure in scores:
                summary = summarise(scores[measure], scale_of(use, setting.data), len(experiment.planned_seeds))
            protocol = comparability.protocol_of(use, setting, group)
            reached = best_of(group, measure, use)
            found.append(Measured(variant, variant + apart, measure, scale_of(use), summary, protocol, reached))
    return found


def planned(experiment: Experiment, records: Mapping[str, Record], profile: str) -> list[Record]:
    """The records that the spec plans under ``profile``, whichever experiment they were trained for."""
    families = {experiment.family(variant, profile) for variant in experiment.variants_of(profile)}
    found = (record for record in records.values() if record.family in families)
    return list(as_read_by(experiment, found))


@dataclass(frozen=True)
class Result:
    """A row for a variant (or a published row shown as context) under a profile, on one measure.

    Attributes:
        overrides, changed: The changes by ``--set`` or ``--data``, in full and shortened for the table.
    """

    experiment: str
    profile: str
    measure: str
    variant: str
    scale: Scale
    statistic: Statistic = "final"
    published: tuple[Published, ...] = ()
    cited: str = NONE
    summary: Summary | None = None
    overrides: str = ""
    changed: str = ""
    protocol: str | None = None
    best: Best | None = None

    @property
    def has_number(self) -> bool:
        """True if there is anything to show: a published value or a recorded run."""
        return bool(self.published) or (self.summary is not None and self.summary.n_runs > 0)

    def cells(self) -> dict[str, str]:
        known = self.summary or Summary()
        return {
            "measure": describe(self.measure, self.scale, self.protocol),
            "variant": self.variant + (f" with {self.changed}" if self.changed else ""),
            "published": self.cited,
            "mean [95 % interval]": number(known.mean) + between(known.interval),
            "median [interval]": number(known.median) + between(known.median_interval),
            BEST: best_text(self.best),
            "n": runs_text(known) if self.summary else NONE,
        }

    def data(self) -> dict[str, Scalar]:
        return {
            **fields(self, "experiment", "profile", "variant", "overrides", "measure"),
            **fields(self, "protocol"),
            "unit": self.scale.unit,
            "statistic": self.statistic,
            **published_data(self.published),
            **summary_data(self.summary),
            **best_data(self.best),
        }


def results_table(
    experiment: Experiment,
    records: Mapping[str, Record],
    profile: str,
    *,
    measures: Sequence[str] = (),
    statistic: Statistic = "final",
) -> Table:
    """Returns published and measured values of every variant under ``profile`` on ``measures`` (all if empty).

    Published rows without a variant are context, and are shown only beside the paper's own protocol. Published scores
    are shown only beside scores by the same network.
    """
    found = measured(experiment, records, profile, statistic)
    context = [row for row in experiment.published if row.variant is None]
    context = context if profile == "paper" or "paper" not in experiment.profiles else []
    sources, rows = Sources(), []
    for measure in measures or dict.fromkeys(item.measure for item in found):
        about, scale, items = (experiment.name, profile, measure), CUSTOM, [i for i in found if i.measure == measure]
        for item in items:
            scale, known = item.scale, published_for(experiment, item)
            cited, protocol = sources.cite(known), item.protocol
            rows.append(
                Result(
                    *about, item.label, scale, statistic, known, cited, item.summary, protocol=protocol, best=item.best
                )
            )
        if all(comparability.may_stand_beside_published(item.protocol) for item in items):
            for row in (row for row in context if row.measure == measure):
                rows.append(Result(*about, f"context: {row.row}", scale, statistic, (row,), sources.cite([row])))
    title = f"{experiment.name}, {profile}: published | measured {_WHEN[statistic]}"
    used = planned(experiment, records, profile)
    notes = notes_of([row.summary for row in rows], sources, used, [row.best for row in rows])
    return Table(title, tuple(rows), (*notes, *left_out(experiment, found)))


_WHEN: dict[Statistic, str] = {"final": "at the last step", "best": "at the best of its scheduled steps"}


def published_for(experiment: Experiment, item: Measured) -> tuple[Published, ...]:
    """The published rows of the item's variant and measure; none for a score by a different network."""
    if not comparability.may_stand_beside_published(item.protocol):
        return ()
    return tuple(row for row in experiment.published if (row.variant, row.measure) == (item.variant, item.measure))


def left_out(experiment: Experiment, found: Sequence[Measured]) -> list[str]:
    """Returns a line for each published score that is not comparable with the scores in ``found``."""
    published = {row.measure for row in experiment.published}
    apart = {item.measure: None for item in found if not comparability.may_stand_beside_published(item.protocol)}
    return [comparability.left_out(measure) for measure in apart if measure in published]


def other_runs(
    experiments: Sequence[Experiment], records: Mapping[str, Record], measures: Collection[str] = ()
) -> Table:
    """Returns runs that no loaded spec plans, made with ``--set`` or from a spec that has changed since.

    They have rows of their own, and are never pooled with planned runs.

    Args:
        measures: The measures to show; all measures of each run if empty.
    """
    known = {
        record.id
        for experiment in experiments
        for profile in experiment.profiles
        for record in planned(experiment, records, profile)
    }
    strangers = [record for record in records.values() if record.id not in known]
    rows, changes = [], Changes(experiments)
    groups = [group for some in pools(strangers).values() for group in some]
    for group, scores in zip(groups, scores_of(groups), strict=True):
        first, changed = group[0], changes.label(group[0])
        label = first.variant if changed else first.family
        for measure, use in first.setting.measures.items():
            if measures and measure not in measures:
                continue
            scale, protocol = scale_of(use, first.setting.data), comparability.protocol_of(use, first.setting, group)
            about = (first.experiment, first.profile, measure, f"{label} at {first.profile}", scale)
            summary = summarise(scores[measure], scale)
            reached, overrides = best_of(group, measure, use), ", ".join(first.overrides)
            rows.append(
                Result(*about, summary=summary, overrides=overrides, changed=changed, protocol=protocol, best=reached)
            )
    notes = notes_of([row.summary for row in rows], Sources(), strangers, [row.best for row in rows])
    return Table("Other runs", tuple(rows), (*notes, *changes.notes()))


def other_runs_of(experiment: Experiment, records: Mapping[str, Record]) -> Table:
    """Returns the other runs of one experiment, on its ``headline`` measures."""
    own = {name: record for name, record in records.items() if record.experiment == experiment.name}
    found = other_runs([experiment], own, headline(experiment))
    return Table(f"{experiment.name}: other runs, which enter no claim", found.rows, found.notes)
