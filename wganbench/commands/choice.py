"""Which experiment and which of its runs a command is about."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from wganbench.commands.options import COUNT, together
from wganbench.plan import Run, expand, parse_seeds
from wganbench.spec import Experiment, available, load

overridden = click.option(
    "--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Override a field; repeatable."
)
only_variants = click.option("--variant", "variants", multiple=True, help="Only this variant; repeatable.")
data_folders = click.option(
    "--data",
    multiple=True,
    metavar="NAME=FOLDER",
    help="Images of FOLDER in the place of the image set NAME, under the folder's name; repeatable.",
)


chosen = together(
    click.option("--seeds", metavar="N|LIST", help="A count, or a list such as 0,3,7-9 [default: the spec's]."),
    click.option("--profile", default="quick", show_default=True, help="smoke, quick, reduced, paper, …"),
    only_variants,
    data_folders,
    overridden,
    click.option("--stack", type=COUNT, help="Seeds trained in lockstep [default: the spec's]."),
)
"""The options that choose runs."""


def load_chosen(
    experiment: str, overrides: Sequence[str], data: Sequence[str], profile: str, variants: Sequence[str]
) -> tuple[Experiment, dict[str, Path]]:
    """The experiment, with the folders of ``--data`` in their places, and these by the name of the set."""
    spec = load(experiment, overrides)
    if not data:
        return spec, {}
    from wganbench import substitute  # numpy and Pillow, which all else does without

    folders = substitute.parse(data)
    return load(experiment, [*overrides, *substitute.overrides(spec, folders, profile, variants)]), folders


def runs_of(experiment: Experiment, seeds: str | None, profile: str, variants: Sequence[str]) -> list[Run]:
    """Those of the seeds as they were typed, or of the spec's own number."""
    which = parse_seeds(seeds) if seeds is not None else list(range(experiment.seeds))
    return expand(experiment, profile, which, variants)


def covered(names: Sequence[str], results: Path) -> list[Experiment]:
    """What a report on ``results`` is about: the experiments named and those that have a folder there, else all."""
    recorded = {path.name for path in results.glob("*/") if path.is_dir()}
    shipped = [name for name in available() if not names or name in names or name in recorded]
    return [load(name) for name in dict.fromkeys([*shipped, *names])]
