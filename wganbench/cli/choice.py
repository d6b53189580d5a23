"""Which experiment, which of its runs and which folder of records a command is about."""

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
"""The options that choose runs."""


def load_chosen(
    experiment: str, overrides: Sequence[str], data: Sequence[str], profile: str, variants: Sequence[str]
) -> tuple[Experiment, dict[str, Path]]:
    """The experiment, with the folders of ``--data`` in their places, and these by the name of the set."""
    spec = load(experiment, overrides)
    if not data:
        return spec, {}
    from wganbench.spec import substitute  # numpy and Pillow, which all else does without

    folders = substitute.parse(data)
    return load(experiment, [*overrides, *substitute.overrides(spec, folders, profile, variants)]), folders


def runs_of(experiment: Experiment, seeds: str | None, profile: str, variants: Sequence[str]) -> list[Run]:
    """Those of the seeds as they were typed, or of the spec's own number."""
    which = parse_seeds(seeds) if seeds is not None else experiment.planned_seeds
    return expand(experiment, profile, which, variants)


def covered(names: Sequence[str]) -> list[Experiment]:
    """What a report is about: the experiments named, or every one that ships."""
    return [load(name) for name in dict.fromkeys(names or available())]


def has_records(results: Path, experiments: Collection[str] = ()) -> bool:
    """Whether a folder has records of any of these, or where none is named any record."""
    return any(not experiments or path.parent.name in experiments for path in Store(results).paths())


def choose_folder(given: Path | None, experiments: Sequence[str], defaults: Sequence[Path]) -> Path:
    """The folder that was given, or the first default with records of any of the experiments, or with any."""
    if given is not None:
        return given
    found = (each for names in (experiments, ()) for each in defaults if has_records(each, names))
    return next(found, defaults[0])


def load_records(results: Path) -> dict[str, Record]:
    """All records of a folder.

    Raises:
        RecordError: As ``check_folder`` does, and if a record is damaged.
    """
    check_folder(results)
    return Store(results).load()


def check_folder(results: Path) -> None:
    """Raises RecordError if there is no such folder, or no record in it."""
    if not results.exists():
        raise RecordError(f"{results}: no such folder; 'wganbench run' makes records, --results names another folder")
    if not has_records(results):
        raise RecordError(f"{results}: no records; 'wganbench run' makes them, --results names another folder")
