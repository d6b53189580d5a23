"""Writes REPORT.md, its figures and ``verdicts.json`` from specs, records and measured speeds, deterministically."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wganbench.analysis.figures import Drawing, animate, draw, drawings_of, figures_of, left_over, save
from wganbench.analysis.finding import Finding
from wganbench.analysis.ledger import FILE, Ledger, digests_in, last, ledger_of, losses
from wganbench.analysis.profiles import ranked, reported
from wganbench.analysis.tables import speed
from wganbench.analysis.tables.ablation import ablation_tables
from wganbench.analysis.tables.by_variant import by_variant, with_numbers
from wganbench.analysis.tables.cells import number
from wganbench.analysis.tables.notes import INTERVALS, TROUBLED
from wganbench.analysis.tables.published import headline, other_runs, planned, results_table
from wganbench.analysis.tables.scoreboard import (
    estimate_text,
    heading,
    live,
    p_text,
    scoreboard,
    scoreboard_markdown,
    superseded,
    tally,
)
from wganbench.analysis.tables.success import overridden_tables, success_tables
from wganbench.analysis.tables.table import Table, render
from wganbench.analysis.verdict import Verdict, judge
from wganbench.errors import RecordError
from wganbench.files import write_atomically
from wganbench.records import speeds
from wganbench.records.record import Record
from wganbench.records.store import Store
from wganbench.spec import CONTROL, Experiment

BEGIN, END = "<!-- scoreboard:begin -->", "<!-- scoreboard:end -->"
DRIFT, SETTLED = "drift", 0.02
"""The label of the measure of how far a critic's gap still moves, as a share, and the most for a converged critic."""
FOLDED_FROM = 40
"""The number of rows from which a table is folded away, as nobody reads it through."""
NAMED = 12
"""The number of variants without runs that are listed by name."""

GUIDE = (INTERVALS, TROUBLED)

Records = Mapping[str, Record]


@dataclass(frozen=True)
class Report:
    """The content of a report.

    Attributes:
        markdown: The text of ``REPORT.md``.
        scoreboard: The Markdown for a README beside the results folder.
        verdicts: The verdicts of each experiment, in the order of its claims.
        ledger: The ledger; it lacks the figures as long as they are not drawn.
        drawings: The figures that have something to draw.
        losses: The accepted findings on what the report drops or changes since the last one.
    """

    markdown: str
    scoreboard: str
    verdicts: Mapping[str, list[Verdict]]
    ledger: Ledger
    drawings: tuple[Drawing[Any], ...]
    losses: tuple[Finding, ...] = ()


def write_report(
    experiments: Sequence[Experiment],
    store: Store,
    out: Path,
    records: Records | None = None,
    *,
    only_figures: bool = False,
    accept: bool = False,
    on_figure: Callable[[int, int], None] = lambda drawn, figures: None,
) -> Report:
    """Writes ``REPORT.md``, ``verdicts.json`` and ``figures/`` into ``out``, and the README's scoreboard beside it.

    Figures of these experiments that are no longer part of the report are removed.

    Args:
        records: The records of ``store``, if they have been loaded already.
        only_figures: Whether to write only the figures and their digests and remove none, for a folder whose other
            files cover more experiments.
        accept: Whether the report may drop or change what the last one contained.
        on_figure: Called before the first figure and after each, with the number of figures drawn and their total.

    Raises:
        RecordError: If a record, an artefact or a file of measured speeds is damaged, or a file cannot be written. Also
            if there are losses that are not accepted, with one line for each; nothing is then written.
    """
    report = compose(experiments, store, store.load() if records is None else records, out)
    known, lost = last(out)
    if only_figures:
        lost = []
    elif known is not None:
        lost += losses(known, report.ledger, report.verdicts)
    if lost and not accept:
        remedy = f"{out}: nothing was written; 'wganbench report --accept' drops or changes what these lines say"
        raise RecordError("\n".join([*map(str, lost), remedy]))
    on_figure(0, len(report.drawings))
    for drawn, drawing in enumerate(report.drawings, start=1):
        save(draw(drawing, store), out / "figures" / drawing.file)
        for file, content in animate(drawing, store).items():
            write_atomically(out / "figures" / file, content, replace=True)
        on_figure(drawn, len(report.drawings))
    figures = {name: digests_in(out / "figures", files) for name, files in figures_of(report.drawings).items()}
    if only_figures:
        if known is not None:
            write_atomically(out / FILE, known.with_figures(figures).text().encode(), replace=True)
        return report
    for path in left_over([experiment.name for experiment in experiments], report.drawings, out / "figures"):
        with contextlib.suppress(OSError):  # 'check' reports files that remain
            path.unlink()
    write_atomically(out / "REPORT.md", report.markdown.encode(), replace=True)
    ledger = report.ledger.with_figures(figures)
    write_atomically(out / FILE, ledger.text().encode(), replace=True)
    readme = readme_of(out)
    if readme:
        refresh_readme(readme, report.scoreboard)
    return dataclasses.replace(report, ledger=ledger, losses=tuple(lost))


def compose(experiments: Sequence[Experiment], store: Store, records: Records, out: Path) -> Report:
    """Composes the report's texts, without drawing or writing anything.

    Raises:
        RecordError: If a file of measured speeds is damaged.
    """
    records = reported(experiments, records)
    verdicts = {experiment.name: judge(experiment, records) for experiment in experiments}
    drawings = {experiment.name: drawings_of(experiment, records) for experiment in experiments}
    parts = [
        "# Report",
        f"Made by `wganbench report` from {len(records)} records (fingerprint `{fingerprint(store, records)}`); do not "
        "edit it: `wganbench check` compares it with what the records say.",
        "## Scoreboard",
        tally(verdicts),
        render(scoreboard(verdicts), "markdown"),
        "In the tables below: " + " ".join(GUIDE),
    ]
    for experiment in experiments:
        parts += _section(experiment, records, verdicts[experiment.name], drawings[experiment.name])
    parts += speed.section(speeds.load(store.root), experiments)
    strangers = other_runs(experiments, records)
    if strangers.rows:
        parts += [
            "## Other runs",
            "Runs that no spec loaded here plans, as `--set` makes them, or a spec that has changed since. They enter "
            "no claim, but for superseded ones that were judged on them, and are not pooled with any other.",
            *(_titled(each) for experiment in experiments for each in overridden_tables(experiment, records)),
            _folded(Table(strangers.title, strangers.rows, _unguided(strangers)), "All of them"),
        ]
    board = scoreboard_markdown(experiments, verdicts, f"{out.resolve().name}/REPORT.md")
    shown = board if readme_of(out) else None
    return Report(
        markdown="\n\n".join(part.strip("\n") for part in parts if part) + "\n",
        scoreboard=board,
        verdicts=verdicts,
        ledger=ledger_of(experiments, verdicts, store, records.values(), shown),
        drawings=tuple(drawing for some in drawings.values() for drawing in some if drawing.used),
    )


def section_of(markdown: str, experiment: Experiment) -> str:
    """The section of a report about one experiment, without its heading; empty if there is none."""
    _, _, after = f"\n{markdown}".partition(f"\n## {heading(experiment)}\n")
    return after.partition("\n## ")[0].strip("\n")


def fingerprint(store: Store, records: Records) -> str:
    """A digest of these records' bytes, twelve digits long, that changes even with a number that no table shows."""
    total, counted = hashlib.sha256(), {store.path(record) for record in records.values()}
    for path in (path for path in store.paths() if path in counted):
        total.update(f"{path.parent.name}/{path.name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()[:12]


def refresh_readme(path: Path, block: str) -> bool:
    """Puts ``block`` between the markers of a README; returns False if it has no markers.

    Raises:
        RecordError: If the file cannot be written.
    """
    refreshed = with_block(path, block)
    if refreshed is None:
        return False
    if refreshed != path.read_text(encoding="utf-8"):
        write_atomically(path, refreshed.encode(), replace=True)
    return True


def with_block(path: Path, block: str) -> str | None:
    """The text of a README with ``block`` between its markers; None if the file or its markers do not exist."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    return f"{before}{BEGIN}\n{block}{END}{after}" if begin and end else None


def readme_of(results: Path) -> Path | None:
    """The README beside a results folder, if the block in it is empty or links to this folder's report.

    A report on another folder of the same checkout, such as a user's own quick runs, thus leaves the README alone.
    """
    results = results.resolve()
    path = results.parent / "README.md"
    bare = with_block(path, "")
    if bare is None:
        return None
    text = path.read_text(encoding="utf-8")
    return path if text.replace("\n", "") == bare.replace("\n", "") or f"]({results.name}/REPORT.md)" in text else None


# ---- an experiment's section ----------------------------------------------------------------------------------------


def _section(
    experiment: Experiment, records: Records, verdicts: Sequence[Verdict], drawings: Sequence[Drawing[Any]]
) -> Iterator[str]:
    yield f"## {heading(experiment)}"
    yield f"Source: {experiment.source}. Spec: `{experiment.file}`, version {experiment.version}."
    profiles = ranked(experiment)
    runs = {profile: by_id(planned(experiment, records, profile)) for profile in profiles}
    if not verdicts and not any(runs.values()):
        yield "No runs are recorded."
    if verdicts:
        yield "### Claims"
        yield "\n".join(_told(verdict) for verdict in live(verdicts))
    replaced = superseded(experiment.name, verdicts)
    yield _titled(replaced) if replaced.rows else ""
    for profile in profiles:
        if runs[profile] or any(verdict.claim.profile == profile for verdict in live(verdicts)):
            yield f"### Profile `{profile}`"
            yield _plain_words(experiment, profile)
            yield from map(_titled, success_tables(experiment, records, profile))
            for drawing in drawings:
                if drawing.used and drawing.profile == profile:
                    yield f"![{drawing.title}](figures/{drawing.file})"
                    moving = [f"[{variant}](figures/{file})" for variant, file in drawing.animations.items()]
                    yield f"One after the other: {', '.join(moving)}." if moving else ""
            yield from _tables(experiment, runs[profile], profile)
            yield from map(_titled, ablation_tables(experiment, records, profile))
            yield _convergence(experiment, runs[profile].values(), profile)
            yield _provenance(runs[profile].values())
    undrawn = [drawing.figure.title or drawing.figure.kind for drawing in drawings if not drawing.used]
    if undrawn:
        yield f"Not drawn, as there are no runs with the data: {'; '.join(undrawn)}."
    if experiment.deviations:
        yield "### Deviations from the source"
        yield "\n".join(f"- {deviation}" for deviation in experiment.deviations)


def _told(verdict: Verdict) -> str:
    """Describes a claim in full, as a list item."""
    claim = verdict.claim
    parts = [f"- **{verdict.outcome}** (`{claim.id}`, profile `{claim.profile}`, {claim.test} test): {claim.says}."]
    parts += [f"{verdict.why[0].upper()}{verdict.why[1:]}."] if verdict.why else []
    if verdict.estimate is not None:
        method = f" ({verdict.interval.method}, unadjusted)" if verdict.interval else ""
        parts.append(f"{verdict.estimate_of[0].upper()}{verdict.estimate_of[1:]}: {estimate_text(verdict)}{method}.")
        parts.append(
            f"p {p_text(verdict.p_for)} for and {p_text(verdict.p_against)} against, adjusted "
            f"{p_text(verdict.adjusted_for)} and {p_text(verdict.adjusted_against)}."
        )
    parts += [f"{verdict.n_diverged} diverged."] if verdict.n_diverged else []
    parts += ["*Post hoc.*"] if verdict.post_hoc else []
    parts += [f"Known contradiction: {claim.known_contradiction}."] if claim.known_contradiction else []
    return " ".join(parts)


def _plain_words(experiment: Experiment, profile: str) -> str:
    says = experiment.says(profile)
    if profile == "paper":
        return f"{says[:1].upper()}{says[1:]}." if says else ""
    return f"**Not the paper's protocol{': ' if says else ''}{says}.**"


def by_id(records: Iterable[Record]) -> dict[str, Record]:
    return {record.id: record for record in records}


def _tables(experiment: Experiment, records: Records, profile: str) -> Iterator[str]:
    """Yields the tables of the main measures, the folded tables of the others, and a line on variants without runs."""
    first, every = headline(experiment), results_table(experiment, records, profile)
    rows = with_numbers(every)
    results = every if experiment.published else by_variant(experiment, records, profile)
    shown = tuple(row for row in rows if row.measure in first) if experiment.published else results.rows
    yield _folded(Table(results.title, shown), f"All {len(shown)} rows") if shown else ""
    rest = tuple(row for row in rows if row.measure not in first)
    if rest:
        names = ", ".join(dict.fromkeys(row.measure for row in rest))
        yield _folded(Table(every.title, rest), f"Other measures: {names}", rows=1)
    found = {record.family for record in records.values()}
    own = experiment.variants_of(profile)
    absent = [name for name in own if experiment.family(name, profile) not in found]
    if absent:
        more = f" and {len(absent) - NAMED} more" if len(absent) > NAMED else ""
        yield f"No runs yet, 0 of {len(experiment.planned_seeds)} runs: {', '.join(absent[:NAMED])}{more}."
    yield "\n\n".join(_unguided(results))


def _titled(found: Table) -> str:
    return f"**{found.title}**\n\n{render(found, 'markdown')}"


def _folded(found: Table, summary: str, *, rows: int = FOLDED_FROM) -> str:
    """Renders the table, folded away under ``summary`` if it has at least ``rows`` rows."""
    text = render(found, "markdown")
    return f"<details><summary>{summary}</summary>\n\n{text}\n</details>" if len(found.rows) >= rows else text


def _unguided(results: Table) -> tuple[str, ...]:
    """The table's notes without those that the report states once for all tables."""
    return tuple(note for note in results.notes if note not in GUIDE)


def _convergence(experiment: Experiment, records: Iterable[Record], profile: str) -> str:
    """Lists which variants' critics have converged, by the median of ``drift`` over runs; empty without ``drift``."""
    drifts: dict[str, list[float]] = {}
    for record in records:
        if DRIFT in record.setting.measures and record.status != "failed":
            drift = record.measures.get(DRIFT)
            drifts.setdefault(record.family, []).append(math.inf if drift is None else drift)
    converged: list[str] = []
    others: list[str] = []
    for variant in experiment.variants_of(profile):
        known = drifts.get(experiment.family(variant, profile))
        if known:
            median = statistics.median(known)
            text = f"{variant} ({number(100 * median)} %)" if math.isfinite(median) else f"{variant} (undefined)"
            (converged if median <= SETTLED else others).append(text)
    if not converged and not others:
        return ""
    rest = f"; not converged: {', '.join(others)}" if others else ""
    settled = f"Critic converged (median drift over runs at most {number(100 * SETTLED)} %)"
    return f"{settled}: {', '.join(converged) or 'none'}{rest}."


def _provenance(records: Iterable[Record]) -> str:
    """Describes how the runs ended and the devices, libraries and commits; one line, plus one for each failed run."""
    records = sorted(records, key=lambda record: record.id)
    if not records:
        return ""
    about = [record.provenance for record in records]
    libraries: dict[str, set[str]] = {}
    for name, version in (item for one in about for item in one.libraries.items()):
        libraries.setdefault(name, set()).add(version)
    versions = ", ".join(f"{name} {' / '.join(sorted(found))}" for name, found in sorted(libraries.items()))
    commits = ", ".join(sorted({one.commit[:10] for one in about if one.commit}))
    n_dirty = sum(bool(one.dirty) for one in about)
    parts = [
        f"{_count(record.status for record in records)}; {_count(f'on {one.device}' for one in about)}",
        versions,
        f"commit {commits}" if commits else "",
        f"{n_dirty} runs from a checkout with uncommitted changes" if n_dirty else "",
    ]
    failures = [f"- failed: `{record.id}`: {_last_line(record)}" for record in records if record.status == "failed"]
    return "\n".join(["Runs: " + "; ".join(filter(None, parts)) + ".", *failures])


def _count(words: Iterable[str]) -> str:
    return ", ".join(f"{count} {word}" for word, count in sorted(Counter(words).items()))


def _last_line(record: Record) -> str:
    lines = (record.note or "").strip().splitlines() or ["no reason given"]
    return CONTROL.sub("?", lines[-1])
