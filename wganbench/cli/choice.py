"""Selection of the experiment, the runs and the results folder that a command works on."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import click

from wganbench.cli.options import COUNT, together
from wganbench.errors import RecordError
from wganbench.records.record import Record
from wganbench.records.store import Store
from wganbench.spec import Experiment, available, load, parse_seeds
from wganbench.spec.plan import Run, expand

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
"""The options that select runs."""


def load_chosen(
    experiment: str, overrides: Sequence[str], data: Sequence[str], profile: str, variants: Sequence[str]
) -> tuple[Experiment, dict[str, Path]]:
    """Returns the experiment with the ``--data`` folders substituted, and these folders by the name of their set."""
    spec = load(experiment, overrides)
    if not data:
        return spec, {}
    from wganbench.spec import substitute  # imports numpy and Pillow, which nothing else here needs

    folders = substitute.parse(data)
    return load(experiment, [*overrides, *substitute.overrides(spec, folders, profile, variants)]), folders


def runs_of(experiment: Experiment, seeds: str | None, profile: str, variants: Sequence[str]) -> list[Run]:
    """Returns the runs of the given seeds, in their text form, or of the spec's own seeds."""
    which = parse_seeds(seeds) if seeds is not None else experiment.planned_seeds
    return expand(experiment, profile, which, variants)


def covered(names: Sequence[str]) -> list[Experiment]:
    """Returns the experiments that a report covers: those named, or all that ship with the package."""
    return [load(name) for name in dict.fromkeys(names or available())]


def has_records(results: Path, experiments: Collection[str] = ()) -> bool:
    """Returns whether a folder has records of any of these experiments, or any record at all if none is named."""
    return any(not experiments or path.parent.name in experiments for path in Store(results).paths())


def choose_folder(given: Path | None, experiments: Sequence[str], defaults: Sequence[Path]) -> Path:
    """Returns the given folder, else the first default with records of the experiments, else the first with any."""
    if given is not None:
        return given
    found = (each for names in (experiments, ()) for each in defaults if has_records(each, names))
    return next(found, defaults[0])


def load_records(results: Path) -> dict[str, Record]:
    """Returns all records of a folder, by run id.

    Raises:
        RecordError: If the folder is missing or has no records, or if a record is damaged.
    """
    check_folder(results)
    return Store(results).load()


def check_folder(results: Path) -> None:
    """Raises RecordError if the folder is missing or has no records."""
    if not results.exists():
        raise RecordError(f"{results}: no such folder; 'wganbench run' makes records, --results names another folder")
    if not has_records(results):
        raise RecordError(f"{results}: no records; 'wganbench run' makes them, --results names another folder")
