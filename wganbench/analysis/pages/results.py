"""The page of a results folder, ``README.md`` in it: the scoreboard by source document, and links to the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from wganbench.analysis.estimate import format_hours
from wganbench.analysis.pages.coverage import by_source, rows_by_source
from wganbench.analysis.pages.experiment import OTHER_RUNS
from wganbench.analysis.pages.markdown import folded
from wganbench.analysis.results import Results, hours_of
from wganbench.analysis.tables.published import other_runs
from wganbench.analysis.tables.scoreboard import JUDGED, counts, live, tally
from wganbench.analysis.tables.table import Markdown, Row, Table, inline, render
from wganbench.analysis.verdict import Verdict
from wganbench.records.record import Record
from wganbench.spec import Experiment
from wganbench.spec.coverage import Coverage

SETTLED = ("reproduced", "contradicted")


def results_page(
    every: Sequence[Results],
    records: Mapping[str, Record],
    verdicts: Mapping[str, Sequence[Verdict]],
    coverage: Coverage,
    *,
    has_speeds: bool,
) -> Iterator[str]:
    """Yields the paragraphs of the page.

    Args:
        every: The results of each experiment.
        records: The records of all experiments, by run id.
        verdicts: The verdicts of each experiment, by its name.
        coverage: The claims of the source documents, which are listed if the report covers all that judge them.
        has_speeds: Whether there is a page of measured speeds.
    """
    experiments = [results.experiment for results in every]
    is_whole = coverage.experiments <= {experiment.name for experiment in experiments}
    yield "# Results"
    yield tally(verdicts)
    yield _how_far(records, verdicts)
    if is_whole:
        yield "## By source"
        yield (
            "Each claim counts once, under the first document that its source names. What a later document says of the "
            "same is in the list of all claims of the sources, below."
        )
        yield render(by_source(coverage, experiments, verdicts), "markdown")
    yield "## Experiments"
    rows = tuple(Row(_cells(each, verdicts[each.name]), {}) for each in experiments)
    yield render(Table("Experiments", rows, (JUDGED.partition(" Intervals")[0],)), "markdown")
    yield "[Measured speeds](speed/README.md)" if has_speeds else ""
    if is_whole:
        yield f"## All {len(coverage.claims)} claims of the sources"
        yield (
            "A claim is listed under the first document that it is taken from. Beside *no experiment yet* and *out of "
            "reach* stands why nothing judges it."
        )
        yield from rows_by_source(coverage, experiments, verdicts)
    names = {experiment.name for experiment in experiments}
    unknown = {name: record for name, record in records.items() if record.experiment not in names}
    others = other_runs(experiments, unknown)
    if others.rows:
        yield "## Other runs"
        yield OTHER_RUNS
        yield folded(render(others, "markdown"), f"All of them: {len(others.rows)} rows")


def _cells(experiment: Experiment, verdicts: Sequence[Verdict]) -> dict[str, str]:
    link = Markdown(f"[{experiment.name}]({experiment.name}/README.md)")
    return {"experiment": link, "question": experiment.question or experiment.title, **counts(verdicts)}


def _how_far(records: Mapping[str, Record], verdicts: Mapping[str, Sequence[Verdict]]) -> str:
    """Says where the runs were trained, for how long, and how many verdicts are about the papers' own protocols."""
    devices: dict[str, list[Record]] = {}
    for record in records.values():
        devices.setdefault(record.provenance.device, []).append(record)
    runs = ", ".join(
        f"{len(some):,} on {inline(device)}, {format_hours(hours_of(some))} of wall time"
        for device, some in sorted(devices.items())
    )
    settled = [each.claim.profile for some in verdicts.values() for each in live(some) if each.outcome in SETTLED]
    if not runs or not settled:
        return f"Runs: {runs}." if runs else ""
    own = settled.count("paper")
    text = (
        f"Runs: {runs}. Of the {len(settled)} claims that are settled, {own} are judged under the profile `paper`, at "
        f"the length and size of the source where it states them, and {len(settled) - own} under another profile, "
        "which their pages describe."
    )
    n_open, n_restated = _n_open(verdicts)
    more = f" Inconclusive claims that are settled as restated: {n_restated} of {n_open}."
    return text + (more if n_restated else "")


def _n_open(verdicts: Mapping[str, Sequence[Verdict]]) -> tuple[int, int]:
    """Returns the number of inconclusive claims, and of those among them whose every restatement is settled."""
    n_open = n_restated = 0
    for some in verdicts.values():
        settled = {each.claim.id for each in some if each.outcome in SETTLED}
        found = [each.claim for each in live(some) if each.outcome == "inconclusive"]
        n_open += len(found)
        n_restated += sum(bool(claim.restated_as) and settled.issuperset(claim.restated_as) for claim in found)
    return n_open, n_restated
