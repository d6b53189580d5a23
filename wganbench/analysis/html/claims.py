"""A claim as the page shows it: its sentence and source, its verdict with the numbers behind it, and its runs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wganbench.analysis.commands import explain_command, run_command
from wganbench.analysis.evidence import Evidence, Unit
from wganbench.analysis.html.charts import Plot, lay_out
from wganbench.analysis.html.drawn import charts_of
from wganbench.analysis.power import Power
from wganbench.analysis.prospect import power_line
from wganbench.analysis.results import Results
from wganbench.analysis.tables.cells import p_text
from wganbench.analysis.tables.scoreboard import estimate_text, n_units, n_units_of, summary_text
from wganbench.analysis.tables.table import NONE
from wganbench.analysis.verdict import Verdict
from wganbench.records.record import Record
from wganbench.spec import Experiment, listed

APART = {"id", "profile"}
"""The fields of a check that are no part of its test."""

_DOCUMENT = re.compile(r"(?:[^,:;']*\b(?:19|20)\d\d\b|'[^']+'(?: \(\d{4}\))?)")
"""What a source begins with if it names a document: authors and a year, or a quoted title."""


@dataclass(frozen=True)
class RunRow:
    """A run, or an architecture, that a check reads: ``which`` is its seed or its place, ``value`` what counts."""

    side: str
    which: str
    value: str
    status: str
    run: str


@dataclass(frozen=True)
class CheckPart:
    """A check of a claim.

    Attributes:
        details: The fields of the test, as the spec has them.
        shows: ``holds``, ``fails``, ``open`` or ``not run``.
        why: Why the check cannot be decided; empty if it can be.
        method: How the interval was computed; empty without one.
    """

    id: str
    test: str
    details: str
    shows: str
    why: str
    estimate: str
    estimate_of: str
    method: str
    n: str
    p_for: str
    p_against: str
    plots: tuple[Plot, ...]
    runs: tuple[RunRow, ...]


@dataclass(frozen=True)
class ClaimPart:
    """A claim with its verdict.

    Attributes:
        documents: The documents that the source names, for the filter.
        notes: Further facts about the verdict, each a sentence.
        p_values: The p-values for and against, and both after Holm's adjustment.
        power: The chance of a verdict with the planned seeds; empty if there are no runs to simulate it from.
        run, explain: The commands; ``run`` is empty if the spec no longer has the claim's runs.
    """

    experiment: str
    id: str
    says: str
    source: str
    documents: tuple[str, ...]
    outcome: str
    why: str
    profile: str
    role: str
    seeds: str
    combined: str
    estimate: str
    n: str
    p_values: tuple[str, str, str, str] | None
    power: str
    notes: tuple[str, ...]
    checks: tuple[CheckPart, ...]
    run: str
    explain: str

    @property
    def anchor(self) -> str:
        """The part of the address after ``#`` that leads to the claim."""
        return f"{self.experiment}/{self.id}"


def claim_part(
    results: Results, verdict: Verdict, records: Mapping[str, Record], power: Power | None, folder: Path
) -> ClaimPart:
    """Gathers what the page shows of a claim.

    Args:
        records: The records that the verdict reads, by run id.
        folder: The results folder, for the command that explains the verdict.
    """
    experiment, claim, n_checks = results.experiment, verdict.claim, len(verdict.checks)
    source = claim.source or experiment.source
    p_values = (verdict.p_for, verdict.p_against, verdict.adjusted_for, verdict.adjusted_against)
    for_, against, adjusted_for, adjusted_against = map(p_text, p_values)
    was_run = verdict.outcome != "not run"
    return ClaimPart(
        experiment=experiment.name,
        id=claim.id,
        says=claim.says,
        source=source,
        documents=documents(source),
        outcome=verdict.outcome,
        why=verdict.why,
        profile=claim.profile,
        role=claim.role,
        seeds=listed(experiment.seeds_of(claim)),
        combined=f"{'One' if claim.any else 'All'} of its {n_checks} checks must hold." if n_checks > 1 else "",
        estimate=summary_text(verdict) if was_run else NONE,
        n=n_units(verdict),
        p_values=(for_, against, adjusted_for, adjusted_against) if was_run else None,
        power=power_line(power) if power else "",
        notes=tuple(_notes(results, verdict)),
        checks=tuple(_check(experiment, verdict, each, records) for each in verdict.checks),
        run=run_command(experiment, claim),
        explain=explain_command(experiment, claim, folder),
    )


def documents(source: str) -> tuple[str, ...]:
    """Returns the documents that a source names, such as ``("Arjovsky et al. 2017", "'WGAN 笔记' (2018)")``.

    A source without a year and without a quoted title counts as a document of its own.
    """
    parts = [" ".join(part.split()) for part in source.split(";")]
    found = [match[0] for part in parts if (match := _DOCUMENT.match(part))]
    return tuple(dict.fromkeys(found)) or (parts[0].partition(",")[0],)


def _notes(results: Results, verdict: Verdict) -> list[str]:
    claim = verdict.claim
    notes = []
    if verdict.post_hoc:
        notes.append("Post hoc: written or changed after runs that it is judged on.")
    notes += filter(None, [results.about_pilot(claim)])
    if claim.known_contradiction:
        notes.append(f"Known contradiction: {claim.known_contradiction}")
    if verdict.n_diverged:
        notes.append(f"{verdict.n_diverged} diverged.")
    if verdict.n_undefined:
        notes.append(f"{verdict.n_undefined} finished without a number.")
    if cost := results.cost(claim):
        notes.append(f"Cost: {cost}.")
    if claim.restated_as:
        notes.append(f"Restated as {' and '.join(claim.restated_as)}.")
    if claim.superseded:
        by = f", by {' and '.join(claim.superseded.by)}" if claim.superseded.by else ""
        notes.append(f"Superseded in version {claim.superseded.version} of the spec{by}: {claim.superseded.reason}")
    return notes


def _check(experiment: Experiment, verdict: Verdict, evidence: Evidence, records: Mapping[str, Record]) -> CheckPart:
    check = evidence.check
    fields = check.model_dump(mode="json", exclude=APART, exclude_none=True)
    is_decided = not evidence.why
    return CheckPart(
        id=check.id,
        test=check.test,
        details=", ".join(f"{key} = {_field(value)}" for key, value in fields.items()),
        shows=verdict.outcome_of(evidence),
        why=evidence.why,
        estimate=estimate_text(evidence),
        estimate_of=evidence.estimate_of,
        method=evidence.interval.method if evidence.interval else "",
        n=n_units_of(evidence),
        p_for=p_text(evidence.p_for) if is_decided else NONE,
        p_against=p_text(evidence.p_against) if is_decided else NONE,
        plots=tuple(lay_out(chart) for chart in charts_of(experiment, evidence, records)),
        runs=tuple(_run(side, unit, check.methods()) for side, some in evidence.units.items() for unit in some),
    )


def _field(value: object) -> str:
    """Formats the value of a field: lists and tables without the quotes of a program."""
    if isinstance(value, Mapping):
        return " ".join(f"{key} {_field(each)}" for key, each in value.items())
    return " and ".join(map(_field, value)) if isinstance(value, list) else str(value)


def _run(side: str, unit: Unit, methods: Sequence[str]) -> RunRow:
    which = f"a{unit.seed:03}" if methods else str(unit.seed)
    return RunRow(side, which, f"{unit.value:.6g}", unit.status, unit.run_id)
