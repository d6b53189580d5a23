"""Options that several commands share.

Options for the location of files on this machine are not part of any setting: they are kept in environment variables,
for the command and the processes that it starts.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from wganbench.files import DATA_VARIABLE, WEIGHTS_VARIABLE

F = TypeVar("F", bound=Callable[..., Any])

COUNT = click.IntRange(min=1)
POSITIVE = click.FloatRange(min=0, min_open=True)


def together(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Combines several options into one decorator; the help lists them in this order."""

    def given(function: F) -> F:
        for option in reversed(options):
            function = option(function)
        return function

    return given


RUNS, REFERENCE = Path("runs"), Path("results")
"""Results folders: the user's own, which git ignores, and the committed reference that others are compared with."""

_FOLDER = click.Path(file_okay=False, path_type=Path)

results_folder = click.option(
    "--results", type=_FOLDER, default=RUNS, show_default=True, help="Folder of the records, made where there is none."
)
results_or_runs = click.option(
    "--results", type=_FOLDER, help=f"Folder of the records [default: {REFERENCE}, or {RUNS} where it has none of EXP]."
)
runs_or_results = click.option(
    "--results", type=_FOLDER, help=f"Folder of the records [default: {RUNS}, or {REFERENCE} where it has none of it]."
)


def results_option(results: Path) -> str:
    """Returns the ``--results`` option that a printed command needs for this folder; empty for the default folder."""
    return "" if results == RUNS else f" --results {results}"


device_kind = click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
cpu_threads = click.option("--threads", type=COUNT, default=1, show_default=True, help="CPU threads a cohort.")


def _kept_in(variable: str) -> Callable[[click.Context, click.Parameter, Path | None], None]:
    def keep(context: click.Context, option: click.Parameter, path: Path | None) -> None:
        if path is not None:
            before = {key: value for key, value in os.environ.items() if key == variable}
            context.call_on_close(lambda: os.environ.update(before))
            context.call_on_close(lambda: os.environ.pop(variable))  # callbacks run in reverse order
            os.environ[variable] = str(path.absolute())

    return keep


data_dir = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    expose_value=False,
    callback=_kept_in(DATA_VARIABLE),
    help=f"Folder of the image sets [default: ${DATA_VARIABLE}, or wganbench in the user's cache].",
)
inception_weights = click.option(
    "--inception-weights",
    type=click.Path(dir_okay=False, path_type=Path),
    expose_value=False,
    callback=_kept_in(WEIGHTS_VARIABLE),
    help=(f"File of the Inception network's weights [default: ${WEIGHTS_VARIABLE}, or torch-fidelity's download]."),
)
