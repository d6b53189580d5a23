"""``wganbench speed``: measures how fast this machine trains, plainly and as ``run`` does it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from wganbench.analysis.estimate import cheapest_median_dearest
from wganbench.cli.console import counted, echo, print_tables
from wganbench.cli.options import (
    COUNT,
    FOLDER,
    POSITIVE,
    RUNS,
    covered,
    data_dir,
    device_kind,
    grouped,
    only_variants,
    results_option,
)
from wganbench.errors import SpecError
from wganbench.records import speeds
from wganbench.spec import MAX_STACK, Experiment
from wganbench.spec.catalogue import is_dotted
from wganbench.spec.plan import Run, expand

_timed = grouped(
    "timing",
    speeds.Timing,
    click.option("--seeds", type=click.IntRange(1, MAX_STACK), help="Stacked seeds per job [default: the spec's]."),
    click.option("--jobs", type=COUNT, default=1, show_default=True, help="Processes at a time, each with a stack."),
    click.option("--threads", type=COUNT, default=1, show_default=True, help="CPU threads per job."),
    click.option("--peer", metavar="MODULE:FUNCTION", help="Also time another project's step; see docs/speed.md."),
    click.option(
        "--seconds",
        type=POSITIVE,
        default=10.0,
        show_default=True,
        help="About how long to time a variant; a long step is taken three times in each way nevertheless.",
    ),
)


@click.command(short_help="Measure how fast this machine trains.")
@click.argument("experiments", nargs=-1, metavar="[EXP]...")
@click.option("--profile", default="quick", show_default=True, help="smoke, quick, reduced, paper, …")
@only_variants
@_timed
@device_kind
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--results",
    type=FOLDER,
    default=RUNS,
    show_default=True,
    help=f"Folder of the records; speeds go to its folder {speeds.FOLDER!r}, a file per device.",
)
@data_dir
def speed(
    experiments: tuple[str, ...],
    profile: str,
    variants: tuple[str, ...],
    timing: speeds.Timing,
    device: str,
    as_json: bool,
    results: Path,
) -> None:
    """Measure how fast this machine trains, plainly and as 'run' does it, and keep it for the report.

    Without --variant, measure the cheapest, the median and the dearest variant of each EXP; without EXP, those of every
    experiment that ships. All ways are timed in turns, so that the ratios hold on a busy machine.
    """
    if timing.peer is not None and not is_dotted(timing.peer):
        raise SpecError(f"--peer: must be package.module:function, got {timing.peer!r}")
    specs = covered(experiments)
    chosen = [(spec, run) for spec in specs for run in _runs(spec, profile, variants)]
    if not chosen:
        raise SpecError(f"--variant {variants[0]}: no such variant in {', '.join(spec.file for spec in specs)}")
    from wganbench.analysis.tables.speed import speed_table  # pandas and scipy take a second to import
    from wganbench.analysis.tables.table import terminal
    from wganbench.runner.loop import choose_device  # imports torch
    from wganbench.runner.speed.bench import device_name
    from wganbench.runner.speed.measure import measure

    torch_device = choose_device(device)
    name, rows = device_name(torch_device), []
    speeds.load(results)  # reports a damaged file before anything is measured
    for spec, run in chosen:
        echo(f"{spec.name}, {run.variant}, {profile} …", err=True)
        rows.append(measure(run, spec, torch_device, timing))
        path = speeds.keep(results, "cuda" if torch_device.type == "cuda" else "cpu", name, rows[-1:])
    table = speed_table(name, rows)
    if as_json:
        echo(json.dumps({"device": name, "rows": [row.data for row in table.rows]}, indent=2))
        return
    print_tables(terminal(table))
    echo(f"{path}: {counted(len(rows), 'row')} measured; 'wganbench report{results_option(results)}' shows them")


def _runs(spec: Experiment, profile: str, variants: Sequence[str]) -> list[Run]:
    """Returns one run of each variant to measure."""
    if variants:
        own = [name for name in variants if name in spec.variants]
        return expand(spec, profile, [0], own) if own else []
    found = cheapest_median_dearest(expand(spec, profile, [0]))
    if not found:
        raise SpecError(f"{spec.file}: no variant of known cost to choose by; name some with --variant")
    return found
