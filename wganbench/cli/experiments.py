"""``wganbench list``, ``show`` and ``schema``: list experiments or open claims, show a spec, print the spec schema."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from wganbench.analysis.estimate import Speed
from wganbench.cli.console import counted, echo, print_rows
from wganbench.cli.options import (
    DEVICES,
    FOLDER,
    REFERENCE,
    RUNS,
    Selection,
    choose_folder,
    selection_of_settings,
)
from wganbench.cli.plan import known_speed
from wganbench.records.rates import DeviceChoice
from wganbench.records.store import Store
from wganbench.spec import Experiment, available, load


@click.command(name="list", short_help="List the experiments, or open claims.")
@click.option("--open", "is_open", is_flag=True, help="List the claims without a verdict, the cheapest first.")
@click.option("--results", type=FOLDER, help=f"Folder of the records of --open [default: {REFERENCE}, else {RUNS}].")
@click.option("--device", type=DEVICES, default="auto", show_default=True, help="Device whose time --open estimates.")
def list_(is_open: bool, results: Path | None, device: DeviceChoice) -> None:
    """List the experiments that ship with wganbench, or their open claims.

    Open claims are those that lack runs, and those that all of their runs leave inconclusive.
    """
    specs = [load(name) for name in available()]
    if is_open:
        _list_open(specs, choose_folder(results, [], (REFERENCE, RUNS)), known_speed(device, 1))
        return
    print_rows(
        [
            {
                "experiment": spec.name,
                "title": spec.title,
                "variants": str(len(spec.variants)),
                "profiles": ", ".join(spec.profiles),
                "claims": str(len(spec.live_claims)),
            }
            for spec in specs
        ]
    )


def _list_open(shipped: Sequence[Experiment], folder: Path, speed: Speed) -> None:
    from wganbench.analysis.lacking import lacking
    from wganbench.analysis.own_pictures import with_folders
    from wganbench.analysis.results import Results
    from wganbench.analysis.undecided import undecided

    records = Store(folder).load()
    specs = with_folders(shipped, records)
    lack = lacking(specs, {record.id for record in records.values() if record.status != "failed"}, speed)
    print_rows([each.row() for each in lack])
    n_claims = sum(len(spec.live_claims) for spec in specs)
    lacks = f"{len(lack)} of {counted(n_claims, 'claim')} lack runs in {folder}"
    echo(f"{lacks}; 'wganbench run CLAIM' trains what is left" if lack else lacks)
    unsure = undecided([Results(spec, records) for spec in specs], speed)
    print_rows([each.row() for each in unsure])
    leave = f"{counted(len(unsure), 'claim')} that all of their runs leave inconclusive, asked only once"
    needed = "'needed' is how many fresh seeds give a verdict with a chance of 90 %, simulated from these runs"
    echo(f"{leave}; {needed}" if unsure else leave)
    if lack or unsure:
        echo(f"the time, without measures, is estimated by counting operations, {speed.describe()}")


@click.command(short_help="Show an experiment with all defaults.")
@selection_of_settings
def show(selection: Selection) -> None:
    """Show the resolved EXPERIMENT as JSON: every variant with all defaults filled in."""
    spec, profile = selection.spec, selection.profile
    shown = {
        "title": spec.title,
        "source": spec.source,
        "profile": f"{profile}: {spec.says(profile)}",
        "deviations": spec.deviations,
        "claims": [claim.model_dump(mode="json", exclude_none=True) for claim in spec.claims],
        "variants": {run.variant: run.setting.model_dump(mode="json") for run in selection.runs},
    }
    echo(json.dumps(shown, indent=2, ensure_ascii=False))


@click.command(short_help="Print the JSON schema of a spec.")
def schema() -> None:
    """Print the JSON schema of a spec, for editors that complete and check TOML."""
    from wganbench.spec.json_schema import spec_schema

    echo(json.dumps(spec_schema(), indent=2))
