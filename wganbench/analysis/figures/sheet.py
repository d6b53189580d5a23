"""Figures of kind ``sheet``: the images of many generators at the end of training, such as architectures × methods."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING

from wganbench.analysis.figures import grids
from wganbench.analysis.figures.drawing import Drawing, Used
from wganbench.analysis.figures.grids import Grids, Sheet
from wganbench.records.store import Store
from wganbench.spec.figures import SheetFigure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NO_RUN = "no run"
"""The text of a cell whose variant has no run with images."""

LABEL_WIDTH = 18
"""The most characters in a line of a row's name."""


def select(drawing: Drawing[SheetFigure]) -> Used:
    """Returns the first run of each variant that kept a strip of images."""
    return {variant: records[:1] for variant, records in drawing.where(grids.has_images).items()}


def draw(drawing: Drawing[SheetFigure], store: Store) -> Figure:
    """Draws the last images of each variant's first run in its row and column; a row without any run is left out."""
    figure, found = drawing.figure, grids.rows_of(drawing.used, store)
    kept = [i for i in range(len(figure.rows)) if any(column[i] in found for column in figure.columns.values())]
    cells = [[_cell(column[i], found) for column in figure.columns.values()] for i in kept]
    seeds = sorted({record.seed for record in drawing.records})
    about = drawing.about(f"seed {' and '.join(map(str, seeds))}, at the end of training")
    rows = [textwrap.fill(figure.rows[i], LABEL_WIDTH) for i in kept]
    return grids.draw_cells(cells, rows, list(figure.columns), drawing.title, about)


def _cell(variant: str, found: Mapping[str, Grids]) -> Sheet | str:
    if variant not in found:
        return NO_RUN if variant else ""
    return found[variant].gone or found[variant].sheets[-1]
