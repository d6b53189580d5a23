"""Figures and image grids as the page shows them: where their files are, and what they show in words."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from wganbench.analysis.figures import Drawing
from wganbench.analysis.figures.grids import STRIP, rows_of
from wganbench.analysis.report import FIGURES
from wganbench.analysis.results import value_of
from wganbench.analysis.tables.cells import number
from wganbench.records.store import Store
from wganbench.spec.figures import GridsFigure

SHOWS = {
    "classes": "Shares of the classes among generated images, a panel for each variant",
    "clouds": "Samples in the plane over training, a row for each variant",
    "curves": "Curves over training",
    "factors": "Scores of random architectures by factor",
    "grids": "Generated images over training, a row for each variant",
    "histograms": "Histograms, a panel for each variant",
    "layers": "A norm for each layer of the critic",
    "lines": "Lines of real and of generated text",
    "phases": "Paths of training in the plane of both players, with the vector field",
    "points": "Final values over a number of the setting",
    "sheet": "Generated images, a row for each architecture and a column for each method",
    "slices": "The critic's value and its gradient along a line",
    "success": "The share of architectures above each score, a line for each method",
    "surfaces": "Level sets of the critics over the data, a panel for each variant",
}
MAX_VARIANTS = 12
"""The most variants that an alternative text lists."""

Link = Callable[[PurePosixPath], str]
"""Returns the address of a file of the results folder, or its content as a ``data:`` address."""


@dataclass(frozen=True)
class Filmstrip:
    """The images of one variant over training: one file with a grid for each step, side by side.

    Attributes:
        source: The address of the file.
        width, height: The size of one grid in pixels.
        steps: The generator steps, ascending.
        gone: What there is after the last step of a run that ended early; empty otherwise.
    """

    variant: str
    source: str
    width: int
    height: int
    steps: tuple[int, ...]
    gone: str


@dataclass(frozen=True)
class Picture:
    """A figure of the report.

    Attributes:
        source: The address of its file.
        about: The runs that it shows.
        alternative: What it shows, for those who do not see it.
        filmstrips: The images over training, for a slider; only for kind ``grids``.
        steps: All steps of the filmstrips.
    """

    title: str
    source: str
    about: str
    alternative: str
    filmstrips: tuple[Filmstrip, ...]
    steps: tuple[int, ...]


def path_of(drawing: Drawing[Any]) -> PurePosixPath:
    """Returns the path of a figure's file in the results folder."""
    return PurePosixPath(drawing.experiment.name, FIGURES, drawing.file)


def pictures(drawings: Sequence[Drawing[Any]], store: Store, link: Link) -> Iterator[Picture]:
    """Yields the figures that have something to draw.

    Raises:
        RecordError: If the images of a run are missing or damaged.
    """
    for drawing in drawings:
        if drawing.used:
            filmstrips = tuple(_filmstrips(drawing, store, link)) if isinstance(drawing.figure, GridsFigure) else ()
            yield Picture(
                title=drawing.title,
                source=link(path_of(drawing)),
                about=drawing.about(),
                alternative=describe(drawing),
                filmstrips=filmstrips,
                steps=tuple(sorted({step for each in filmstrips for step in each.steps})),
            )


def _filmstrips(drawing: Drawing[GridsFigure], store: Store, link: Link) -> Iterator[Filmstrip]:
    for variant, row in rows_of(drawing.used, store).items():
        record = drawing.used[variant][0]
        (strip,) = (artefact.file for artefact in record.artefacts if artefact.file.endswith(STRIP))
        path = (store.path(record).parent / strip).relative_to(store.root)
        height, width, _ = row.sheets[0].shape
        label = " ".join(row.label.split())
        yield Filmstrip(label, link(PurePosixPath(path)), width, height, tuple(row.steps), " ".join(row.gone.split()))


def describe(drawing: Drawing[Any]) -> str:
    """Returns what a figure shows: its kind, its measures and variants, and for curves and points the last values."""
    measures = drawing.figure.measures_shown()
    parts = [SHOWS.get(drawing.figure.kind, drawing.figure.kind) + (f" of {', '.join(measures)}" if measures else "")]
    if not measures or len(drawing.used) > MAX_VARIANTS:
        names = list(drawing.used)
        more = f" and {len(names) - MAX_VARIANTS} more" if len(names) > MAX_VARIANTS else ""
        parts.append(f"Variants: {', '.join(names[:MAX_VARIANTS])}{more}")
    else:
        parts += [text for measure in measures if (text := _medians(drawing, measure))]
    return f"{drawing.title}. {'. '.join(parts)}. {drawing.about()}."


def _medians(drawing: Drawing[Any], measure: str) -> str:
    """The medians of a measure at the last step, by variant; empty if no run has a value."""
    found = []
    for variant, records in drawing.used.items():
        values = [value for record in records if (value := value_of(record, measure)) is not None]
        if values:
            found.append(f"{variant} {number(statistics.median(values))}")
    return f"Median {measure} at the last step: {', '.join(found)}" if found else ""
