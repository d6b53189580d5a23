"""The overview of an experiment under a profile: one row per variant, or per published number.

For random architectures the overview is their success table; rows for hundreds of variants are left to the report.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from wganbench.analysis.results import PoolResult, Results, Summary
from wganbench.analysis.tables.cells import (
    BEST,
    best_data,
    best_text,
    between,
    describe,
    number,
    runs_text,
    summary_data,
)
from wganbench.analysis.tables.notes import Sources, notes_of
from wganbench.analysis.tables.published import headline, results_table
from wganbench.analysis.tables.table import NONE, Row, Scalar, Table
from wganbench.spec import Experiment


def by_variant(results: Results, profile: str, without: Collection[str] = ()) -> Table:
    """Returns one row per recorded variant and one column per measure, for a spec without published numbers.

    Args:
        without: The variants to leave out.
    """
    experiment, chosen = results.experiment, headline(results.experiment)
    found = [
        item
        for item in results.measured(profile)
        if item.variant not in without and item.measure in chosen and item.summary.n_runs
    ]
    columns = {name: some for name in chosen if (some := [item for item in found if item.measure == name])}
    headings = {name: describe(name, some[-1].scale, _protocols(some)) for name, some in columns.items()}
    by_label: dict[str, dict[str, PoolResult]] = {}
    for item in found:
        by_label.setdefault(item.label, {})[item.measure] = item
    rows = tuple(_row(experiment.name, profile, headings, items) for items in by_label.values())
    notes = notes_of([item.summary for item in found], Sources(), results.planned(profile), [i.best for i in found])
    return Table(f"{experiment.name}, {profile}: measured at the last step", rows, notes)


def _protocols(column: Iterable[PoolResult]) -> str | None:
    """The score protocol of a column; all of them if there are several, None if there is none."""
    return " or ".join(sorted({item.protocol for item in column if item.protocol})) or None


def _row(experiment: str, profile: str, headings: Mapping[str, str], items: Mapping[str, PoolResult]) -> Row:
    """The row of a variant.

    Args:
        headings: The heading of each measure's column.
        items: The results by measure; a variant may lack some.
    """
    label = next(iter(items.values())).label
    cells, data = {"variant": label}, dict[str, Scalar](experiment=experiment, profile=profile, variant=label)
    for name, heading in headings.items():
        item = items.get(name)
        summary, best = (item.summary, item.best) if item else (None, None)
        cells |= {heading: centre_text(summary), f"{name}, {BEST}": best_text(best)}
        data |= {**summary_data(summary, f"{name}_"), **best_data(best, f"{name}_")}
    cells["n"] = runs_text(max((item.summary for item in items.values()), key=lambda summary: summary.n_runs))
    return Row(cells, data)


def centre_text(summary: Summary | None) -> str:
    """Formats the mean with its interval or, where no normal theory holds, the median with its own."""
    if summary is None or summary.mean is None:
        return NONE
    if summary.median is not None:
        return f"median {number(summary.median)}{between(summary.median_interval)}"
    return f"{number(summary.mean)}{between(summary.interval)}"


def overview(results: Results, profile: str) -> Table:
    """Returns ``by_variant`` if nothing is published, and otherwise the rows of ``results_table`` that have a number.

    The architectures of a success table have no rows here.
    """
    experiment = results.experiment
    architectures = _architectures(experiment, profile) if experiment.success_table else set()
    if not experiment.published:
        return by_variant(results, profile, architectures)
    found = results_table(results, profile, measures=headline(experiment))
    rows = [row for row in with_numbers(found) if str(row.data["variant"]).partition(" (")[0] not in architectures]
    return Table(found.title, tuple(rows), found.notes)


def _architectures(experiment: Experiment, profile: str) -> set[str]:
    """The variants of random architectures, with any method."""
    methods = experiment.architectures.methods if experiment.architectures else ()
    by_method = [experiment.architectures_of(profile, [method]) for method in methods]
    return {variant for chosen in by_method for variants in chosen.values() for variant in variants}


def with_numbers(found: Table) -> list[Row]:
    """The rows of a ``results_table`` that have a published value or a recorded run."""
    return [row for row in found.rows if row.data["published"] is not None or row.data["n_runs"]]
