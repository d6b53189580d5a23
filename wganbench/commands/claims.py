"""``wganbench check`` and ``explain``: whether the claims hold, and why it is said that they do."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wganbench.atomic import write_atomically
from wganbench.commands.choice import covered
from wganbench.commands.options import results_folder
from wganbench.errors import SpecError
from wganbench.names import suggest
from wganbench.spec import Experiment, available, load
from wganbench.store import Store

if TYPE_CHECKING:
    from wganbench.analysis.verdict import Verdict


@click.command()
@click.argument("experiments", nargs=-1, metavar="[EXP]...")
@results_folder
@click.option("--strict", is_flag=True, help="Fail on inconclusive claims, and on ones not run, too.")
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write the outcome as JUnit XML.")
def check(experiments: tuple[str, ...], results: Path, strict: bool, junit: Path | None) -> None:
    """Compare records, claims and the committed report with each other; exit with 1 and a line for each finding."""
    from wganbench.analysis import check as checking

    specs = covered(experiments, results)
    findings = checking.check(specs, Store(results), strict=strict)
    if junit is not None:
        write_atomically(junit, checking.junit(findings, checking.cases(specs)).encode(), replace=True)
    for finding in findings:
        click.echo(f"wganbench: {finding}", err=True)
    live, every = (sum(map(len, kind)) for kind in ((s.live_claims for s in specs), (s.claims for s in specs)))
    old = f" (and {every - live} superseded)" if every > live else ""
    click.echo(f"checked {live} claims{old} of {len(specs)} experiments: {len(findings)} findings")
    if findings:
        sys.exit(1)


@click.command()
@click.argument("claim")
@results_folder
def explain(claim: str, results: Path) -> None:
    """Explain the verdict on CLAIM: values, test, p-values, runs. CLAIM is an id, or EXP:ID, EXP as for 'run'."""
    from wganbench.analysis.verdict import judge

    where, colon, wanted = claim.rpartition(":")
    specs = [load(where)] if colon else [load(name) for name in available()]
    found = [(spec, one) for spec in specs for one in spec.claims if one.id == wanted]
    if not found:
        known = [one.id for spec in specs for one in spec.claims]
        raise SpecError(f"unknown claim {wanted!r}{suggest(wanted, known)}")
    records = Store(results).load()
    for spec, one in found:
        (verdict,) = (each for each in judge(spec, records) if each.claim.id == one.id)
        click.echo("\n".join(_explanation(spec, verdict)))


TOLD_APART = {"id", "says", "profile", "known_contradiction", "since", "superseded"}
"""Fields of a claim that are no part of its test."""


def _explanation(spec: Experiment, verdict: Verdict) -> Iterator[str]:
    claim = verdict.claim
    yield f"{spec.name}:{claim.id}"
    yield f"  claim        {claim.says}"
    yield f"  source       {spec.source}"
    yield f"  judged at    profile {claim.profile}: {spec.says(claim.profile)}"
    details = claim.model_dump(mode="json", exclude=TOLD_APART, exclude_none=True)
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
