"""``wganbench check`` and ``explain``: check the claims, explain a verdict, or describe how a run ended."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wganbench.cli.choice import check_folder, choose_folder, covered, has_records, load_records
from wganbench.cli.options import REFERENCE, RUNS, results_or_runs, runs_or_results
from wganbench.cli.run_summary import summary
from wganbench.errors import RecordError, SpecError
from wganbench.files import write_atomically
from wganbench.records.store import Store
from wganbench.spec import Claim, Experiment, available, load
from wganbench.spec.catalogue import suggest

if TYPE_CHECKING:
    from wganbench.analysis.verdict import Verdict

RUN_ID = re.compile(r".+-[0-9a-f]{10}-s[0-9]+")


@click.command(short_help="Check records, claims and the report.")
@click.argument("experiments", nargs=-1, metavar="[EXP]...")
@results_or_runs
@click.option("--strict", is_flag=True, help="Fail on inconclusive claims, and on ones not run, too.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write the outcome as JUnit XML.")
def check(experiments: tuple[str, ...], results: Path | None, strict: bool, junit: Path | None) -> None:
    """Compare records, claims and the committed report with each other; exit with 1 and a line for each finding.

    Without EXP it is about every experiment that ships and the whole folder; with EXP about these, and about what the
    report says of these where the folder has records of others too.
    """
    from wganbench.analysis import check as checking
    from wganbench.analysis.results import other_experiments

    specs = covered(experiments)
    folder = choose_folder(results, [spec.name for spec in specs] if experiments else [], (REFERENCE, RUNS))
    records = load_records(folder)
    whole = not experiments or not other_experiments(specs, records)
    findings = checking.check(specs, Store(folder), records, strict=strict, whole=whole)
    if junit is not None:
        text = checking.junit(findings, checking.cases(specs), checking.not_run(specs, records))
        write_atomically(junit, text.encode(), replace=True)
    for finding in findings:
        click.echo(f"wganbench: {finding}", err=True)
    live, every = (sum(map(len, kind)) for kind in ((s.live_claims for s in specs), (s.claims for s in specs)))
    old = f" (and {every - live} superseded)" if every > live else ""
    click.echo(f"checked {live} claims{old} of {len(specs)} experiments: {len(findings)} findings")
    if findings:
        sys.exit(1)


@click.command(short_help="Explain a verdict, or how a run ended.")
@click.argument("subject", metavar="CLAIM|RUN")
@runs_or_results
def explain(subject: str, results: Path | None) -> None:
    """Explain the verdict on CLAIM: values, test, p-values, runs; or say how RUN ended, with a failed one's traceback.

    CLAIM is an id, or EXP:ID, EXP as for 'run'. RUN is an id, as 'run' and the explanation of a claim print it.
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
            click.echo("\n".join([str(path), *summary(record)]))
            return
    near = suggest(run_id, [path.stem for _, path in paths])
    raise RecordError(f"{' or '.join(map(str, folders))}: no record of run {run_id!r}{near}")


def _explain_claim(claim: str, results: Path | None) -> None:
    where, colon, wanted = claim.rpartition(":")
    specs = [load(where)] if colon else [load(name) for name in available()]
    found = [(spec, one) for spec in specs for one in spec.claims if one.id == wanted]
    if not found:
        known = [one.id for spec in specs for one in spec.claims]
        raise SpecError(f"unknown claim {wanted!r}{suggest(wanted, known)}")
    folders = _folders(results)
    for spec, one in found:
        folder, verdict = _judged(spec, one, folders)
        click.echo("\n".join(_explanation(spec, verdict, folder)))


def _judged(spec: Experiment, claim: Claim, folders: Sequence[Path]) -> tuple[Path, Verdict]:
    """Returns the first folder with runs to judge the claim on, else the first folder, and the verdict there."""
    from wganbench.analysis.results import Results
    from wganbench.analysis.verdict import judge, without_runs

    chosen, results = folders[0], Results(spec, load_records(folders[0]))
    for other in folders[1:]:
        if claim.id in without_runs(results):
            more = Results(spec, load_records(other))
            if claim.id not in without_runs(more):
                chosen, results = other, more
    (verdict,) = (each for each in judge(results) if each.claim.id == claim.id)
    return chosen, verdict


APART = {"id", "says", "profile", "known_contradiction", "since", "superseded"}
"""Fields of a claim that are not part of its test."""


def _explanation(spec: Experiment, verdict: Verdict, folder: Path) -> Iterator[str]:
    claim = verdict.claim
    yield f"{spec.name}:{claim.id}"
    yield f"  claim        {claim.says}"
    yield f"  source       {spec.source}"
    yield f"  records      {folder}"
    yield f"  judged at    profile {claim.profile}: {spec.says(claim.profile)}"
    details = claim.model_dump(mode="json", exclude=APART, exclude_none=True)
    yield f"  test         {', '.join(f'{key} = {value}' for key, value in details.items())}"
    sample = " architectures, each the mean over its seeds, beside it its first run" if claim.methods() else ""
    for side, units in verdict.units.items():
        yield f"  {side}: n = {len(units)}{sample}"
        for unit in units:
            which = f"a{unit.seed:03}" if claim.methods() else f"seed {unit.seed:<4}"
            yield f"    {which} {unit.value:<10.6g} {unit.status:<9} {unit.run_id}"
    if verdict.estimate is not None:
        interval = verdict.interval
        shown = f"  {interval.method}, unadjusted: [{interval.low:.4g}, {interval.high:.4g}]" if interval else ""
        yield f"  {verdict.estimate_of}: {verdict.estimate:.4g}{shown}"
    yield f"  p for        {verdict.p_for:.3g}, Holm-adjusted {verdict.adjusted_for:.3g}"
    yield f"  p against    {verdict.p_against:.3g}, Holm-adjusted {verdict.adjusted_against:.3g}"
    yield f"  diverged     {verdict.n_diverged}"
    mark = " (post hoc)" if verdict.post_hoc else ""
    yield f"  verdict      {verdict.outcome}{mark}" + (f": {verdict.why}" if verdict.why else "")
    if claim.known_contradiction:
        yield f"  known        {claim.known_contradiction}"
    if claim.superseded:
        by = f", by {' and '.join(claim.superseded.by)}" if claim.superseded.by else ""
        yield f"  superseded   in version {claim.superseded.version} of the spec{by}: {claim.superseded.reason}"
