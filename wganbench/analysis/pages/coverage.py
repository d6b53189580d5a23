"""The claims of the source documents with what judges each, as a part of the results folder's page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

from wganbench.analysis.tables.scoreboard import counts, live
from wganbench.analysis.tables.table import NONE, Markdown, Row, Table, inline, render
from wganbench.analysis.verdict import Verdict
from wganbench.spec import Experiment
from wganbench.spec.coverage import Coverage, Document
from wganbench.spec.coverage import Row as Stated

OTHER = "Other sources, and this suite's own questions"
NO_EXPERIMENT, OUT_OF_REACH = "no experiment yet", "out of reach"


def by_source(
    coverage: Coverage, experiments: Sequence[Experiment], verdicts: Mapping[str, Sequence[Verdict]]
) -> Table:
    """Returns a row for each document: its claims in the specs by outcome, and those that nothing judges.

    A claim counts once, for the document that its source names first.
    """
    judged: dict[str, list[Verdict]] = {_title(document): [] for document in (*coverage.documents, None)}
    for experiment in experiments:
        for verdict in live(verdicts[experiment.name]):
            source = verdict.claim.source or experiment.source
            judged[_title(coverage.document_of(source))].append(verdict)
    rows = [_by_source(title, found, _rows_of(coverage, title)) for title, found in judged.items()]
    every = [verdict for found in judged.values() for verdict in found]
    return Table("By source", (*rows, _by_source("**All**", every, coverage.claims)))


def _by_source(title: str, verdicts: Sequence[Verdict], stated: Sequence[Stated]) -> Row:
    cells = {"source": title, **counts(verdicts)}
    for heading, is_out in ((NO_EXPERIMENT, False), (OUT_OF_REACH, True)):
        n = sum(row.judged_by is None and row.out_of_reach == is_out for row in stated)
        cells[heading] = str(n or NONE)
    return Row(cells, {})


def rows_by_source(
    coverage: Coverage, experiments: Sequence[Experiment], verdicts: Mapping[str, Sequence[Verdict]]
) -> Iterator[str]:
    """Yields a heading and a table for each document: every claim that it makes, and the verdicts on it."""
    found = {
        f"{experiment.name}:{verdict.claim.id}": verdict
        for experiment in experiments
        for verdict in verdicts[experiment.name]
    }
    for document in (*coverage.documents, None):
        stated = _rows_of(coverage, _title(document))
        if stated:
            rows = tuple(Row(_cells(row, found), {}) for row in stated)
            yield f"### {_title(document)}"
            yield render(Table(_title(document), rows), "markdown")


def _title(document: Document | None) -> str:
    return document.title if document else OTHER


def _rows_of(coverage: Coverage, title: str) -> list[Stated]:
    return [row for row in coverage.claims if _title(coverage.document_of(row.source)) == title]


def _cells(row: Stated, verdicts: Mapping[str, Verdict]) -> dict[str, str]:
    return {
        "no.": str(row.number),
        "what it says": row.says,
        "where": row.source,
        "verdict": Markdown("<br>".join(_answers(row, verdicts))),
    }


def _answers(row: Stated, verdicts: Mapping[str, Verdict]) -> Iterable[str]:
    """Yields each claim that judges a row with its verdict and a link to its page, or the reason why none does."""
    if row.judged_by is None:
        yield f"*{OUT_OF_REACH if row.out_of_reach else NO_EXPERIMENT}*: {inline(row.reason or '')}"
    later = {name: _restated(name, verdicts) for name in row.judged_by or ()}
    restated = set(chain(*later.values()))
    for name in dict.fromkeys(chain(*([first, *others] for first, others in later.items()))):
        experiment = name.partition(":")[0]
        shown = f"[{name}]({experiment}/README.md)"
        if name in verdicts:
            again = ", restated" if name in restated else ""
            yield f"**{verdicts[name].outcome}** {shown}, {verdicts[name].claim.profile}{again}"
        else:
            yield f"*not stated* {shown}"


def _restated(name: str, verdicts: Mapping[str, Verdict]) -> list[str]:
    """Returns the claims that ask the same as a claim of other runs, as ``EXPERIMENT:CLAIM``."""
    named = verdicts[name].claim.restated_as if name in verdicts else ()
    return [f"{name.partition(':')[0]}:{each}" for each in named]
