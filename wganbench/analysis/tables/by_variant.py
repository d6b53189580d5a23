"""The overview of an experiment under a profile: one row per variant, or per published number.

For random architectures the overview is their success table; rows for hundreds of variants are left to the report.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from wganbench.analysis.best import BEST, Best
from wganbench.analysis.results import Summary
from wganbench.analysis.tables.cells import (
    best_data,
    best_text,
    between,
    describe,
    fields,
    number,
    runs_text,
    summary_data,
)
from wganbench.analysis.tables.notes import Sources, notes_of
from wganbench.analysis.tables.published import Measured, Result, headline, measured, planned, results_table
from wganbench.analysis.tables.table import NONE, Scalar, Table
from wganbench.records.record import Record
from wganbench.spec import Experiment
from wganbench.spec.catalogue import Scale


@dataclass(frozen=True)
class VariantRow:
    """A row for a variant under a profile, on several measures.

    Attributes:
        measures: The name, scale and score protocol of each measure; the protocol is None for non-scores.
        of: The summaries by measure; a variant may lack some.
        best: The best values by measure, for scores that were taken more than once.
    """

    experiment: str
    profile: str
    variant: str
    measures: tuple[tuple[str, Scale, str | None], ...]
    of: Mapping[str, Summary]
    best: Mapping[str, Best]

    def cells(self) -> dict[str, str]:
        told = {}
        for measure in self.measures:
            told[describe(*measure)] = centre_text(self.of.get(measure[0]))
            told[f"{measure[0]}, {BEST}"] = best_text(self.best.get(measure[0]))
        longest = max(self.of.values(), key=lambda summary: summary.n_runs)
        return {"variant": self.variant, **told, "n": runs_text(longest)}

    def data(self) -> dict[str, Scalar]:
        told = [
            {**summary_data(self.of.get(name), f"{name}_"), **best_data(self.best.get(name), f"{name}_")}
            for name, _, _ in self.measures
        ]
        return {
            **fields(self, "experiment", "profile", "variant"),
            **{key: item for each in told for key, item in each.items()},
        }


def centre_text(summary: Summary | None) -> str:
    """Formats the mean with its interval or, where no normal theory holds, the median with its own."""
    if summary is None or summary.mean is None:
        return NONE
    bounded = summary.median is not None
    return (
        f"median {number(summary.median)}{between(summary.median_interval)}"
        if bounded
        else f"{number(summary.mean)}{between(summary.interval)}"
    )


def by_variant(
    experiment: Experiment, records: Mapping[str, Record], profile: str, without: Collection[str] = ()
) -> Table:
    """Returns one row per recorded variant and one column per measure, for a spec without published numbers.

    Args:
        without: The variants to leave out.
    """
    found = [item for item in measured(experiment, records, profile) if item.variant not in without]
    chosen = headline(experiment)
    scales = {item.measure: item.scale for item in found if item.measure in chosen and item.summary.n_runs}
    columns = tuple((name, scales[name], _protocols(found, name)) for name in chosen if name in scales)
    by_label: dict[str, dict[str, Measured]] = {}
    for item in found:
        if item.measure in scales and item.summary.n_runs:
            by_label.setdefault(item.label, {})[item.measure] = item
    rows = []
    for label, items in by_label.items():
        of = {name: item.summary for name, item in items.items()}
        reached = {name: item.best for name, item in items.items() if item.best}
        rows.append(VariantRow(experiment.name, profile, label, columns, of, reached))
    used = planned(experiment, records, profile)
    summaries = [summary for row in rows for summary in row.of.values()]
    notes = notes_of(summaries, Sources(), used, [each for row in rows for each in row.best.values()])
    return Table(f"{experiment.name}, {profile}: measured at the last step", tuple(rows), notes)


def _protocols(found: Iterable[Measured], measure: str) -> str | None:
    """The score protocol of a column; all of them if there are several, None if there is none."""
    every = {item.protocol for item in found if item.measure == measure and item.summary.n_runs and item.protocol}
    return " or ".join(sorted(every)) or None


def overview(experiment: Experiment, records: Mapping[str, Record], profile: str) -> Table:
    """Returns ``by_variant`` if nothing is published, and otherwise the rows of ``results_table`` that have a number.

    The architectures of a success table have no rows here.
    """
    drawn = _drawn(experiment, profile) if experiment.success_table else set()
    if not experiment.published:
        return by_variant(experiment, records, profile, drawn)
    found = results_table(experiment, records, profile, measures=headline(experiment))
    rows = tuple(row for row in with_numbers(found) if row.variant.partition(" (")[0] not in drawn)
    return Table(found.title, rows, found.notes)


def _drawn(experiment: Experiment, profile: str) -> set[str]:
    """The variants of random architectures, with any method."""
    methods = experiment.architectures.methods if experiment.architectures else ()
    by_method = [experiment.architectures_of(profile, [method]) for method in methods]
    return {variant for chosen in by_method for variants in chosen.values() for variant in variants}


def with_numbers(found: Table) -> tuple[Result, ...]:
    """The rows of a ``results_table`` that have a number."""
    return tuple(row for row in found.rows if isinstance(row, Result) and row.has_number)
