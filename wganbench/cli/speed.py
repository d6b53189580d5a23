"""``wganbench speed``: measures how fast this machine trains, plainly and as ``run`` does it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from wganbench.analysis.estimate import cheapest_median_dearest
from wganbench.analysis.speed_targets import TARGETS, Target
from wganbench.cli.choice import only_variants
from wganbench.cli.options import COUNT, POSITIVE, RUNS, data_dir, device_kind, results_option
from wganbench.cli.printing import plain
from wganbench.errors import SpecError
from wganbench.records import speeds
from wganbench.records.rates import DeviceChoice
from wganbench.spec import MAX_STACK, Experiment, available, load
from wganbench.spec.catalogue import suggest
from wganbench.spec.plan import Run, expand

DEFAULT_PROFILE = "quick"


@dataclass(frozen=True)
class Asked:
    """One variant to measure, and how; the setting is that of ``run``, whose seed does not matter."""

    run: Run
    spec: Experiment
    seeds: int
    jobs: int
    threads: int
    target: str | None = None


@click.command(short_help="Measure how fast this machine trains.")
@click.argument("experiments", nargs=-1, metavar="[EXP]...")
@click.option("--profile", help=f"smoke, quick, reduced, paper, … [default: {DEFAULT_PROFILE}]")
@only_variants
@click.option("--seeds", type=click.IntRange(1, MAX_STACK), help="Stacked seeds of a job [default: the spec's stack].")
@click.option("--jobs", type=COUNT, help="Processes at a time, each with such a stack [default: 1].")
@device_kind
@click.option("--threads", type=COUNT, help="CPU threads a job [default: 1].")
@click.option(
    "--seconds",
    type=POSITIVE,
    default=10.0,
    show_default=True,
    help="Of timing a variant, about; a slow step is taken three times in each way all the same.",
)
@click.option("--target", "targets", multiple=True, metavar="NAME", help="Measure a named target; repeatable.")
@click.option("--targets", "listing", is_flag=True, help="List the targets, and measure nothing.")
@click.option("--suggest", "suggesting", is_flag=True, help="Try stacks of 1, 2, 4, 8, …, and say which is fastest.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--results",
    type=click.Path(file_okay=False, path_type=Path),
    default=RUNS,
    show_default=True,
    help=f"Folder of the records; speeds go to its folder {speeds.FOLDER!r}, a file a device.",
)
@data_dir
def speed(
    experiments: tuple[str, ...],
    profile: str | None,
    variants: tuple[str, ...],
    seeds: int | None,
    jobs: int | None,
    device: DeviceChoice,
    threads: int | None,
    seconds: float,
    targets: tuple[str, ...],
    listing: bool,
    suggesting: bool,
    as_json: bool,
    results: Path,
) -> None:
    """Measure how fast this machine trains, plainly and as 'run' does it, and keep it for the report.

    Without --variant it takes the cheapest, the median and the dearest variant of each EXP; without EXP those of every
    experiment that ships. All ways are timed in turns, so that the ratios hold on a busy machine.
    """
    if listing:
        for target in TARGETS.values():
            click.echo(f"{target.name}: {target.says}; {target.wanted()}")
        return
    fixed = {"EXP": experiments, "--profile": profile, "--variant": variants, "--seeds": seeds}
    fixed |= {"--jobs": jobs, "--threads": threads, "--suggest": suggesting}
    if targets:
        named = [option for option, value in fixed.items() if value]
        if named:
            raise SpecError(f"--target {targets[0]}: says by itself what to measure; leave out {', '.join(named)}")
        asked = [each for name in dict.fromkeys(targets) for each in _of_target(_target(name))]
        device = _device_of(targets, device)
    else:
        chosen = [
            (spec, run) for spec in map(load, experiments or available()) for run in _runs(spec, profile, variants)
        ]
        if not chosen:
            raise SpecError(f"--variant {variants[0]}: no such variant in {', '.join(experiments or available())}")
        asked = [Asked(run, spec, seeds or spec.stack, jobs or 1, threads or 1) for spec, run in chosen]
    if suggesting:
        _suggest(asked, device, as_json)
    else:
        _measure(asked, device, seconds, results, as_json)


def _runs(spec: Experiment, profile: str | None, variants: Sequence[str]) -> list[Run]:
    """Returns one run of each variant to measure."""
    named = profile or DEFAULT_PROFILE
    if variants:
        own = [name for name in variants if name in spec.variants]
        return expand(spec, named, [0], own) if own else []
    found = cheapest_median_dearest(expand(spec, named, [0]))
    if not found:
        raise SpecError(f"{spec.file}: no variant of known cost to choose by; name some with --variant")
    return found


def _target(name: str) -> Target:
    if name not in TARGETS:
        raise SpecError(f"--target {name}: unknown target{suggest(name, TARGETS)}")
    return TARGETS[name]


def _of_target(target: Target) -> list[Asked]:
    spec = load(target.experiment, target.overrides)
    runs = expand(spec, target.profile, [0], target.variants)
    return [Asked(run, spec, target.seeds, target.jobs, target.threads, target.name) for run in runs]


def _device_of(targets: Sequence[str], device: DeviceChoice) -> DeviceChoice:
    """Returns the kind of device that all targets are for."""
    kinds = {TARGETS[name].device for name in targets}
    if len(kinds) > 1 or (device != "auto" and {device} != kinds):
        told = ", ".join(f"{name} is for {TARGETS[name].device}" for name in targets)
        raise SpecError(f"--target: {told}; measure those of one device at a time, without --device")
    return kinds.pop()


def _measure(asked: Iterable[Asked], device: DeviceChoice, seconds: float, results: Path, as_json: bool) -> None:
    from wganbench.analysis.tables import speed, table  # pandas and scipy take a second to import
    from wganbench.runner.loop import choose_device  # imports torch
    from wganbench.runner.speed.measure import device_name, measure

    chosen = choose_device(device)
    name, rows = device_name(chosen), []
    speeds.load(results)  # reports a damaged file before anything is measured
    for each in asked:
        click.echo(f"{each.run.experiment}, {each.run.variant}, {each.run.profile} …", err=True)
        row = measure(
            each.run,
            chosen,
            seeds=each.seeds,
            jobs=each.jobs,
            threads=each.threads,
            seconds=seconds,
            spec_path=each.spec.path,
            target=each.target,
        )
        path = speeds.keep(results, "cuda" if chosen.type == "cuda" else "cpu", name, [row])
        rows.append(row)
    found = speed.speed_table(name, rows)
    if as_json:
        click.echo(json.dumps({"device": name, "rows": [row.data for row in found.rows]}, indent=2))
        return
    plain().print(table.terminal(found))
    click.echo(f"{path}: {len(rows)} rows measured; 'wganbench report{results_option(results)}' shows them")


def _suggest(asked: Iterable[Asked], device: DeviceChoice, as_json: bool) -> None:
    from wganbench.runner.loop import choose_device  # imports torch
    from wganbench.runner.speed.stack_size import suggest as suggest_stack

    chosen, told = choose_device(device), []
    for each in asked:
        about, stack = each.run, each.spec.stack
        found = suggest_stack(about, chosen, each.threads, each.spec.path)
        tried = {attempt.stack: attempt.seed_steps for attempt in found.tried}
        says = found.says(chosen.type, stack)
        names = {"experiment": about.experiment, "profile": about.profile, "variant": about.variant}
        told.append({**names, "stack": found.best.stack, "seed_steps": tried, "says": says})
        if not as_json:
            click.echo(f"{about.experiment}, {about.variant}, {about.profile}: {says}")
    if as_json:
        click.echo(json.dumps({"device": chosen.type, "suggestions": told}, indent=2))
