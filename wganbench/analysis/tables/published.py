"""Tables of published and measured values for every variant of a profile, and of the runs that no spec plans."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from wganbench.analysis import comparability
from wganbench.analysis.profiles import settings_of
from wganbench.analysis.results import PoolResult, Results, Summary, best_of, by_setting, pools, summarise
from wganbench.analysis.tables.cells import (
    BEST,
    best_data,
    best_text,
    between,
    describe,
    number,
    published_data,
    runs_text,
    summary_data,
)
from wganbench.analysis.tables.notes import Changes, Sources, notes_of
from wganbench.analysis.tables.table import NONE, Row, Table
from wganbench.records.record import Record
from wganbench.spec import Experiment, Published, scale_of
from wganbench.spec.catalogue import CUSTOM


def headline(experiment: Experiment) -> list[str]:
    """The measures that claims, published rows, figures or the success table use; all measures if there are none."""
    read = {measure for claim in experiment.live_claims for measure in claim.measured()}
    read |= {row.measure for row in experiment.published}
    read |= {measure for figure in experiment.figures for measure in figure.measures_shown()}
    read |= {experiment.success_table.measure} if experiment.success_table else set()
    pairs = [(variant, profile) for profile in experiment.profiles for variant in experiment.variants_of(profile)]
    every = list(dict.fromkeys(measure for pair in pairs for measure in experiment.setting(*pair).measures))
    return [measure for measure in every if measure in read] or every


# ---- published | measured -------------------------------------------------------------------------------------------


def results_table(results: Results, profile: str, *, measures: Sequence[str] = ()) -> Table:
    """Returns published and measured values of every variant under ``profile`` on ``measures`` (all if empty).

    Published rows without a variant are context, and are shown only beside the paper's own protocol. Published scores
    are shown only beside scores by the same network.
    """
    experiment, found = results.experiment, results.measured(profile)
    context = [row for row in experiment.published if row.variant is None]
    context = context if profile == "paper" or "paper" not in experiment.profiles else []
    sources, rows = Sources(), []
    for measure in measures or dict.fromkeys(item.measure for item in found):
        items = [item for item in found if item.measure == measure]
        pairs = [(item, published_for(experiment, item)) for item in items]
        if all(comparability.may_stand_beside_published(item.protocol, item.scale) for item in items):
            scale = items[-1].scale if items else CUSTOM
            for row in (row for row in context if row.measure == measure):
                pairs.append((PoolResult(row.row or "", f"context: {row.row}", measure, scale, Summary()), (row,)))
        rows += [_row(experiment.name, profile, item, known, sources.cite(known)) for item, known in pairs]
    shown = [item for item in found if not measures or item.measure in measures]
    notes = notes_of([item.summary for item in shown], sources, results.planned(profile), [item.best for item in shown])
    title = f"{experiment.name}, {profile}: published | measured at the last step"
    return Table(title, tuple(rows), (*notes, *left_out(experiment, found)))


def _row(
    experiment: str,
    profile: str,
    item: PoolResult,
    published: Sequence[Published] = (),
    cited: str = NONE,
    overrides: str = "",
    changed: str = "",
) -> Row:
    """The row of a variant, or of a published row shown as context, on one measure.

    Args:
        overrides, changed: The changes by ``--set`` or ``--data``, in full and shortened for the table.
    """
    summary = item.summary
    return Row(
        cells={
            "measure": describe(item.measure, item.scale, item.protocol),
            "variant": item.label + (f" with {changed}" if changed else ""),
            "published": cited,
            "mean [95 % interval]": number(summary.mean) + between(summary.interval),
            "median [interval]": number(summary.median) + between(summary.median_interval),
            BEST: best_text(item.best),
            "n": runs_text(summary),
        },
        data={
            "experiment": experiment,
            "profile": profile,
            "variant": item.label,
            "overrides": overrides,
            "measure": item.measure,
            "protocol": item.protocol,
            "unit": item.scale.unit,
            "statistic": "final",
            **published_data(published),
            **summary_data(summary),
            **best_data(item.best),
        },
    )


def published_for(experiment: Experiment, item: PoolResult) -> tuple[Published, ...]:
    """The published rows of the item's variant and measure; none for a score by a different network."""
    if not comparability.may_stand_beside_published(item.protocol, item.scale):
        return ()
    return tuple(row for row in experiment.published if (row.variant, row.measure) == (item.variant, item.measure))


def left_out(experiment: Experiment, found: Sequence[PoolResult]) -> list[str]:
    """Returns a line for each published score that is not comparable with the scores in ``found``."""
    published = {row.measure for row in experiment.published}
    known = comparability.may_stand_beside_published
    apart = {item.measure: None for item in found if not known(item.protocol, item.scale)}
    why = "these runs are scored by another network, on a scale of its own"
    return [f"Published values of {measure} are left out: {why}." for measure in apart if measure in published]


# ---- other runs -----------------------------------------------------------------------------------------------------


def other_runs(
    experiments: Sequence[Experiment], records: Mapping[str, Record], measures: Collection[str] = ()
) -> Table:
    """Returns runs that no loaded spec plans, made with ``--set`` or from a spec that has changed since.

    They have rows of their own, and are never pooled with planned runs.

    Args:
        measures: The measures to show; all measures of each run if empty.
    """
    known = {name for experiment in experiments for name in settings_of(experiment, experiment.profiles)}
    others = [record for record in records.values() if record.family not in known]
    rows, found, changes = [], [], Changes(experiments)
    for _, runs in sorted(by_setting(others).items()):
        for group in pools(runs):
            first, changed = group[0], changes.label(group[0])
            label = f"{first.variant if changed else first.family} at {first.profile}"
            for measure, use in first.setting.measures.items():
                if not measures or measure in measures:
                    scale, summary = scale_of(use, first.setting.data), summarise(group, measure)
                    protocol = comparability.protocol_of(use, first.setting, group)
                    item = PoolResult(first.variant, label, measure, scale, summary, protocol, best_of(group, measure))
                    overrides = ", ".join(first.overrides)
                    rows.append(_row(first.experiment, first.profile, item, overrides=overrides, changed=changed))
                    found.append(item)
    notes = notes_of([item.summary for item in found], Sources(), others, [item.best for item in found])
    return Table("Other runs", tuple(rows), (*notes, *changes.notes()))


def other_runs_of(results: Results) -> Table:
    """Returns the other runs of one experiment, on its ``headline`` measures."""
    experiment = results.experiment
    own = {name: record for name, record in results.records.items() if record.experiment == experiment.name}
    found = other_runs([experiment], own, headline(experiment))
    return Table(f"{experiment.name}: other runs, which enter no claim", found.rows, found.notes)
