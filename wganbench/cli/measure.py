"""``wganbench measure``: takes a new measure of a run whose weights were kept, without training it again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from wganbench.cli.console import echo
from wganbench.cli.options import (
    component_options,
    cpu_threads,
    data_dir,
    device_kind,
    grouped,
    inception_weights,
    results_folder,
)
from wganbench.errors import SpecError
from wganbench.records import measured


@dataclass(frozen=True)
class Asked:
    """The measure to be taken: its name, its options as texts, and the score network if not the run's own."""

    measure: str
    settings: tuple[str, ...]
    score: str | None


@click.command(short_help="Take a new measure of kept weights.")
@click.argument("run_id", metavar="RUN")
@grouped(
    "asked",
    Asked,
    click.option("--measure", required=True, metavar="NAME", help="The measure's name, as a spec names it."),
    click.option("--set", "settings", multiple=True, metavar="OPTION=VALUE", help="Set an option of it; repeatable."),
    click.option("--score", metavar="NAME", help="'inception', or a classifier's file [default: the run's own]."),
)
@click.option("--step", type=click.IntRange(min=0), help="Use the weights after this step [default: the last kept].")
@data_dir
@inception_weights
@device_kind
@cpu_threads
@results_folder
def measure(
    run_id: str,
    asked: Asked,
    step: int | None,
    device: str,
    threads: int,
    results: Path,
) -> None:
    """Take a measure of RUN, whose weights 'run --keep-weights' has kept, without training it again.

    The number goes to 'measured' beside the records, with the measure's options, the weights and the software. Reports
    list it in a table of its own; no claim and no figure reads it.
    """
    name, score, options = asked.measure, asked.score, component_options(asked.settings, "samples=500")
    from wganbench.runner.kept_runs import find  # imports torch
    from wganbench.runner.loop import choose_device
    from wganbench.runner.precision import numerics
    from wganbench.runner.remeasure import remeasure
    from wganbench.spec import Component

    try:
        network = None if score is None else Component.resolve("score", _score(score))
    except ValueError as error:
        raise SpecError(f"--score {score}: {error}") from None
    kept, place = find(run_id, results, step), choose_device(device)
    with numerics(place, threads, deterministic=False, precision="fp32"):
        found = remeasure(kept, name, options, network, place)
    path = measured.add(results, kept.record, found)
    value = "not finite" if found.value is None else f"{found.value:.6g}"
    by = f" by {found.score_protocol}" if found.score_protocol else ""
    echo(f"{name} = {value}{by}, of {run_id} after step {found.step:,}; kept in {path}, apart from the record")


def _score(name: str) -> str | dict[str, str]:
    return name if name == "inception" else {"name": "classifier", "file": name}
