"""``wganbench status``, ``merge`` and ``results``: inspect and maintain a results folder and the work in it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Literal

import click

from wganbench.cli.console import counted, echo, print_rows
from wganbench.cli.options import check_folder, only_variants, results_folder, results_option
from wganbench.errors import RecordError
from wganbench.records import measured, reference
from wganbench.records.merge import merge_stores
from wganbench.records.store import Store
from wganbench.records.weights import WeightsFolder
from wganbench.runner.jobs.status import left_behind
from wganbench.runner.jobs.status import status as status_of
from wganbench.spec import load


@click.command(short_help="Show what 'run' is doing and what is left.")
@click.argument("experiments", nargs=-1, metavar="[EXP]...")
@results_folder
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(experiments: tuple[str, ...], results: Path, as_json: bool) -> None:
    """Show what 'run' is doing, from any terminal: runs done, failed, running and left, time left, what has stopped."""
    names = [_name(experiment, results) for experiment in experiments]
    found = status_of(Store(results), names)
    if not (names or found.sessions or found.cohorts or found.stopped or found.remarks):
        check_folder(results)
    if as_json:
        echo(json.dumps(found.as_json(), indent=2))
        return
    if found.is_idle:
        failed = f", and {found.failed:,} of failed runs" if found.failed else ""
        echo(f"nothing is under way in {results}; {counted(found.records, 'record')}{failed}")
    else:
        print_rows([session.row() for session in found.sessions])
        print_rows([cohort.row() for cohort in found.cohorts])
    for line in (*found.stopped, *found.remarks):
        echo(line)


def _name(experiment: str, results: Path) -> str:
    """Returns an experiment's name; the name of an existing folder needs no spec, which may have been removed."""
    return experiment if (results / experiment).is_dir() else load(experiment).name


@click.command(short_help="Take in the records of other results folders.")
@click.argument("sources", nargs=-1, required=True, metavar="FROM...")
@results_folder
@click.option("--prefer", type=click.Choice(["ours", "theirs"]), help="Which record to keep where two differ.")
def merge(sources: tuple[str, ...], results: Path, prefer: Literal["ours", "theirs"] | None) -> None:
    """Take in the records of other results folders.

    FROM is a results folder, the folder of one experiment in it, the name of an experiment that ships (its committed
    records), or 'reference' (all committed records). An installed package has the committed records without artefacts.

    A record that is already here with equal measures and curves is skipped. One that differs is refused, unless
    --prefer says which to keep; the others are merged nevertheless. Exits with 1 if any was refused.
    """
    refused = False
    for name, theirs in [(name, reference.source(name)) for name in sources]:
        taken, skipped, refusals = merge_stores(
            Store(results), theirs.store, prefer, with_artefacts=theirs.has_artefacts
        )
        echo(f"{name}: {counted(taken, 'record')} taken in, {skipped} were here, {len(refusals)} refused")
        for refusal in refusals:
            echo(f"wganbench: {refusal}", err=True)
        if not (taken or skipped or refusals):
            raise RecordError(f"{name}: no records to take in; name the results folder of another machine")
        refused = refused or bool(refusals)
    if refused:
        sys.exit(1)


@click.group(name="results", short_help="Verify a results folder, or remove records.")
def results_commands() -> None:
    """Verify a results folder, or remove records from it."""


@results_commands.command(name="verify", short_help="Find damaged, orphaned and stale files.")
@results_folder
@click.option(
    "--set-aside", is_flag=True, help="Move damaged records to 'damaged' beside them; 'run' makes them again."
)
def verify_results(results: Path, set_aside: bool) -> None:
    """List what is damaged, orphaned, set aside or stale in the folder; exit with 1 if anything is damaged."""
    from wganbench.records import verify

    store = Store(results)
    if set_aside:
        verify.set_aside(store)
    findings = verify.verify(store, left_behind(store))
    if findings.is_empty:
        check_folder(results)
    for line in findings.lines():
        echo(line)
    if findings.damaged:
        sys.exit(1)


@results_commands.command(name="remove", short_help="Remove the records of an experiment.")
@click.argument("experiment")
@results_folder
@click.option("--profile", help="Only runs of this profile [default: all].")
@only_variants
@click.option("--dry-run", is_flag=True, help="List what would be removed, and remove nothing.")
@click.option("--yes", is_flag=True, help="Remove without asking.")
def remove_results(
    experiment: str, results: Path, profile: str | None, variants: tuple[str, ...], dry_run: bool, yes: bool
) -> None:
    """Remove the records of EXPERIMENT, with their artefacts, kept weights and what 'measure' found of these.

    The files are listed first, and you are asked.

    Reports, checkpoints, damaged records, and artefacts that other records name, are kept.
    """
    check_folder(results)
    store, name = Store(results), _name(experiment, results)
    found = store.select(name, profile, variants)
    if not found:
        chosen = filter(None, [f"profile {profile}" if profile else "", " or ".join(variants)])
        raise RecordError(f"{results / name}: no records{''.join(f' of {each}' for each in chosen)} to remove")
    n_others, weights = 0, WeightsFolder(results)
    for record in found:
        paths = [*store.artefact_paths(record), *(weights.path(record, kept) for kept in record.weights)]
        others = sorted(path.name for path in paths if path.is_file())
        if measured.path_of(results, record).is_file():
            others.append("what 'measure' found of it")
        n_others += len(others)
        echo(", ".join([f"{store.path(record)}  {record.profile}", record.status, *others]))
    what = f"{counted(len(found), 'record')} and {counted(n_others, 'other file')}"
    if dry_run:
        echo(f"{what} would be removed; leave out --dry-run to remove them")
        return
    if not status_of(store, [name]).is_idle:
        raise RecordError(
            f"{results / name}: being trained; 'wganbench status{results_option(results)}' shows by what, stop it first"
        )
    try:
        agreed = yes or click.confirm(f"Remove {what}?")
    except click.Abort:
        if sys.stdin.isatty():  # interrupted
            raise
        raise RecordError(f"{results / name}: no answer, so nothing is removed; --yes removes without asking") from None
    if not agreed:
        echo("nothing removed")
        sys.exit(1)
    for record in found:
        store.remove(record)
        weights.remove(record)
        measured.path_of(results, record).unlink(missing_ok=True)
    echo(f"{what} removed; 'wganbench report{results_option(results)}' renews the report")
