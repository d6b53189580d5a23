"""Tables as data, a row a dataclass, and how they are written: Markdown, CSV, JSON, or for the terminal."""

from __future__ import annotations

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import rich.table
from rich.text import Text

from wganbench.analysis import scored
from wganbench.analysis.best import BEST, HINDSIGHT, Best, best_of
from wganbench.analysis.frame import Summary, pools, scores_of, summarise
from wganbench.analysis.profiles import references
from wganbench.analysis.stats import Interval
from wganbench.names import STRANGER, Scale
from wganbench.record import Record
from wganbench.spec import Experiment, Published, Statistic, scale_of

Format = Literal["markdown", "csv", "json"]
Scalar = str | int | float | None
NONE = "–"
"""What a cell without a number shows."""


class Row(Protocol):
    """One line of a table."""

    def cells(self) -> dict[str, str]:
        """What a reader sees, by column heading; a column that is empty in every row is not shown."""
        ...

    def data(self) -> dict[str, Scalar]:
        """The same unrounded and flat, by field, for CSV and JSON."""
        ...


@dataclass(frozen=True)
class Table:
    """Rows of one kind, and the lines that stand under them."""

    title: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


def join(title: str, tables: Iterable[Table]) -> Table:
    """The rows of several tables of one kind in one, as CSV and JSON want them; equal notes once."""
    tables = list(tables)
    notes = dict.fromkeys(note for table in tables for note in table.notes)
    return Table(title, tuple(row for table in tables for row in table.rows), tuple(notes))


# ---- what cells say -----------------------------------------------------------------------------------------------


def number(value: float | None) -> str:
    """Three significant digits; counts and large numbers whole."""
    if value is None:
        return NONE
    if not math.isfinite(value):
        return str(value)
    whole = abs(value) >= 1000 or value == round(value)
    return f"{value:,.0f}" if whole else f"{value:.3g}"


def between(interval: Interval | None) -> str:
    """``" [low, high]"``, with its level where that is not 95 %; nothing for None."""
    if interval is None:
        return ""
    level = "" if math.isclose(interval.level, 0.95, abs_tol=5e-4) else f" at {100 * interval.level:.3g} %"
    return f" [{number(interval.low)}, {number(interval.high)}]{level}"


def runs_text(summary: Summary) -> str:
    """Such as ``"8"``, ``"0 of 5 runs"``, ``"8, 1 diverged, statistics over 7"``."""
    missing = summary.n_runs < summary.n_planned
    parts = [f"{summary.n_runs} of {summary.n_planned} runs" if missing else str(summary.n_runs)]
    parts += [f"{summary.n_diverged} diverged"] if summary.n_diverged else []
    parts += [f"{summary.n_failed} failed"] if summary.n_failed else []
    parts += [f"statistics over {summary.n}"] if summary.n < summary.n_runs else []
    return ", ".join(parts)


def best_text(found: Best | None) -> str:
    """Such as ``"7.86 (100,000)"``, ``"7.86 (80,000–100,000)"``; nothing for None."""
    if found is None:
        return ""
    until = f"–{found.last:,}" if found.last > found.first else ""
    return f"{number(found.value)} ({found.first:,}{until})"


def summary_text(summary: Summary) -> str:
    """All of a summary in one cell."""
    if summary.mean is None:
        return runs_text(summary)
    median = "" if summary.median is None else f", median {number(summary.median)}{between(summary.median_interval)}"
    return f"{number(summary.mean)}{between(summary.interval)}{median} (n = {runs_text(summary)})"


def describe(measure: str, scale: Scale, protocol: str | None = None) -> str:
    """The measure's name, its better direction and its unit; of a score, the protocol."""
    arrow = {True: " ↑", False: " ↓", None: ""}[scale.higher_is_better]
    unit = f" ({scale.unit})" if scale.unit and scale.unit not in measure else ""
    return f"{measure}{arrow}{unit}" + (f" by {protocol}" if protocol else "")


def fields(of: object, *names: str, prefix: str = "") -> dict[str, Scalar]:
    """Attributes by name, for ``Row.data``."""
    return {f"{prefix}{name}": getattr(of, name) for name in names}


def limits(interval: Interval | None, prefix: str = "") -> dict[str, Scalar]:
    """An interval's limits and level, for ``Row.data``."""
    names = ("low", "high", "level")
    return fields(interval, *names, prefix=prefix) if interval else dict.fromkeys([prefix + name for name in names])


def summary_data(summary: Summary | None, prefix: str = "") -> dict[str, Scalar]:
    """All of a summary, flat, for ``Row.data``."""
    summary = summary or Summary()
    counts = ("n", "n_runs", "n_planned", "n_diverged", "n_failed")
    return {
        **fields(summary, *counts, "mean", prefix=prefix),
        **limits(summary.interval, f"{prefix}mean_"),
        **fields(summary, "median", prefix=prefix),
        **limits(summary.median_interval, f"{prefix}median_"),
    }


def best_data(found: Best | None, prefix: str = "") -> dict[str, Scalar]:
    """For ``Row.data``."""
    names = {"best": "value", "best_first_step": "first", "best_last_step": "last"}
    return {f"{prefix}{name}": getattr(found, attribute) if found else None for name, attribute in names.items()}


def _published_data(rows: Sequence[Published]) -> dict[str, Scalar]:
    return {
        "published": rows[0].value if rows else None,
        "published_spread": rows[0].spread if rows else None,
        "published_spread_over": rows[0].spread_over if rows else None,
        "source": "; ".join(row.source for row in rows) or None,
        "configuration": "; ".join(row.configuration for row in rows if row.configuration) or None,
    }


# ---- the lines under a table --------------------------------------------------------------------------------------

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
    """Numbers the sources of published values in the order of their use."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}

    def cite(self, rows: Sequence[Published]) -> str:
        """The values with what their ± is over and the numbers of their sources."""
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
    """At most two lines: where ``records`` differ in how they were made, and how many of a changed checkout.

    What a setting may differ in from row to row is none of it: two data sets, say, but two copies of one are.
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
    """What should be one for all rows, and what it was for ``record``."""
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
"""Digits of a commit or checksum that are shown."""
SHOWN = 4
"""Values that are named one by one."""


def _tally(counts: Counter[str]) -> str:
    """The values with their runs, in order; of many, the most frequent, and what the others are together."""
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
    """What stands under a table of these summaries and of the best that was ``reached``."""
    known, records = [summary for summary in summaries if summary], list(records)
    about = [INTERVALS] if any(summary.n for summary in known) else []
    about += [TROUBLED] if any(summary.n < summary.n_runs or summary.n_diverged for summary in known) else []
    about += [HINDSIGHT] if any(reached) else []
    return (*about, *sources.notes(), *scored.notes(records), *mixtures(records))


# ---- published | measured -----------------------------------------------------------------------------------------


def headline(experiment: Experiment) -> list[str]:
    """The measures that claims, published rows, figures or the success table are about; all, where there are none."""
    read = {measure for claim in experiment.claims for measure in claim.measured()}
    read |= {row.measure for row in experiment.published}
    read |= {measure for figure in experiment.figures for measure in figure.measures}
    read |= {experiment.success_table.measure} if experiment.success_table else set()
    pairs = [(variant, profile) for profile in experiment.profiles for variant in experiment.variants_of(profile)]
    every = list(dict.fromkeys(measure for pair in pairs for measure in experiment.setting(*pair).measures))
    return [measure for measure in every if measure in read] or every


@dataclass(frozen=True)
class Measured:
    """One pool of runs on one measure.

    Attributes:
        label: The variant, and what sets the pool apart where the variant has several.
        protocol: Of a score; None for what is none.
        best: Of a score that was taken more than once; None for any other.
    """

    variant: str
    label: str
    measure: str
    scale: Scale
    summary: Summary
    protocol: str | None = None
    best: Best | None = None


def measured(
    experiment: Experiment, records: Mapping[str, Record], profile: str, statistic: Statistic = "final"
) -> list[Measured]:
    """Every variant of ``profile`` on each of its measures, whether it has records or not."""
    by_family, found = pools(planned(experiment, records, profile)), []
    groups = [
        (variant, group, f" ({group[0].score_protocol}, data {group[0].data_checksum})" if len(groups) > 1 else "")
        for variant in experiment.variants_of(profile)
        for groups in [by_family.get(experiment.family(variant, profile), [[]])]
        for group in groups
    ]
    every = scores_of([group for _, group, _ in groups], statistic)
    for (variant, group, apart), scores in zip(groups, every, strict=True):
        setting = experiment.setting(variant, profile)
        for measure, use in setting.measures.items():
            summary = Summary(n_planned=experiment.seeds)
            if measure in scores:
                summary = summarise(scores[measure], scale_of(use), experiment.seeds)
            protocol = scored.protocol_of(use, setting, group)
            reached = best_of(group, measure, use)
            found.append(Measured(variant, variant + apart, measure, scale_of(use), summary, protocol, reached))
    return found


def planned(experiment: Experiment, records: Mapping[str, Record], profile: str) -> list[Record]:
    """The records that the spec plans under ``profile``, whichever experiment they were trained for."""
    families = {experiment.family(variant, profile) for variant in experiment.variants_of(profile)}
    return [record for record in records.values() if record.family in families]


@dataclass(frozen=True)
class Result:
    """A variant (or, as context, a published row) under a profile, on one measure."""

    experiment: str
    profile: str
    measure: str
    variant: str
    scale: Scale
    statistic: Statistic = "final"
    published: tuple[Published, ...] = ()
    cited: str = NONE
    summary: Summary | None = None
    overrides: str = ""
    protocol: str | None = None
    best: Best | None = None

    @property
    def has_number(self) -> bool:
        """Whether there is anything to show: a published value or a recorded run."""
        return bool(self.published) or (self.summary is not None and self.summary.n_runs > 0)

    def cells(self) -> dict[str, str]:
        known = self.summary or Summary()
        return {
            "measure": describe(self.measure, self.scale, self.protocol),
            "variant": self.variant + (f" with {self.overrides}" if self.overrides else ""),
            "published": self.cited,
            "mean [95 % interval]": number(known.mean) + between(known.interval),
            "median [interval]": number(known.median) + between(known.median_interval),
            BEST: best_text(self.best),
            "n": runs_text(known) if self.summary else NONE,
        }

    def data(self) -> dict[str, Scalar]:
        return {
            **fields(self, "experiment", "profile", "variant", "overrides", "measure"),
            **fields(self, "protocol"),
            "unit": self.scale.unit,
            "statistic": self.statistic,
            **_published_data(self.published),
            **summary_data(self.summary),
            **best_data(self.best),
        }


def results(
    experiment: Experiment,
    records: Mapping[str, Record],
    profile: str,
    *,
    measures: Sequence[str] = (),
    statistic: Statistic = "final",
) -> Table:
    """Published | measured, for every variant under ``profile`` on ``measures`` (all, where none is named).

    Published rows of no variant are context, and stand beside the paper's own protocol alone. Published scores stand
    beside scores of the same network alone.
    """
    found = measured(experiment, records, profile, statistic)
    context = [row for row in experiment.published if row.variant is None]
    context = context if profile == "paper" or "paper" not in experiment.profiles else []
    sources, rows = Sources(), []
    for measure in measures or dict.fromkeys(item.measure for item in found):
        about, scale, items = (experiment.name, profile, measure), STRANGER, [i for i in found if i.measure == measure]
        for item in items:
            scale, known = item.scale, _published(experiment, item)
            cited, protocol = sources.cite(known), item.protocol
            rows.append(
                Result(
                    *about, item.label, scale, statistic, known, cited, item.summary, protocol=protocol, best=item.best
                )
            )
        if all(scored.may_stand_beside_published(item.protocol) for item in items):
            for row in (row for row in context if row.measure == measure):
                rows.append(Result(*about, f"context: {row.row}", scale, statistic, (row,), sources.cite([row])))
    title = f"{experiment.name}, {profile}: published | measured {_WHEN[statistic]}"
    used = planned(experiment, records, profile)
    notes = notes_of([row.summary for row in rows], sources, used, [row.best for row in rows])
    return Table(title, tuple(rows), (*notes, *_left_out(experiment, found)))


_WHEN: dict[Statistic, str] = {"final": "at the last step", "best": "at the best of its scheduled steps"}


def _published(experiment: Experiment, item: Measured) -> tuple[Published, ...]:
    if not scored.may_stand_beside_published(item.protocol):
        return ()
    return tuple(row for row in experiment.published if (row.variant, row.measure) == (item.variant, item.measure))


def _left_out(experiment: Experiment, found: Sequence[Measured]) -> list[str]:
    published = {row.measure for row in experiment.published}
    apart = {item.measure: None for item in found if not scored.may_stand_beside_published(item.protocol)}
    return [scored.left_out(measure) for measure in apart if measure in published]


def others(experiments: Sequence[Experiment], records: Mapping[str, Record]) -> Table:
    """Runs that no loaded spec plans: with ``--set``, or of a spec that has changed since; a row each, never pooled."""
    known = {
        record.id
        for experiment in experiments
        for profile in experiment.profiles
        for record in planned(experiment, records, profile)
    }
    strangers = [record for record in records.values() if record.id not in known]
    rows = []
    groups = [group for some in pools(strangers).values() for group in some]
    for group, scores in zip(groups, scores_of(groups), strict=True):
        first, overrides = group[0], ", ".join(group[0].overrides)
        label = first.variant if overrides else first.family
        for measure, use in first.setting.measures.items():
            scale, protocol = scale_of(use), scored.protocol_of(use, first.setting, group)
            about = (first.experiment, first.profile, measure, f"{label} at {first.profile}", scale)
            summary = summarise(scores[measure], scale)
            reached = best_of(group, measure, use)
            rows.append(Result(*about, summary=summary, overrides=overrides, protocol=protocol, best=reached))
    notes = notes_of([row.summary for row in rows], Sources(), strangers, [row.best for row in rows])
    return Table("Other runs", tuple(rows), notes)


# ---- this machine | reference -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Comparison:
    """A variant's runs on this machine beside the reference's, on one measure.

    Attributes:
        longest: The reference at ``longest_profile``, the longest it has records of; None if that is ``profile``.
        longest_heading: Of the column that ``longest`` stands in; empty for no such column.
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
            **_published_data(self.published),
        }


def compare(
    experiment: Experiment,
    here: Mapping[str, Record],
    reference: Mapping[str, Record],
    profile: str,
    *,
    measures: Sequence[str] = (),
) -> Table:
    """This machine | reference | reference at the longest protocol that it has | published.

    Args:
        here, reference: Records by id.
        profile: What this machine ran.
        measures: The ``headline`` ones, where none is named.
    """
    mine = measured(experiment, here, profile)
    theirs = {(item.label, item.measure): item.summary for item in measured(experiment, reference, profile)}
    longest = _longest(experiment, reference)
    held = {name for name, _ in longest.values()}
    chosen = [name for name in references(experiment) if name != profile and name in held]
    heading = f"reference at {', else '.join(chosen)}" if chosen else ""
    absent = Summary(n_planned=experiment.seeds)
    sources, rows = Sources(), []
    for measure in measures or headline(experiment):
        for item in (item for item in mine if item.measure == measure):
            name, summaries = longest.get(item.label, ("paper", {}))
            known = _published(experiment, item)
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
    notes = (*notes_of(every, sources, used), *_left_out(experiment, mine))
    return Table(f"{experiment.name}: this machine | reference", tuple(rows), notes)


def _longest(experiment: Experiment, records: Mapping[str, Record]) -> dict[str, tuple[str, dict[str, Summary]]]:
    """By label, the first profile of ``references`` that it has records of (the first, if none), and its summaries."""
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


# ---- writing them -------------------------------------------------------------------------------------------------


def render(table: Table, form: Format) -> str:
    """The table as text that ends with a line break: Markdown or JSON with its notes, CSV without."""
    return {"markdown": _markdown, "csv": _csv, "json": _json}[form](table)


def shown_cells(table: Table) -> list[dict[str, str]]:
    """The cells of each row, without the columns in which all are empty."""
    rows = [row.cells() for row in table.rows]
    filled = {heading for row in rows for heading, cell in row.items() if cell}
    return [{heading: cell for heading, cell in row.items() if heading in filled} for row in rows]


def _markdown(table: Table) -> str:
    rows = shown_cells(table)
    lines = [list(rows[0]), ["---"] * len(rows[0]), *(list(row.values()) for row in rows)] if rows else []
    text = "".join(f"| {' | '.join(escape(cell) for cell in line)} |\n" for line in lines) or "No rows.\n"
    return text + "".join(f"\n{note}\n" for note in table.notes)


def escape(text: str) -> str:
    """``text`` for one cell of a Markdown table."""
    return " ".join(text.replace("|", "\\|").split())


def _csv(table: Table) -> str:
    rows, out = [row.data() for row in table.rows], io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]) if rows else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _json(table: Table) -> str:
    rows = [{key: _finite(value) for key, value in row.data().items()} for row in table.rows]
    content = {"title": table.title, "rows": rows, "notes": list(table.notes)}
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _finite(value: Scalar) -> Scalar:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def terminal(table: Table) -> rich.table.Table:
    """For a rich console: the title above, the notes below."""
    shown = rich.table.Table(
        title=Text(table.title),
        caption=Text("\n".join(table.notes)) if table.notes else None,
        caption_justify="left",
        title_justify="left",
        min_width=min(len(table.title), 80),  # title and notes are wrapped where the columns end
    )
    rows = shown_cells(table)
    for heading in rows[0] if rows else ["no rows"]:
        shown.add_column(heading, overflow="fold")
    for row in rows:
        shown.add_row(*(Text(cell.replace("*", "")) for cell in row.values()))
    return shown
