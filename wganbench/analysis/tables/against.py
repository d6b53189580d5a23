"""The table ``this machine | reference``: runs of one results folder beside those of another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wganbench.analysis.profiles import references
from wganbench.analysis.results import Summary
from wganbench.analysis.tables.cells import describe, fields, published_data, summary_data, summary_text
from wganbench.analysis.tables.notes import Sources, notes_of
from wganbench.analysis.tables.published import headline, left_out, measured, planned, published_for
from wganbench.analysis.tables.table import NONE, Scalar, Table
from wganbench.records.record import Record
from wganbench.spec import Experiment, Published
from wganbench.spec.catalogue import Scale


@dataclass(frozen=True)
class Comparison:
    """A variant's runs on this machine beside the reference's, on one measure.

    Attributes:
        longest: The reference at ``longest_profile``, the longest with records; None if that is ``profile``.
        longest_heading: The heading of the column for ``longest``; empty if there is no such column.
    """

    experiment: str
    profile: str
    measure: str
    variant: str
    scale: Scale
    here: Summary
    reference: Summary
    longest: Summary | None
    longest_profile: str
    longest_heading: str
    published: tuple[Published, ...]
    cited: str
    protocol: str | None = None

    def cells(self) -> dict[str, str]:
        longest = summary_text(self.longest) if self.longest else NONE
        apart = f"{self.longest_profile}: " if self.longest and ", else " in self.longest_heading else ""
        return {
            "measure": describe(self.measure, self.scale, self.protocol),
            "variant": self.variant,
            f"this machine at {self.profile}": summary_text(self.here),
            f"reference at {self.profile}": summary_text(self.reference),
            **({self.longest_heading: apart + longest} if self.longest_heading else {}),
            "published": self.cited,
        }

    def data(self) -> dict[str, Scalar]:
        return {
            **fields(self, "experiment", "profile", "variant", "measure", "protocol"),
            "unit": self.scale.unit,
            **summary_data(self.here, "here_"),
            **summary_data(self.reference, "reference_"),
            "longest_profile": self.longest_profile,
            **summary_data(self.longest, "longest_"),
            **published_data(self.published),
        }


def compare(
    experiment: Experiment,
    here: Mapping[str, Record],
    reference: Mapping[str, Record],
    profile: str,
    *,
    measures: Sequence[str] = (),
) -> Table:
    """Returns the table with this machine, the reference, the reference at its longest protocol, and published values.

    Args:
        here, reference: The records of each, by id.
        profile: The profile that this machine ran.
        measures: The measures to show; the ``headline`` ones if empty.
    """
    mine = measured(experiment, here, profile)
    theirs = {(item.label, item.measure): item.summary for item in measured(experiment, reference, profile)}
    longest = _longest(experiment, reference)
    held = {name for name, _ in longest.values()}
    chosen = [name for name in references(experiment) if name != profile and name in held]
    heading = f"reference at {', else '.join(chosen)}" if chosen else ""
    absent = Summary(n_planned=len(experiment.planned_seeds))
    sources, rows = Sources(), []
    for measure in measures or headline(experiment):
        for item in (item for item in mine if item.measure == measure):
            name, summaries = longest.get(item.label, ("paper", {}))
            known = published_for(experiment, item)
            rows.append(
                Comparison(
                    *(experiment.name, profile, measure, item.label, item.scale, item.summary),
                    theirs.get((item.label, measure), absent),
                    summaries.get(measure, absent) if name in chosen else None,
                    *(name, heading, known, sources.cite(known), item.protocol),
                )
            )
    used = planned(experiment, here, profile)
    used += [record for name in (profile, *chosen) for record in planned(experiment, reference, name)]
    every = [summary for row in rows for summary in (row.here, row.reference, row.longest)]
    notes = (*notes_of(every, sources, used), *left_out(experiment, mine))
    return Table(f"{experiment.name}: this machine | reference", tuple(rows), notes)


def _longest(experiment: Experiment, records: Mapping[str, Record]) -> dict[str, tuple[str, dict[str, Summary]]]:
    """For each label, the first profile of ``references`` with records (or the very first), and its summaries."""
    found: dict[str, tuple[str, dict[str, Summary]]] = {}
    for name in references(experiment):
        by_label: dict[str, dict[str, Summary]] = {}
        for item in measured(experiment, records, name):
            by_label.setdefault(item.label, {})[item.measure] = item.summary
        for label, summaries in by_label.items():
            if label not in found or (_recorded(summaries) and not _recorded(found[label][1])):
                found[label] = name, summaries
    return found


def _recorded(summaries: Mapping[str, Summary]) -> bool:
    return any(summary.n_runs for summary in summaries.values())
