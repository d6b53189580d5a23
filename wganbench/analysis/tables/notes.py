"""The notes under a table: the meaning of its numbers, numbered footnotes, and what the rows mix."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from wganbench.analysis import comparability
from wganbench.analysis.results import Best, Summary
from wganbench.analysis.tables.cells import number
from wganbench.analysis.tables.table import NONE
from wganbench.records.record import Record
from wganbench.spec import Experiment, Published

INTERVALS = (
    "Means and medians are over runs, which differ in seed. Intervals in square brackets are unadjusted, at 95 % "
    "unless they say otherwise: of the mean, Student's t, for unbounded measures; of the median, between order "
    "statistics at their own level, for counts and bounded measures, where no normal theory holds. ↑ higher is better, "
    "↓ lower."
)
TROUBLED = (
    "A diverged run, or one without a number, counts as the measure's worst value; where that is infinite or "
    "undefined, the statistics are over the other runs and say over how many. A failed run has no value."
)
HINDSIGHT = (
    "Best: the mean over runs of the best score of each on its schedule, which is picked with hindsight, and in "
    "brackets the steps at which it was first reached."
)


def notes_of(
    summaries: Iterable[Summary | None], sources: Sources, records: Sequence[Record], best: Iterable[Best | None] = ()
) -> tuple[str, ...]:
    """Returns the notes for a table of these summaries and best values."""
    known = [summary for summary in summaries if summary]
    notes = [INTERVALS] if any(summary.n for summary in known) else []
    notes += [TROUBLED] if any(each.n < each.n_runs or each.n_diverged or each.n_undefined for each in known) else []
    notes += [HINDSIGHT] if any(best) else []
    return (*notes, *sources.notes(), *comparability.notes(records), *mixtures(records))


# ---- footnotes ------------------------------------------------------------------------------------------------------


class Sources:
    """Numbers the sources of published values in the order in which they are cited."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def cite(self, rows: Sequence[Published]) -> str:
        """Formats published values with what their ± covers and the numbers of their sources."""
        texts = []
        for row in rows:
            source = row.source + (f"; {row.configuration}" if row.configuration else "")
            spread = f" ± {number(row.spread)} ({row.spread_over})" if row.spread is not None else ""
            cited = self.numbers.setdefault(source, len(self.numbers) + 1)
            texts.append(f"{number(row.value)}{spread} [{cited}]")
        return "; ".join(texts) or NONE

    def notes(self) -> list[str]:
        return [f"[{cited}] {source}." for source, cited in self.numbers.items()]


SHORT_CHANGE = 40
"""The most characters of a change that is shown as it was typed."""

DATA = re.compile(r"""(?:^|\.)data=\{.*"(?:image_folder|images)".*\}$""")
"""The pattern of the change that ``--data`` makes: a folder of images in place of a data set, or for ``images``."""


class Changes:
    """Short labels for what ``--set`` and ``--data`` changed in a run, with the full text in numbered footnotes.

    Args:
        experiments: The unchanged specs, from which labels take the names of replaced data sets.
    """

    def __init__(self, experiments: Iterable[Experiment] = ()):
        self.experiments = {experiment.name: experiment for experiment in experiments}
        self.numbers: dict[str, int] = {}

    def label(self, record: Record) -> str:
        """The label, such as ``"steps=2400"`` or ``"cifar10→cifar10-jpeg75 [1]"``; empty for an unchanged spec."""
        shown = list(dict.fromkeys(self._shorten(text, record) for text in record.overrides))
        if shown == record.overrides:
            return ", ".join(shown)
        cited = self.numbers.setdefault("; ".join(record.overrides), len(self.numbers) + 1)
        return f"{', '.join(shown)} [{cited}]"

    def _shorten(self, text: str, record: Record) -> str:
        if DATA.search(text):
            return f"{self._replaced_data(record)}→{comparability.data_of(record)}"
        path = text.partition("=")[0]
        return text if len(text) <= SHORT_CHANGE else f"{path.rpartition('.')[2][:SHORT_CHANGE]}=…"

    def _replaced_data(self, record: Record) -> str:
        """The data set that the spec names for this variant, or ``data`` if the spec no longer has the variant."""
        spec = self.experiments.get(record.experiment)
        if spec is None or record.profile not in spec.profiles or record.variant not in spec.variants:
            return "data"
        return spec.setting(record.variant, record.profile).data.name

    def notes(self) -> list[str]:
        """Returns a footnote for each label that is shortened."""
        return [f"[{cited}] Changed by --set or --data: {text}." for text, cited in self.numbers.items()]


# ---- mixtures -------------------------------------------------------------------------------------------------------

SHORT = 7
"""The number of digits that are shown of a commit or checksum."""

SHOWN = 4
"""The most values that are listed one by one."""


def mixtures(records: Sequence[Record]) -> list[str]:
    """Returns at most two warnings: how differently ``records`` were made, and how many come from changed checkouts.

    Differences that settings may have from row to row do not count: rows may have different data sets, but not
    different copies of the same data set.
    """
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


def _tally(counts: Counter[str]) -> str:
    """Lists values with their numbers of runs, in order; if there are many, sums up all but the most frequent ones."""
    ranked = sorted(counts, key=lambda value: (-counts[value], value))
    n_shown = SHOWN if len(ranked) <= SHOWN else SHOWN - 1
    shown, rest = sorted(ranked[:n_shown]), ranked[n_shown:]
    more = [f"{len(rest)} more ({_runs(sum(counts[value] for value in rest))})"] if rest else []
    return ", ".join([*(f"{value} ({_runs(counts[value])})" for value in shown), *more])


def _runs(n: int) -> str:
    return f"{n} run{'' if n == 1 else 's'}"
