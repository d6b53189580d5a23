"""``wganbench check`` and ``explain``: check claims and report, explain a verdict, or describe how a run ended."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wganbench.cli.console import counted, echo
from wganbench.cli.options import (
    REFERENCE,
    RUNS,
    check_folder,
    choose_folder,
    claims_named,
    covered,
    has_records,
    load_records,
    results_or_runs,
    runs_or_results,
)
from wganbench.errors import RecordError
from wganbench.files import write_atomically
from wganbench.records.record import Record, gist
from wganbench.records.store import Store
from wganbench.spec import CONTROL, Claim, Experiment, available, listed, load
from wganbench.spec.catalogue import suggest

if TYPE_CHECKING:
    from wganbench.analysis.evidence import Evidence
    from wganbench.analysis.results import Results
    from wganbench.analysis.verdict import Verdict

RUN_ID = re.compile(r".+-[0-9a-f]{10}-s[0-9]+")


@click.command(short_help="Check records, claims and the report.")
@click.argument("experiments", nargs=-1, metavar="[EXP]...")
@results_or_runs
@click.option("--strict", is_flag=True, help="Fail also on claims that are inconclusive or not run.")
@click.option("--since", "revision", metavar="REV", help="List also what changed since this git revision.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write the outcome as JUnit XML.")
@click.option("--format", "form", type=click.Choice(["github"]), help="Print a summary in GitHub's Markdown.")
def check(
    experiments: tuple[str, ...],
    results: Path | None,
    strict: bool,
    revision: str | None,
    junit: Path | None,
    form: str | None,
) -> None:
    """Check that records, claims and the committed report agree; exit with 1 and a line for each finding.

    Without EXP, check every experiment that ships and the whole folder. With EXP, check these experiments and, if the
    folder has records of others too, only their parts of the report.

    With --since, list the claims, margins, seeds, published values, records and verdicts that changed between REV and
    the work tree; exit with 1 also if a change weakens the evidence, such as a removed record or a looser margin.
    """
    from wganbench.analysis import check as checking
    from wganbench.analysis.own_pictures import with_folders
    from wganbench.analysis.results import other_experiments
    from wganbench.analysis.since import changes_since
    from wganbench.analysis.tables import checked

    shipped = covered(experiments)
    folder = choose_folder(results, [spec.name for spec in shipped] if experiments else [], (REFERENCE, RUNS))
    records = load_records(folder)
    specs = with_folders(shipped, records)
    whole = not experiments or not other_experiments(specs, records)
    findings = checking.check(specs, Store(folder), records, strict=strict, whole=whole)
    since = None if revision is None else changes_since(revision, shipped, folder, records, whole=whole)
    weakening = since.weakening if since else []
    if junit is not None:
        text = checking.junit([*findings, *weakening], checking.cases(specs), checking.not_run(specs, records))
        write_atomically(junit, text.encode(), replace=True)
    for finding in findings:
        echo(f"wganbench: {finding}", err=True)
    for change in weakening:
        echo(f"wganbench: since {revision}: {change}", err=True)
    notes = list(checking.seed_notes(specs, records))
    n_live, n_all = (sum(map(len, kind)) for kind in ((s.live_claims for s in specs), (s.claims for s in specs)))
    old = f" (and {n_all - n_live} superseded)" if n_all > n_live else ""
    covers = f"{counted(n_live, 'claim')}{old} of {counted(len(specs), 'experiment')}"
    covers = f"checked {covers}: {counted(len(findings), 'finding')}"
    if form is not None:
        echo(checked.summary(covers, findings, since, notes), nl=False)
    else:
        lines = [f"note: {note}" for note in notes]
        lines += [f"since {revision}: {change}" for change in (since.changes if since else ()) if not change.weakens]
        echo("\n".join([*lines, covers, *([checked.tally(since)] if since else [])]))
    if findings or weakening:
        sys.exit(1)


@click.command(short_help="Explain a verdict, or how a run ended.")
@click.argument("subject", metavar="CLAIM|RUN")
@runs_or_results
def explain(subject: str, results: Path | None) -> None:
    """Explain the verdict on CLAIM by its values, test, p-values and runs; or describe how RUN ended.

    CLAIM is the id of a claim or of one of its checks, or EXP:ID with EXP as for 'run'. RUN is an id as 'run' and the
    explanation of a claim print it; the traceback of a failed run is shown.
    """
    if RUN_ID.fullmatch(subject):
        _explain_run(subject, results)
    else:
        _explain_claim(subject, results)


def _folders(results: Path | None) -> list[Path]:
    """Returns the folders to search: the given one, or those defaults that have records, the user's own first."""
    asked = [results] if results is not None else [RUNS, REFERENCE]
    found = [each for each in asked if has_records(each)]
    if not found:
        check_folder(asked[0])
    return found


def _explain_run(run_id: str, results: Path | None) -> None:
    folders = _folders(results)
    paths = [(folder, path) for folder in folders for path in Store(folder).paths()]
    for folder, path in paths:
        record = Store(folder).find(path.parent.name, run_id) if path.stem == run_id else None
        if record is not None:
            echo("\n".join([str(path), *_summary(record)]))
            return
    near = suggest(run_id, [path.stem for _, path in paths])
    raise RecordError(f"{' or '.join(map(str, folders))}: no record of run {run_id!r}{near}")


def _explain_claim(claim: str, results: Path | None) -> None:
    where, colon, wanted = claim.rpartition(":")
    specs = [load(where)] if colon else [load(name) for name in available()]
    found = claims_named(specs, wanted)
    folders = _folders(results)
    for spec, one in found:
        folder, judged, verdict = _judged(spec, one, folders)
        echo("\n".join(_explanation(judged, verdict, folder)))


def _judged(spec: Experiment, claim: Claim, folders: Sequence[Path]) -> tuple[Path, Results, Verdict]:
    """Returns the first folder with runs to judge the claim on, else the first, and the results and verdict there."""
    from wganbench.analysis.verdict import judge, without_runs

    chosen, results = folders[0], _results(spec, folders[0])
    for other in folders[1:]:
        if claim.id in without_runs(results):
            more = _results(spec, other)
            if claim.id not in without_runs(more):
                chosen, results = other, more
    (verdict,) = (each for each in judge(results) if each.claim.id == claim.id)
    return chosen, results, verdict


def _results(spec: Experiment, folder: Path) -> Results:
    from wganbench.analysis.own_pictures import with_folder
    from wganbench.analysis.results import Results

    records = load_records(folder)
    return Results(with_folder(spec, records), records)


APART = {"id", "profile"}
"""Fields of a check that are not part of its test."""


def _explanation(results: Results, verdict: Verdict, folder: Path) -> Iterator[str]:
    from wganbench.analysis.commands import run_command

    spec, claim = results.experiment, verdict.claim
    yield f"{spec.name}:{claim.id}"
    yield f"  claim        {claim.says}"
    yield f"  source       {claim.source or spec.source}"
    yield f"  role         {claim.role}"
    yield f"  records      {folder}"
    yield f"  judged at    profile {claim.profile}: {spec.says(claim.profile)}"
    yield f"  seeds        {listed(spec.seeds_of(claim))}"
    if command := run_command(spec, claim):
        yield f"  trained by   {command}"
    if pilot := results.about_pilot(claim):
        yield f"  pilot        {pilot[:1].lower()}{pilot[1:-1]}"
    if len(verdict.checks) > 1:
        yield f"  holds if     {'one' if claim.any else 'all'} of these {len(verdict.checks)} checks do"
    for evidence in verdict.checks:
        yield from _explain_check(verdict, evidence)
    if cost := results.cost(claim):
        yield f"  cost         {cost}"
    yield f"  p for        {verdict.p_for:.3g}, Holm-adjusted {verdict.adjusted_for:.3g}"
    yield f"  p against    {verdict.p_against:.3g}, Holm-adjusted {verdict.adjusted_against:.3g}"
    yield f"  diverged     {verdict.n_diverged}"
    if verdict.n_undefined:
        yield f"  no number    {verdict.n_undefined}, finished; each counts as the measure's worst value or no success"
    mark = " (post hoc)" if verdict.post_hoc else ""
    yield f"  verdict      {verdict.outcome}{mark}" + (f": {verdict.why}" if verdict.why else "")
    if claim.known_contradiction:
        yield f"  known        {claim.known_contradiction}"
    if claim.restated_as:
        yield f"  restated as  {', '.join(claim.restated_as)}"
    if claim.superseded:
        by = f", by {' and '.join(claim.superseded.by)}" if claim.superseded.by else ""
        yield f"  superseded   in version {claim.superseded.version} of the spec{by}: {claim.superseded.reason}"


def _explain_check(verdict: Verdict, evidence: Evidence) -> Iterator[str]:
    check = evidence.check
    if len(verdict.checks) > 1:
        yield f"  check        {check.id}: {verdict.outcome_of(evidence)}"
    details = check.model_dump(mode="json", exclude=APART, exclude_none=True)
    yield f"  test         {', '.join(f'{key} = {value}' for key, value in details.items())}"
    sample = " architectures, each the mean over its seeds, with its first run" if check.methods() else ""
    for side, units in evidence.units.items():
        yield f"  {side}: n = {len(units)}{sample}"
        for unit in units:
            which = f"a{unit.seed:03}" if check.methods() else f"seed {unit.seed:<4}"
            status = "no number" if unit.undefined and unit.status == "finished" else unit.status
            yield f"    {which} {unit.value:<10.6g} {status:<9} {unit.run_id}"
    if evidence.estimate is not None:
        interval = evidence.interval
        shown = f"  {interval.method}, unadjusted: [{interval.low:.4g}, {interval.high:.4g}]" if interval else ""
        yield f"  {evidence.estimate_of}: {evidence.estimate:.4g}{shown}"
    if len(verdict.checks) > 1:
        undecided = f"undecided: {evidence.why}" if evidence.why else ""
        yield f"  {undecided or f'p {evidence.p_for:.3g} for and {evidence.p_against:.3g} against'}"


# ---- runs -----------------------------------------------------------------------------------------------------------


def _summary(record: Record) -> Iterator[str]:
    """Yields lines on how the run ended, with the traceback if it failed, what it measured, and how it was made."""
    steps = f"{record.steps_done:,} of {record.setting.steps:,} steps"
    retries = f" (retries: {record.retries})" if record.retries else ""
    yield f"{record.experiment}, {record.variant}, profile {record.profile}, seed {record.seed}"
    if record.overrides:
        yield f"  changed      {', '.join(record.overrides)}"
    yield f"  status       {record.status} after {steps}{retries}"
    yield f"  seconds      {record.wall_seconds:.1f}, of {counted(len(record.cohort), 'run')} trained together"
    yield from _note(record.note)
    for name, value in record.measures.items():
        best = record.best.get(name)
        other = f"  (best {best:.6g})" if best is not None and best != value else ""
        yield f"  {name}  {'none' if value is None else f'{value:.6g}'}{other}"
    if record.score_protocol is not None:
        yield f"  scored by    {record.score_protocol}"
    yield from _provenance(record)


def _note(note: str | None) -> Iterator[str]:
    if not note:
        return
    lines = [CONTROL.sub("?", line) for line in note.strip().splitlines()]
    yield f"  note         {CONTROL.sub('?', gist(note))}"
    if len(lines) > 1:
        yield from (f"    {line}" for line in lines)


def _provenance(record: Record) -> Iterator[str]:
    made = record.provenance
    how = [made.device, counted(made.threads, "thread"), "deterministic" if made.deterministic else "", made.precision]
    how += ["as a CUDA graph"] if made.captured else []
    yield f"  made         {made.started}, on {', '.join(filter(None, how))}"
    yield f"  with         {', '.join(f'{name} {version}' for name, version in sorted(made.libraries.items()))}"
    if made.commit is not None:
        changed = ", with uncommitted changes" if made.dirty else ""
        yield f"  commit       {made.commit}{changed}"
    data = record.setting.data.name
    yield f"  data         {data}" + (f", checksum {record.data_checksum}" if record.data_checksum else "")
    for artefact in record.artefacts:
        yield f"  artefact     {artefact.file}"
