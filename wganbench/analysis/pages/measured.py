"""What was measured under one profile, published values beside it, as a part of an experiment's page."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator

from wganbench.analysis.estimate import format_hours
from wganbench.analysis.pages.markdown import FOLDED_FROM, folded, folded_table, titled, without_guide
from wganbench.analysis.results import Results, hours_of
from wganbench.analysis.tables.ablation import ablation_tables
from wganbench.analysis.tables.by_variant import by_variant, with_numbers
from wganbench.analysis.tables.cells import number
from wganbench.analysis.tables.published import headline, results_table
from wganbench.analysis.tables.success import success_tables
from wganbench.analysis.tables.table import Table, inline, paragraph, render
from wganbench.records.record import Record, gist
from wganbench.spec import Experiment

DRIFT, SETTLED = "drift", 0.02
"""The label of the measure of how far a critic's gap still moves, as a share, and the most for a converged critic."""
NAMED = 12
"""The number of variants without runs that are listed by name."""


def measured(results: Results, profile: str) -> Iterator[str]:
    """Yields the paragraphs about a profile: its protocol, its tables, what converged, and how the runs were made."""
    yield _describe_profile(results.experiment, profile)
    yield from map(titled, success_tables(results, profile))
    yield from _tables(results, profile)
    for found in ablation_tables(results, profile):
        yield folded(titled(found), f"What one change costs: {len(found.rows)} rows")
    yield _convergence(results, profile)
    yield from provenance(results.planned(profile))


def _describe_profile(experiment: Experiment, profile: str) -> str:
    says = experiment.says(profile)
    if profile == "paper":
        return paragraph(f"{says[:1].upper()}{says[1:]}.") if says else ""
    return f"**Not the paper's protocol{': ' if says else ''}{inline(says)}.**"


def _tables(results: Results, profile: str) -> Iterator[str]:
    """Yields the tables of the main measures, the folded tables of the others, and a line on variants without runs."""
    experiment, first, every = results.experiment, headline(results.experiment), results_table(results, profile)
    rows = with_numbers(every)
    main = every if experiment.published else by_variant(results, profile)
    shown = tuple(row for row in rows if row.data["measure"] in first) if experiment.published else main.rows
    beside = tuple(row for row in shown if row.data.get("published") is not None and row.data["n_runs"])
    if len(shown) >= FOLDED_FROM and 0 < len(beside) < FOLDED_FROM:
        yield render(Table(main.title, beside), "markdown")
    yield folded_table(Table(main.title, shown), f"All {len(shown)} rows") if shown else ""
    rest = tuple(row for row in rows if row.data["measure"] not in first)
    if rest:
        names = ", ".join(dict.fromkeys(str(row.data["measure"]) for row in rest))
        yield folded_table(Table(every.title, rest), f"Other measures: {inline(names)}", rows=1)
    absent = [variant for variant in experiment.variants_of(profile) if not results.of(variant, profile)]
    if absent:
        more = f" and {len(absent) - NAMED} more" if len(absent) > NAMED else ""
        yield f"No runs yet, 0 of {len(experiment.planned_seeds)} runs: {', '.join(absent[:NAMED])}{more}."
    yield "\n\n".join(map(paragraph, without_guide(main)))


def _convergence(results: Results, profile: str) -> str:
    """Lists which variants' critics have converged, by the median of ``drift`` over runs; empty without ``drift``."""
    converged: list[str] = []
    others: list[str] = []
    for variant in results.experiment.variants_of(profile):
        runs = [r for r in results.of(variant, profile) if DRIFT in r.setting.measures and r.status != "failed"]
        drifts = [run.measures.get(DRIFT) for run in runs]
        if drifts:
            median = statistics.median(math.inf if drift is None else drift for drift in drifts)
            text = f"{number(100 * median)} %" if math.isfinite(median) else "undefined"
            (converged if median <= SETTLED else others).append(f"{variant} ({text})")
    if not converged and not others:
        return ""
    rest = f"; not converged: {', '.join(others)}" if others else ""
    settled = f"Critic converged (median drift over runs at most {number(100 * SETTLED)} %)"
    return f"{settled}: {', '.join(converged) or 'none'}{rest}."


def provenance(records: Iterable[Record]) -> Iterator[str]:
    """Yields a line on how the runs ended and on devices, libraries and commits, and a list of failed runs."""
    records = sorted(records, key=lambda record: record.id)
    if not records:
        return
    made_by = [record.provenance for record in records]
    libraries: dict[str, set[str]] = {}
    for name, version in (item for one in made_by for item in one.libraries.items()):
        libraries.setdefault(name, set()).add(version)
    versions = ", ".join(f"{name} {' / '.join(sorted(found))}" for name, found in sorted(libraries.items()))
    commits = ", ".join(sorted({one.commit[:10] for one in made_by if one.commit}))
    n_dirty = sum(bool(one.dirty) for one in made_by)
    parts = [
        f"{_count(record.status for record in records)}; {_count(f'on {one.device}' for one in made_by)}",
        f"{format_hours(hours_of(records))} of wall time, with measures",
        versions,
        f"commit {commits}" if commits else "",
        f"{n_dirty} runs from a checkout with uncommitted changes" if n_dirty else "",
    ]
    yield f"Runs: {'; '.join(map(inline, filter(None, parts)))}."
    failures = [f"- failed: `{record.id}`: {_reason(record)}" for record in records if record.status == "failed"]
    yield folded("\n".join(failures), f"{len(failures)} failed") if len(failures) > NAMED else "\n".join(failures)


def _count(words: Iterable[str]) -> str:
    return ", ".join(f"{count} {word}" for word, count in sorted(Counter(words).items()))


def _reason(record: Record) -> str:
    return inline(gist(record.note or "") or "no reason given")
