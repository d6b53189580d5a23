"""The table ``this machine | reference``: runs of one results folder beside those of another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from wganbench.analysis.profiles import references
from wganbench.analysis.results import PoolResult, Results, Summary
from wganbench.analysis.tables.cells import describe, published_data, summary_data, summary_text
from wganbench.analysis.tables.notes import Sources, notes_of
from wganbench.analysis.tables.published import headline, left_out, published_for
from wganbench.analysis.tables.table import NONE, Row, Table
from wganbench.spec import Published


class _Longest(NamedTuple):
    """The reference at the longest profile with records, on one measure.

    Attributes:
        summary: None if that profile has no column.
        heading: The heading of the column, which several profiles may share; empty if there is none.
    """

    profile: str
    summary: Summary | None
    heading: str


def compare(here: Results, reference: Results, profile: str, *, measures: Sequence[str] = ()) -> Table:
    """Returns the table with this machine, the reference, the reference at its longest protocol, and published values.

    Args:
        here, reference: The results of one experiment in both folders.
        profile: The profile that this machine ran.
        measures: The measures to show; the ``headline`` ones if empty.
    """
    experiment, mine, theirs = here.experiment, here.measured(profile), _summaries(reference, profile)
    longest = _longest(reference)
    found = {name for name, _ in longest.values()}
    profiles = [name for name in references(experiment) if name != profile and name in found]
    heading = f"reference at {', else '.join(profiles)}" if profiles else ""
    absent = Summary(n_planned=len(experiment.planned_seeds))
    sources, rows, summaries = Sources(), [], list[Summary | None]()
    for item in (item for name in measures or headline(experiment) for item in mine if item.measure == name):
        name, by_measure = longest.get(item.label, ("paper", {}))
        far = _Longest(name, by_measure.get(item.measure, absent) if name in profiles else None, heading)
        same = theirs.get(item.label, {}).get(item.measure, absent)
        published = published_for(experiment, item)
        rows.append(_row(experiment.name, profile, item, same, far, published, sources.cite(published)))
        summaries += [item.summary, same, far.summary]
    used = [*here.planned(profile), *(record for name in (profile, *profiles) for record in reference.planned(name))]
    notes = (*notes_of(summaries, sources, used), *left_out(experiment, mine))
    return Table(f"{experiment.name}: this machine | reference", tuple(rows), notes)


def _row(
    experiment: str,
    profile: str,
    item: PoolResult,
    same: Summary,
    longest: _Longest,
    published: Sequence[Published],
    cited: str,
) -> Row:
    """The row of a variant's runs on this machine beside the reference's at the same profile, on one measure."""
    cells = {
        "measure": describe(item.measure, item.scale, item.protocol),
        "variant": item.label,
        f"this machine at {profile}": summary_text(item.summary),
        f"reference at {profile}": summary_text(same),
    }
    if longest.heading:
        apart = f"{longest.profile}: " if longest.summary and ", else " in longest.heading else ""
        cells[longest.heading] = apart + (summary_text(longest.summary) if longest.summary else NONE)
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
            "longest_profile": longest.profile,
            **summary_data(longest.summary, "longest_"),
            **published_data(published),
        },
    )


def _summaries(results: Results, profile: str) -> dict[str, dict[str, Summary]]:
    """The summaries by label and measure."""
    found: dict[str, dict[str, Summary]] = {}
    for item in results.measured(profile):
        found.setdefault(item.label, {})[item.measure] = item.summary
    return found


def _longest(reference: Results) -> dict[str, tuple[str, dict[str, Summary]]]:
    """For each label, the first profile of ``references`` with records (or the very first), and its summaries."""
    found: dict[str, tuple[str, dict[str, Summary]]] = {}
    for name in references(reference.experiment):
        for label, summaries in _summaries(reference, name).items():
            if label not in found or (_recorded(summaries) and not _recorded(found[label][1])):
                found[label] = name, summaries
    return found


def _recorded(summaries: Mapping[str, Summary]) -> bool:
    return any(summary.n_runs for summary in summaries.values())
