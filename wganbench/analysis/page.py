"""The text of REPORT.md: the scoreboard, a section for each experiment, measured speeds, and other runs."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from wganbench.analysis.figures import Drawing
from wganbench.analysis.profiles import ranked
from wganbench.analysis.results import Results
from wganbench.analysis.tables import speed
from wganbench.analysis.tables.ablation import ablation_tables
from wganbench.analysis.tables.by_variant import by_variant, with_numbers
from wganbench.analysis.tables.cells import number, p_text
from wganbench.analysis.tables.measured import measured_table
from wganbench.analysis.tables.notes import INTERVALS, TROUBLED
from wganbench.analysis.tables.published import headline, other_runs, results_table
from wganbench.analysis.tables.scoreboard import checks, estimate_text, heading, live, scoreboard, superseded, tally
from wganbench.analysis.tables.success import overridden_tables, success_tables
from wganbench.analysis.tables.table import Table, render
from wganbench.analysis.verdict import Verdict
from wganbench.records.record import Record, gist
from wganbench.records.speeds import Device
from wganbench.spec import CONTROL, Experiment

DRIFT, SETTLED = "drift", 0.02
"""The label of the measure of how far a critic's gap still moves, as a share, and the most for a converged critic."""
FOLDED_FROM = 40
"""The number of rows from which a table is folded away, as nobody reads it through."""
NAMED = 12
"""The number of variants without runs that are listed by name."""

GUIDE = (INTERVALS, TROUBLED)


def render_page(
    every: Sequence[Results],
    records: Mapping[str, Record],
    verdicts: Mapping[str, Sequence[Verdict]],
    drawings: Mapping[str, Sequence[Drawing]],
    root: Path,
    devices: Sequence[Device],
    fingerprint: str,
) -> str:
    """Returns the text of REPORT.md.

    Args:
        every: The results of each experiment.
        records: The records of all experiments, by run id.
        verdicts, drawings: The verdicts and figures of each experiment, by its name.
        root: The results folder.
        devices: The devices with measured speeds.
        fingerprint: A digest of the records.
    """
    experiments = [results.experiment for results in every]
    parts = [
        "# Report",
        f"Made by `wganbench report` from {len(records)} records (fingerprint `{fingerprint}`); do not edit it: "
        "`wganbench check` compares it with what the records say.",
        "## Scoreboard",
        tally(verdicts),
        render(scoreboard(experiments, verdicts), "markdown"),
        "In the tables below: " + " ".join(GUIDE),
    ]
    for results in every:
        name = results.experiment.name
        own = (record for record in records.values() if record.experiment == name)
        parts += _section(results, verdicts[name], drawings[name], measured_table(own, root))
    parts += speed.section(devices, experiments)
    others = other_runs(experiments, records)
    if others.rows:
        parts += [
            "## Other runs",
            "Runs that no spec loaded here plans, as `--set` makes them, or a spec that has changed since. They enter "
            "no claim, but for superseded ones that were judged on them, and are not pooled with any other.",
            *(_titled(table) for results in every for table in overridden_tables(results)),
            _folded(Table(others.title, others.rows, _without_guide(others)), "All of them"),
        ]
    return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"


def section_of(markdown: str, experiment: Experiment) -> str:
    """The section of a report about one experiment, without its heading; empty if there is none."""
    _, _, after = f"\n{markdown}".partition(f"\n## {heading(experiment)}\n")
    return after.partition("\n## ")[0].strip("\n")


# ---- an experiment's section ----------------------------------------------------------------------------------------


def _section(
    results: Results, verdicts: Sequence[Verdict], drawings: Sequence[Drawing], afterwards: Table
) -> Iterator[str]:
    experiment, profiles = results.experiment, ranked(results.experiment)
    yield f"## {heading(experiment)}"
    yield f"Source: {experiment.source}. Spec: `{experiment.file}`, version {experiment.version}."
    recorded = [profile for profile in profiles if results.planned(profile)]
    if not verdicts and not recorded:
        yield "No runs are recorded."
    if verdicts:
        yield "### Claims"
        yield "\n".join(_describe(experiment, verdict) for verdict in live(verdicts))
        for verdict in live(verdicts):
            several = f"The {len(verdict.checks)} checks of {verdict.claim.id}"
            yield _folded(checks(verdict), several, rows=1) if len(verdict.checks) > 1 else ""
    replaced = superseded(experiment, verdicts)
    yield _titled(replaced) if replaced.rows else ""
    judged = {verdict.claim.profile for verdict in live(verdicts)}
    for profile in (name for name in profiles if name in recorded or name in judged):
        yield f"### Profile `{profile}`"
        yield _describe_profile(experiment, profile)
        yield from map(_titled, success_tables(results, profile))
        for drawing in drawings:
            if drawing.used and drawing.profile == profile:
                yield f"![{drawing.title}](figures/{drawing.file})"
                moving = [f"[{variant}](figures/{file})" for variant, file in drawing.animations.items()]
                yield f"One after the other: {', '.join(moving)}." if moving else ""
        yield from _tables(results, profile)
        yield from map(_titled, ablation_tables(results, profile))
        yield _convergence(results, profile)
        yield _provenance(results.planned(profile))
    undrawn = [drawing.figure.title or drawing.figure.kind for drawing in drawings if not drawing.used]
    if undrawn:
        yield f"Not drawn, as there are no runs with the data: {'; '.join(undrawn)}."
    if afterwards.rows:
        yield f"### {afterwards.title}"
        yield render(afterwards, "markdown")
    if experiment.deviations:
        yield "### Deviations from the source"
        yield "\n".join(f"- {deviation}" for deviation in experiment.deviations)


def _describe(experiment: Experiment, verdict: Verdict) -> str:
    """Describes a claim in full, as a list item."""
    claim, only = verdict.claim, verdict.checks[0] if len(verdict.checks) == 1 else None
    what = f"{only.check.test} test" if only else f"{'one' if claim.any else 'all'} of {len(verdict.checks)} checks"
    parts = [f"- **{verdict.outcome}** (`{claim.id}`, {claim.role}, profile `{claim.profile}`, {what}): {claim.says}."]
    parts += [f"Source: {claim.source}."] if claim.source else []
    parts += ["*Stated after a pilot*, and judged on fresh seeds."] if experiment.is_after_pilot(claim) else []
    parts += [f"{verdict.why[0].upper()}{verdict.why[1:]}."] if verdict.why else []
    if only is not None and only.estimate is not None:
        method = f" ({only.interval.method}, unadjusted)" if only.interval else ""
        parts.append(f"{only.estimate_of[0].upper()}{only.estimate_of[1:]}: {estimate_text(only)}{method}.")
    if verdict.outcome != "not run":
        parts.append(
            f"p {p_text(verdict.p_for)} for and {p_text(verdict.p_against)} against, adjusted "
            f"{p_text(verdict.adjusted_for)} and {p_text(verdict.adjusted_against)}."
        )
    parts += [f"{verdict.n_diverged} diverged."] if verdict.n_diverged else []
    parts += ["*Post hoc.*"] if verdict.post_hoc else []
    parts += [f"Known contradiction: {claim.known_contradiction}."] if claim.known_contradiction else []
    return " ".join(parts)


def _describe_profile(experiment: Experiment, profile: str) -> str:
    says = experiment.says(profile)
    if profile == "paper":
        return f"{says[:1].upper()}{says[1:]}." if says else ""
    return f"**Not the paper's protocol{': ' if says else ''}{says}.**"


def _tables(results: Results, profile: str) -> Iterator[str]:
    """Yields the tables of the main measures, the folded tables of the others, and a line on variants without runs."""
    experiment, first, every = results.experiment, headline(results.experiment), results_table(results, profile)
    rows = with_numbers(every)
    main = every if experiment.published else by_variant(results, profile)
    shown = tuple(row for row in rows if row.data["measure"] in first) if experiment.published else main.rows
    yield _folded(Table(main.title, shown), f"All {len(shown)} rows") if shown else ""
    rest = tuple(row for row in rows if row.data["measure"] not in first)
    if rest:
        names = ", ".join(dict.fromkeys(str(row.data["measure"]) for row in rest))
        yield _folded(Table(every.title, rest), f"Other measures: {names}", rows=1)
    absent = [variant for variant in experiment.variants_of(profile) if not results.of(variant, profile)]
    if absent:
        more = f" and {len(absent) - NAMED} more" if len(absent) > NAMED else ""
        yield f"No runs yet, 0 of {len(experiment.planned_seeds)} runs: {', '.join(absent[:NAMED])}{more}."
    yield "\n\n".join(_without_guide(main))


def _titled(found: Table) -> str:
    return f"**{found.title}**\n\n{render(found, 'markdown')}"


def _folded(found: Table, summary: str, *, rows: int = FOLDED_FROM) -> str:
    """Renders the table, folded away under ``summary`` if it has at least ``rows`` rows."""
    text = render(found, "markdown")
    return f"<details><summary>{summary}</summary>\n\n{text}\n</details>" if len(found.rows) >= rows else text


def _without_guide(results: Table) -> tuple[str, ...]:
    """The table's notes without those that the report states once for all tables."""
    return tuple(note for note in results.notes if note not in GUIDE)


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


def _provenance(records: Iterable[Record]) -> str:
    """Describes how the runs ended and the devices, libraries and commits; one line, plus one for each failed run."""
    records = sorted(records, key=lambda record: record.id)
    if not records:
        return ""
    made_by = [record.provenance for record in records]
    libraries: dict[str, set[str]] = {}
    for name, version in (item for one in made_by for item in one.libraries.items()):
        libraries.setdefault(name, set()).add(version)
    versions = ", ".join(f"{name} {' / '.join(sorted(found))}" for name, found in sorted(libraries.items()))
    commits = ", ".join(sorted({one.commit[:10] for one in made_by if one.commit}))
    n_dirty = sum(bool(one.dirty) for one in made_by)
    parts = [
        f"{_count(record.status for record in records)}; {_count(f'on {one.device}' for one in made_by)}",
        versions,
        f"commit {commits}" if commits else "",
        f"{n_dirty} runs from a checkout with uncommitted changes" if n_dirty else "",
    ]
    failures = [f"- failed: `{record.id}`: {_reason(record)}" for record in records if record.status == "failed"]
    return "\n".join(["Runs: " + "; ".join(filter(None, parts)) + ".", *failures])


def _count(words: Iterable[str]) -> str:
    return ", ".join(f"{count} {word}" for word, count in sorted(Counter(words).items()))


def _reason(record: Record) -> str:
    return CONTROL.sub("?", gist(record.note or "") or "no reason given")
