"""``wganbench plan``: describes what ``run`` would do and how long it would take."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import click

from wganbench.analysis.estimate import Speed, estimate, representatives
from wganbench.cli.console import counted, echo, print_rows
from wganbench.cli.options import COUNT, Selection, cpu_threads, data_dir, device_kind, grouped, selection
from wganbench.data.locations import data_folder
from wganbench.errors import SpecError
from wganbench.records import rates
from wganbench.spec.catalogue import is_dotted

SHOWN_VARIANTS = 20
"""The number of variants that a plan lists, unless ``--all`` is given."""


@dataclass(frozen=True)
class Machine:
    """The machine that training times are estimated for; ``jobs`` is the number of cohorts at a time."""

    device: rates.DeviceChoice
    threads: int
    jobs: int


_jobs = click.option("--jobs", type=COUNT, default=1, show_default=True, help="Cohorts at a time, for the total time.")


@click.command(short_help="Show what 'run' would do, and its hours.")
@selection
@data_dir
@grouped("machine", Machine, device_kind, cpu_threads, _jobs)
@click.option("--calibrate", "measure", is_flag=True, help="First measure the rates of this machine, and keep them.")
@click.option("--all", "every", is_flag=True, help=f"List all variants, not only the first {SHOWN_VARIANTS}.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with all variants.")
def plan(selection: Selection, machine: Machine, measure: bool, every: bool, as_json: bool) -> None:
    """Print what 'run' would do: runs, what is done, parameters, operations, hours, and which claims it can settle."""
    from wganbench.analysis import prospect  # imports scipy, which the help does not need
    from wganbench.analysis.power import simulate
    from wganbench.analysis.results import Results

    spec, profile, runs = selection.spec, selection.profile, selection.runs
    if any(is_dotted(component.name) for run in runs for _, _, component in run.setting.components()):
        from wganbench.runner.preflight import check_signatures  # imports torch, as custom modules may

        check_signatures(runs)
    speed = _measured_speed(selection, machine) if measure else known_speed(machine.device, machine.threads)
    recorded = [record for record in selection.store.load().values() if record.status != "failed"]
    found = estimate(selection.cohorts, {record.id for record in recorded}, speed, machine.jobs)
    n_seeds = len({run.seed for run in runs})
    published = selection.published
    seeds: dict[str, list[int]] = {}
    for record in recorded:
        seeds.setdefault(record.family, []).append(record.seed)
    claims = prospect.prospects(spec, runs, seeds, published)
    if selection.claim is not None:
        claims = [each for each in claims if each.claim.id == selection.claim]
    powers = simulate(Results(published, {record.id: record for record in recorded}), profile)
    if as_json:
        about = {"experiment": spec.name, "profile": profile, "runs": len(runs), "seeds": n_seeds, "jobs": machine.jobs}
        total = {"hours_left": found.hours_left, "wall_hours": found.wall_hours, "rates": speed.describe()}
        simulated = {name: power.data() for name, power in powers.items()}
        claimed = [{**each.data(), "power": simulated.get(each.claim.id)} for each in claims]
        listed = {"variants": [asdict(row) for row in found.rows], "claims": claimed}
        echo(json.dumps({**about, **total, **listed}, indent=2))
        return
    shown = found.rows if every else found.rows[:SHOWN_VARIANTS]
    print_rows([row.as_row() for row in shown])
    if len(shown) < len(found.rows):
        echo(f"… and {len(found.rows) - len(shown):,} more; --all lists them")
    says = spec.says(profile)
    echo(f"{counted(len(runs), 'run')} of {selection.described}" + (f" ({says})" if says else ""))
    for line in (*found.lines(speed, machine.jobs), *prospect.lines(claims, powers, spec, profile)):
        echo(line)


def known_speed(device: rates.DeviceChoice, threads: int) -> Speed:
    """Returns the speed of a device by the rates measured earlier, or by a guess.

    Raises:
        DataError: If the file of the rates is damaged.
    """
    return Speed(rates.choose(rates.read(data_folder() / rates.FILE), device, threads), device, threads)


def _measured_speed(selection: Selection, machine: Machine) -> Speed:
    """Measures the rates of this machine, keeps them in the data folder, and returns its speed by these rates."""
    rates.read(data_folder() / rates.FILE)  # reports a damaged file at once
    chosen = representatives(selection.cohorts)
    if not chosen:
        raise SpecError("--calibrate: no variant of known cost; only wganbench's own networks can be measured")
    from wganbench.runner.loop import choose_device  # imports torch, which plan otherwise does without
    from wganbench.runner.speed.calibrate import calibrate

    device, path = choose_device(machine.device), selection.spec.path
    found = calibrate(chosen, device, machine.threads, path, lambda line: echo(line, err=True))
    rates.keep(data_folder() / rates.FILE, found)
    return known_speed(found.device, machine.threads)
