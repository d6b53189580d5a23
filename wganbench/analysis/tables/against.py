"""The table ``this machine | reference``: runs of one results folder beside those of another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wganbench.analysis.profiles import references
from wganbench.analysis.results import PoolResult, Results, Summary
from wganbench.analysis.tables.cells import describe, published_data, summary_data, summary_text
from wganbench.analysis.tables.notes import Sources, notes_of
from wganbench.analysis.tables.published import headline, left_out, published_for
from wganbench.analysis.tables.table import NONE, Row, Table
from wganbench.spec import Published

Longest = Mapping[str, tuple[str, Mapping[str, Summary]]]
"""For each label of the reference, the longest profile with records, and the summaries there by measure."""


def compare(here: Results, reference: Results, profile: str, *, measures: Sequence[str] = ()) -> Table:
    """Returns the table with this machine, the reference, the reference at its longest protocol, and published values.

    Args:
        here, reference: The results of one experiment in both folders.
        profile: The profile that this machine ran.
        measures: The measures to show; the ``headline`` ones if empty.
    """
    experiment, mine = here.experiment, here.measured(profile)
    chosen = measures or headline(experiment)
    longest = _longest(reference)
    found = {name for name, _ in longest.values()}
    profiles = [name for name in references(experiment) if name != profile and name in found]
    beside = _Reference(
        {(item.label, item.measure): item.summary for item in reference.measured(profile)},
        longest,
        profiles,
        Summary(n_planned=len(experiment.planned_seeds)),
    )
    sources, rows, summaries = Sources(), [], list[Summary | None]()
    for item in (item for measure in chosen for item in mine if item.measure == measure):
        published = published_for(experiment, item)
        rows.append(_row(experiment.name, profile, item, beside, published, sources.cite(published)))
        summaries += [item.summary, beside.at_profile(item), beside.at_longest(item)]
    used = [*here.planned(profile), *(record for name in (profile, *profiles) for record in reference.planned(name))]
    notes = (*notes_of(summaries, sources, used), *left_out(experiment, mine))
    return Table(f"{experiment.name}: this machine | reference", tuple(rows), notes)


@dataclass(frozen=True)
class _Reference:
    """The summaries of the reference.

    Attributes:
        same: The summaries at the profile of this machine, by label and measure.
        profiles: The longer profiles that the reference has, which share one column.
        absent: The summary of a variant without runs.
    """

    same: Mapping[tuple[str, str], Summary]
    longest: Longest
    profiles: Sequence[str]
    absent: Summary

    def at_profile(self, item: PoolResult) -> Summary:
        return self.same.get((item.label, item.measure), self.absent)

    def longest_profile(self, item: PoolResult) -> str:
        return self.longest[item.label][0] if item.label in self.longest else "paper"

    def at_longest(self, item: PoolResult) -> Summary | None:
        """The summary at the longest profile; None if that has no column."""
        name, summaries = self.longest.get(item.label, ("paper", {}))
        return summaries.get(item.measure, self.absent) if name in self.profiles else None


def _row(
    experiment: str, profile: str, item: PoolResult, beside: _Reference, published: Sequence[Published], cited: str
) -> Row:
    """The row of a variant's runs on this machine beside the reference's, on one measure."""
    same, longest, longest_profile = beside.at_profile(item), beside.at_longest(item), beside.longest_profile(item)
    cells = {
        "measure": describe(item.measure, item.scale, item.protocol),
        "variant": item.label,
        f"this machine at {profile}": summary_text(item.summary),
        f"reference at {profile}": summary_text(same),
    }
    if beside.profiles:
        apart = f"{longest_profile}: " if longest and len(beside.profiles) > 1 else ""
        text = summary_text(longest) if longest else NONE
        cells[f"reference at {', else '.join(beside.profiles)}"] = apart + text
    return Row(
        cells={**cells, "published": cited},
        data={
            "experiment": experiment,
            "profile": profile,
            "variant": item.label,
            "measure": item.measure,
            "protocol": item.protocol,
            "unit": item.scale.unit,
            **summary_data(item.summary, "here_"),
            **summary_data(same, "reference_"),
            "longest_profile": longest_profile,
            **summary_data(longest, "longest_"),
            **published_data(published),
        },
    )


def _longest(reference: Results) -> Longest:
    """For each label, the first profile of ``references`` with records (or the very first), and its summaries."""
    found: dict[str, tuple[str, dict[str, Summary]]] = {}
    for name in references(reference.experiment):
        by_label: dict[str, dict[str, Summary]] = {}
        for item in reference.measured(name):
            by_label.setdefault(item.label, {})[item.measure] = item.summary
        for label, summaries in by_label.items():
            if label not in found or (_recorded(summaries) and not _recorded(found[label][1])):
                found[label] = name, summaries
    return found


def _recorded(summaries: Mapping[str, Summary]) -> bool:
    return any(summary.n_runs for summary in summaries.values())
