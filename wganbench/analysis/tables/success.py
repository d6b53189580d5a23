"""The success table: how many random architectures score above each threshold with each of two methods.

An architecture succeeds if its score exceeds the threshold, whatever other seeds would have given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import scipy.special

from wganbench.analysis import stats
from wganbench.analysis.architectures import Sample, samples_of
from wganbench.analysis.profiles import settings_of
from wganbench.analysis.results import Results
from wganbench.analysis.stats import Interval
from wganbench.analysis.tables.cells import fields, limits, number, p_text
from wganbench.analysis.tables.notes import SHORT, Changes
from wganbench.analysis.tables.table import Row, Scalar, Table
from wganbench.records.record import Record
from wganbench.spec import scale_of

ALPHA, POWER = 0.05, 0.8

Four = tuple[int, int, int, int]
"""The numbers of architectures that succeed with only the first method, only the second, both and neither."""


# ---- statistics of the counts ---------------------------------------------------------------------------------------


def counts(scores: stats.Array, threshold: float) -> Four:
    """Counts the successes in ``scores``, ``(architectures, 2)``; a score equal to ``threshold`` is not a success."""
    first, second = (scores > threshold).T
    return (
        int((first & ~second).sum()),
        int((~first & second).sum()),
        int((first & second).sum()),
        int((~first & ~second).sum()),
    )


def mcnemar_p(only_first: int, only_second: int) -> float:
    """Exact two-sided p-value of McNemar's test that both methods are equally likely to be the only one that succeeds.

    It is 1 if no architecture succeeds with only one method.
    """
    n = only_first + only_second
    return min(1.0, 2 * float(scipy.special.bdtr(min(only_first, only_second), n, 0.5))) if n else 1.0


def visible_gap(n: int, n_thresholds: int) -> float | None:
    """The smallest difference of two success rates that ``n`` architectures detect in 4 of 5 studies.

    This holds for the exact two-sided McNemar test at 5 % under Holm, where the smallest p-value of ``n_thresholds``
    has to pass 5 % divided by their number. It assumes that all architectures that succeed with only one method do so
    with the same one. Then k of them give p = 2 · 2⁻ᵏ, and their number is binomial with the difference as its rate.

    Returns:
        The difference, 0 to 1; None if not even a difference in all architectures could be detected.
    """
    needed = next(k for k in range(1, 64) if 2.0 ** (1 - k) * n_thresholds <= ALPHA)
    return float(scipy.special.betaincinv(needed, n - needed + 1, POWER)) if n >= needed else None


# ---- the table ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SuccessRow:
    """A row for one threshold: how many architectures score above it with each method.

    Attributes:
        of: The sample of architectures.
        p, adjusted_p: McNemar's p-value, as it is and Holm-adjusted over the table's thresholds.
        published: The source's counts; None if they are not comparable.
    """

    of: Sample
    threshold: float
    counts: Four
    p: float
    adjusted_p: float
    published: Sequence[int] | None

    @property
    def successes(self) -> tuple[int, int]:
        """The number of successes with each method."""
        return with_each(self.counts)

    @property
    def intervals(self) -> tuple[Interval, Interval]:
        """The intervals of the success rates with each method."""
        first, second = self.successes
        return stats.wilson_interval(first, self.of.n), stats.wilson_interval(second, self.of.n)

    def cells(self) -> dict[str, str]:
        first, second = self.of.table.methods
        names = (f"only {first}", f"only {second}", "both", "neither")
        cells = {"score above": f"{self.threshold:.3g}", **dict(zip(names, map(str, self.counts), strict=True))}
        for method, count, interval in zip((first, second), self.successes, self.intervals, strict=True):
            cells[f"{method} succeeds [95 %]"] = rate_text(count, self.of.n, interval)
        cells["adjusted p"] = p_text(self.adjusted_p)
        if self.published:
            n = sum(self.published)
            cells[f"published: {', '.join(names)}"] = ", ".join(map(str, self.published))
            rates_of_each = (f"{100 * count / n:.3g} %" for count in with_each(self.published))
            cells[f"published: {first}, {second}"] = ", ".join(rates_of_each)
        return cells

    def data(self) -> dict[str, Scalar]:
        sample, names = self.of, ("only_first", "only_second", "both", "neither")
        rates: dict[str, Scalar] = {}
        for place, count, interval in zip(("first", "second"), self.successes, self.intervals, strict=True):
            rates |= {f"{place}_rate": count / sample.n, **limits(interval, f"{place}_")}
        published = self.published or (None, None, None, None)
        return {
            **fields(sample, "experiment", "profile"),
            "overrides": "; ".join(sample.overrides),
            "measure": sample.table.measure,
            "score_protocol": sample.protocol or None,
            "data_checksum": sample.checksum or None,
            "first_method": sample.table.methods[0],
            "second_method": sample.table.methods[1],
            "threshold": self.threshold,
            "thresholds": "the source's"
            if sample.has_own_thresholds
            else "equal steps from 1 to the real data's score",
            "n": sample.n,
            **dict(zip(names, self.counts, strict=True)),
            **rates,
            **fields(self, "p", "adjusted_p"),
            **{f"published_{name}": count for name, count in zip(names, published, strict=True)},
            "source": sample.table.source if self.published else None,
        }


def with_each(four: Sequence[int]) -> tuple[int, int]:
    """The numbers of architectures that succeed with the first method and with the second."""
    only_first, only_second, both, _ = four
    return only_first + both, only_second + both


def rate_text(successes: int, n: int, interval: Interval) -> str:
    """Formats a success rate with its interval, such as ``"55 % [34, 74]"``."""
    return f"{100 * successes / n:.0f} % [{100 * interval.low:.0f}, {100 * interval.high:.0f}]"


def rows_of(sample: Sample) -> tuple[SuccessRow, ...]:
    """Returns one row per threshold; none if no architecture has runs of both methods."""
    if not sample.n:
        return ()
    thresholds = sample.thresholds
    found = [counts(sample.scores, threshold) for threshold in thresholds]
    p_values = [mcnemar_p(only_first, only_second) for only_first, only_second, *_ in found]
    published = sample.table.published if sample.is_the_papers else [None] * len(thresholds)
    of_each = zip(thresholds, found, p_values, stats.holm(p_values), published, strict=True)
    return tuple(SuccessRow(sample, *each) for each in of_each)


def success_table(sample: Sample, changes: Changes | None = None) -> Table:
    """Returns the table of measured and published counts, with one row per threshold.

    As text, without published counts, the thresholds that no architecture scores above are one row.

    Args:
        changes: The labels for runs with ``--set`` or ``--data``, for the title.
    """
    apart = f" ({sample.protocol}, data {sample.checksum[:SHORT]})" if sample.is_one_of > 1 else ""
    changes = changes or Changes()
    label = changes.label(sample.records[0]) if sample.records else ""
    changed = f" with {label}" if label else ""
    title = f"{sample.experiment}, {sample.profile}{changed}: architectures that score above a threshold{apart}"
    found = rows_of(sample)
    cells = [each.cells() for each in found]
    unreached = [place for place, each in enumerate(found) if each.successes == (0, 0) and not each.published]
    if len(unreached) > 1:
        first, *others = unreached
        cells[first]["score above"] += f" to {cells[others[-1]]['score above']}"
        for place in others:
            cells[place] = {}
    rows = tuple(Row(shown, each.data()) for shown, each in zip(cells, found, strict=True))
    return Table(title, rows, (*_notes(sample), *changes.notes()))


def success_tables(results: Results, profile: str) -> list[Table]:
    """Returns the success tables of the runs planned under ``profile``, one per score protocol and copy of the data."""
    samples = samples_of(results.experiment, results.planned(profile), profile)
    return [success_table(sample) for sample in samples]


def overridden_tables(results: Results) -> list[Table]:
    """Returns the same for the spec's runs with ``--set`` or ``--data``, separately for each set of overrides."""
    experiment = results.experiment
    if experiment.success_table is None:
        return []
    own = settings_of(experiment, experiment.profiles)
    groups: dict[tuple[str, tuple[str, ...]], list[Record]] = {}
    for record in results.records.values():
        if record.experiment == experiment.name and record.overrides and record.family not in own:
            groups.setdefault((record.profile, tuple(record.overrides)), []).append(record)
    known = sorted(key for key in groups if key[0] in experiment.profiles)
    found = [sample for key in known for sample in samples_of(experiment, groups[key], key[0])]
    return [success_table(sample, Changes([experiment])) for sample in found]


def _notes(sample: Sample) -> list[str]:
    table, thresholds = sample.table, sample.thresholds
    notes = [_describe_sample(sample)]
    if not thresholds:
        real = "no run has it" if sample.real is None else f"it is {number(sample.real)}"
        return [*notes, f"No thresholds, as they need a score of the real data ({table.real}) above 1: {real}."]
    if not sample.has_own_thresholds:
        steps = f"equal steps from 1 to the real data's own score {number(sample.real)}"
        notes.append(f"Thresholds: {len(thresholds)} {steps}.")
    if sample.n:
        notes.append(_describe_test(sample))
    if sample.is_the_papers:
        notes.append(f"Published: {table.source}, {sum(table.published[0])} architectures.")
    else:
        notes.append(f"{sample.unlike_the_paper[0].upper()}{sample.unlike_the_paper[1:]}.")
    return notes


def _describe_sample(sample: Sample) -> str:
    first, second = sample.table.methods
    parts = [f"{architectures(sample.n)} with runs of both {first} and {second}"]
    if sample.n:
        n_seeds = [each.n_seeds for each in sample.architectures]
        fewest, most = min(n_seeds), max(n_seeds)
        seeds = f"{most} seed{'' if most == 1 else 's'}" if fewest == most else f"{fewest} to {most} seeds"
        setting = sample.architectures[0].settings[0]
        worst = scale_of(setting.measures[sample.table.measure], setting.data).worst
        parts.append(
            f"seeds are averaged first: a score is the mean {sample.table.measure} over the {seeds} that an "
            f"architecture has with both, where a diverged run counts as {number(worst)}"
        )
    n_diverged = sum(record.status == "diverged" for record in sample.records)
    parts += [f"{n_diverged} of {len(sample.records)} runs diverged"] if n_diverged else []
    parts += [f"{sample.n_failed} left out, as a run of theirs failed"] if sample.n_failed else []
    parts += [f"{sample.n_waiting} left out, as they have no seed with both yet"] if sample.n_waiting else []
    return f"{'; '.join(parts)}."


def _describe_test(sample: Sample) -> str:
    n_thresholds = len(sample.thresholds)
    gap = visible_gap(sample.n, n_thresholds)
    seen = "cannot find any gap between the two rates"
    if gap is not None:
        seen = (
            f"finds a gap of {100 * gap:.0f} points between the two rates with {100 * POWER:.0f} % power, or a wider "
            "one where not all architectures that differ go one way"
        )
    return (
        f"p: exact two-sided McNemar test, Holm-adjusted over the {n_thresholds} thresholds; with "
        f"{architectures(sample.n)} it {seen}. Square brackets: Wilson intervals, unadjusted."
    )


def architectures(n: int) -> str:
    """Formats a number of architectures, such as ``"1 architecture"``."""
    return f"{n} architecture{'' if n == 1 else 's'}"
