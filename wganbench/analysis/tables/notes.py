"""The notes under a table: the meaning of its numbers, the sources of published ones, and what the rows mix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from wganbench.analysis import comparability
from wganbench.analysis.best import HINDSIGHT, Best
from wganbench.analysis.results import Summary
from wganbench.analysis.tables.cells import number
from wganbench.analysis.tables.table import NONE
from wganbench.records.record import Record
from wganbench.spec import Published

INTERVALS = (
    "Means and medians are over runs, which differ in seed. Intervals in square brackets are unadjusted, at 95 % "
    "unless they say otherwise: of the mean, Student's t, for unbounded measures; of the median, between order "
    "statistics at their own level, for counts and bounded measures, where no normal theory holds. ↑ higher is better, "
    "↓ lower."
)
TROUBLED = (
    "A diverged run counts as the measure's worst value; where that is infinite or undefined, the statistics are over "
    "the other runs and say over how many. A failed run has no value."
)


class Sources:
    """Numbers the sources of published values in the order in which they are cited."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def cite(self, rows: Sequence[Published]) -> str:
        """Formats published values with what their ± covers and the numbers of their sources."""
        texts = []
        for row in rows:
            about = row.source + (f"; {row.configuration}" if row.configuration else "")
            spread = f" ± {number(row.spread)} ({row.spread_over})" if row.spread is not None else ""
            cited = self.numbers.setdefault(about, len(self.numbers) + 1)
            texts.append(f"{number(row.value)}{spread} [{cited}]")
        return "; ".join(texts) or NONE

    def notes(self) -> list[str]:
        return [f"[{cited}] {about}." for about, cited in self.numbers.items()]


def mixtures(records: Iterable[Record]) -> list[str]:
    """Returns at most two warnings: how differently ``records`` were made, and how many come from changed checkouts.

    Differences that settings may have from row to row do not count: rows may have different data sets, but not
    different copies of the same data set.
    """
    records = list(records)
    seen: dict[str, Counter[str]] = {}
    for record in records:
        for what, value in _circumstances(record):
            seen.setdefault(what, Counter())[value] += 1
    mixed = [f"{what}: {_tally(counts)}" for what, counts in sorted(seen.items()) if len(counts) > 1]
    changed = sum(record.provenance.dirty is True for record in records)
    notes = [f"Warning: the rows mix {'; '.join(mixed)}."] if mixed else []
    if changed:
        notes.append(f"Warning: {changed} of {_runs(len(records))} came from a checkout with uncommitted changes.")
    return notes


def _circumstances(record: Record) -> Iterator[tuple[str, str]]:
    """Yields the names of all that should be the same in every row, with the values for ``record``."""
    made_by = record.provenance
    yield "devices", made_by.device
    yield "precisions", record.setting.precision
    yield "precisions of matrix products", made_by.precision
    yield "precisions of convolutions", made_by.convolutions
    yield "numbers of CPU threads", str(made_by.threads)
    yield "algorithms", "held to be deterministic" if made_by.deterministic else "any"
    yield "ways to launch steps", "one graph a step" if made_by.captured else "operation by operation"
    yield "commits", made_by.commit[:SHORT] if made_by.commit else "none"
    yield f"copies of {record.setting.data.name}", record.data_checksum[:SHORT] if record.data_checksum else "unnamed"
    if record.score_protocol:
        yield "score protocols", record.score_protocol
    for name, version in made_by.libraries.items():
        yield f"versions of {name}", version


SHORT = 7
"""The number of digits that are shown of a commit or checksum."""

SHOWN = 4
"""The most values that are listed one by one."""


def _tally(counts: Counter[str]) -> str:
    """Lists values with their numbers of runs, in order; if there are many, sums up all but the most frequent ones."""
    ranked = sorted(counts, key=lambda value: (-counts[value], value))
    n_shown = SHOWN if len(ranked) <= SHOWN else SHOWN - 1
    shown, rest = sorted(ranked[:n_shown]), ranked[n_shown:]
    more = [f"{len(rest)} more ({_runs(sum(counts[value] for value in rest))})"] if rest else []
    return ", ".join([*(f"{value} ({_runs(counts[value])})" for value in shown), *more])


def _runs(n: int) -> str:
    return f"{n} run{'' if n == 1 else 's'}"


def notes_of(
    summaries: Iterable[Summary | None],
    sources: Sources,
    records: Iterable[Record],
    reached: Iterable[Best | None] = (),
) -> tuple[str, ...]:
    """Returns the notes for a table of these summaries and of the best values ``reached``."""
    known, records = [summary for summary in summaries if summary], list(records)
    about = [INTERVALS] if any(summary.n for summary in known) else []
    about += [TROUBLED] if any(summary.n < summary.n_runs or summary.n_diverged for summary in known) else []
    about += [HINDSIGHT] if any(reached) else []
    return (*about, *sources.notes(), *comparability.notes(records), *mixtures(records))
