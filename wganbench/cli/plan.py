"""``wganbench plan``: describes what ``run`` would do and how long it would take."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from wganbench.analysis.estimate import Speed, estimate, representatives
from wganbench.cli.choice import chosen, load_chosen, runs_of
from wganbench.cli.options import COUNT, cpu_threads, data_dir, device_kind, results_folder
from wganbench.cli.printing import print_rows
from wganbench.errors import SpecError
from wganbench.records import rates
from wganbench.records.rates import DeviceChoice
from wganbench.records.store import Store
from wganbench.spec import load
from wganbench.spec.catalogue import is_dotted
from wganbench.spec.plan import Cohort, cohorts

SHOWN_VARIANTS = 20
"""The number of variants that a plan lists, unless ``--all`` is given."""


@click.command(short_help="Show what 'run' would do, and its hours.")
@click.argument("experiment")
@chosen
@results_folder
@data_dir
@device_kind
@cpu_threads
@click.option("--jobs", type=COUNT, default=1, show_default=True, help="Cohorts at a time, for the time in all.")
@click.option("--calibrate", "measure", is_flag=True, help="Measure the rates of this machine first, and keep them.")
@click.option("--all", "every", is_flag=True, help=f"List all variants, not only the first {SHOWN_VARIANTS}.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with all variants.")
def plan(
    experiment: str,
    seeds: str | None,
    profile: str,
    variants: tuple[str, ...],
    overrides: tuple[str, ...],
    data: tuple[str, ...],
    stack: int | None,
    results: Path,
    device: DeviceChoice,
    threads: int,
    jobs: int,
    measure: bool,
    every: bool,
    as_json: bool,
) -> None:
    """Print what 'run' would do: runs, what is done, parameters, operations, hours, and which claims it can settle."""
    from wganbench.analysis import prospect
    from wganbench.data.locations import data_folder  # imports numpy, which nothing else here needs

    spec, _ = load_chosen(experiment, overrides, data, profile, variants)
    runs = runs_of(spec, seeds, profile, variants)
    if any(is_dotted(component.name) for run in runs for _, _, component in run.setting.components()):
        from wganbench.runner.preflight import check_signatures  # imports torch, as custom modules may

        check_signatures(runs, spec.path)
    planned = cohorts(runs, stack or spec.stack)
    file = data_folder() / rates.FILE
    if measure:
        device = _calibrate(planned, device, threads, spec.path, file)
    recorded = [record for record in Store(results).load().values() if record.status != "failed"]
    done = {record.id for record in recorded}
    speed = Speed(rates.choose(rates.read(file), device, threads), device, threads)
    found = estimate(planned, done, speed, jobs)
    n_seeds = len({run.seed for run in runs})
    published = load(spec.path) if spec.overrides else spec
    claims = prospect.prospects(spec, runs, {record.family for record in recorded}, published)
    if as_json:
        about = {"experiment": spec.name, "profile": profile, "runs": len(runs), "seeds": n_seeds, "jobs": jobs}
        total = {"hours_left": found.hours_left, "wall_hours": found.wall_hours, "rates": speed.describe()}
        rows = [asdict(row) for row in found.rows]
        judged = [each.data() for each in claims]
        click.echo(json.dumps({**about, **total, "variants": rows, "claims": judged}, indent=2))
        return
    shown = found.rows if every else found.rows[:SHOWN_VARIANTS]
    print_rows([row.as_row() for row in shown])
    if len(shown) < len(found.rows):
        click.echo(f"… and {len(found.rows) - len(shown):,} more; --all lists them")
    says = spec.says(profile)
    click.echo(f"{len(runs):,} runs of profile {profile}" + (f" ({says})" if says else ""))
    for line in found.lines(speed, jobs):
        click.echo(line)
    for line in prospect.lines(claims, profile, n_seeds):
        click.echo(line)


def _calibrate(planned: Sequence[Cohort], device: DeviceChoice, threads: int, spec: str, file: Path) -> DeviceChoice:
    """Measures the rates of this machine and keeps them in ``file``; returns the kind of device that was measured."""
    rates.read(file)  # reports a damaged file at once
    chosen = representatives(planned)
    if not chosen:
        raise SpecError("--calibrate: no variant of known cost; it takes networks that wganbench has")
    from wganbench.runner.loop import choose_device  # imports torch, which plan otherwise does without
    from wganbench.runner.speed.calibrate import calibrate

    def tell(line: str) -> None:
        click.echo(line, err=True)

    found = calibrate(chosen, choose_device(device), threads, spec, tell)
    rates.keep(file, found)
    return found.device
