"""``wganbench status``, ``merge`` and ``results``: what is in a results folder, and what is being made there."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Literal

import click

from wganbench import reference
from wganbench.commands.options import results_folder
from wganbench.commands.printing import print_rows
from wganbench.merge import merge_stores
from wganbench.spec import load
from wganbench.store import Store
from wganbench.work.status import status as look


@click.command()
@click.argument("experiments", nargs=-1, metavar="[EXP]...")
@results_folder
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(experiments: tuple[str, ...], results: Path, as_json: bool) -> None:
    """Say what 'run' is doing, from any terminal: runs done, failed, running and left, the time left, what stopped."""
    # A folder's name counts without its spec, which may have gone since.
    names = [name if (results / name).is_dir() else load(name).name for name in experiments]
    found = look(Store(results), names)
    if as_json:
        click.echo(json.dumps(found.as_json(), indent=2))
        return
    if found.is_idle:
        failed = f", and {found.failed:,} of failed runs" if found.failed else ""
        click.echo(f"nothing is under way in {results}; {found.records:,} records{failed}")
    else:
        print_rows([sweep.row() for sweep in found.sweeps])
        print_rows([cohort.row() for cohort in found.cohorts])
    for line in (*found.stopped, *found.remarks):
        click.echo(line)


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="FROM...")
@results_folder
@click.option("--prefer", type=click.Choice(["ours", "theirs"]), help="Which record to keep where two differ.")
def merge(sources: tuple[str, ...], results: Path, prefer: Literal["ours", "theirs"] | None) -> None:
    """Take in the records of other results folders.

    FROM is a results folder, the folder of one experiment in it, an experiment that ships, for its committed records,
    or 'reference', for all committed records. An installed package has these without their artefacts.

    Records with equal measures and curves are skipped; others are refused unless --prefer says which to keep. The rest
    is merged all the same. Exits with 1 if anything was refused.
    """
    refused = False
    for name, theirs in [(name, reference.source(name)) for name in sources]:
        taken, skipped, refusals = merge_stores(
            Store(results), theirs.store, prefer, with_artefacts=theirs.has_artefacts
        )
        click.echo(f"{name}: {taken} records taken in, {skipped} were here, {len(refusals)} refused")
        for refusal in refusals:
            click.echo(f"wganbench: {refusal}", err=True)
        refused = refused or bool(refusals)
    if refused:
        sys.exit(1)


@click.group(name="results")
def results_commands() -> None:
    """Look after a results folder."""


@results_commands.command(name="verify")
@results_folder
@click.option("--set-aside", is_flag=True, help="Move damaged records to 'damaged' beside them; 'run' makes them anew.")
def verify_results(results: Path, set_aside: bool) -> None:
    """Say what is whole in the folder, damaged, orphaned, set aside or stale; exit with 1 if anything is damaged."""
    from wganbench import verify

    store = Store(results)
    if set_aside:
        verify.set_aside(store)
    findings = verify.verify(store)
    for line in findings.lines():
        click.echo(line)
    if findings.damaged:
        sys.exit(1)
