"""Figures of kind ``surfaces``: level sets of critics, such as those of figure 1a of Gulrajani et al. (2017)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wganbench.analysis.figures import style
from wganbench.analysis.figures.artefacts import Kept, kept_of, with_picture
from wganbench.analysis.figures.drawing import Drawing, split_facts
from wganbench.analysis.figures.style import Array
from wganbench.analysis.tables.cells import number
from wganbench.records.record import Record
from wganbench.records.store import Store
from wganbench.spec.figures import SurfacesFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FAKE = "#117733"
N_LEVELS = 20
GAP, LARGEST = 0.1, 2.85
"""The inches between cells, and the largest width of a cell."""
HEIGHTS = ("#b9cbe6", "#5577bb", "#221155")
"""The colours of the level sets, from low to high."""


@dataclass(frozen=True)
class Surface:
    """A critic's values on a mesh of ``[-window, window]²``, including its border.

    Attributes:
        values: The values, shape ``(grid, grid)``, with rows from low to high y.
        real, fake: The samples, shape ``(n, 2)``; None if none were kept.
    """

    label: str
    values: Array
    window: float
    real: NDArray[np.floating] | None = None
    fake: NDArray[np.floating] | None = None


select = with_picture


def draw(drawing: Drawing[SurfacesFigure], store: Store) -> Figure:
    """Draws one cell per variant, for one seed, with its samples if it kept them."""
    found = {variant: _sampled(records, store, drawing.figure) for variant, records in drawing.used.items()}
    windows = {variant: _window(kept.record, drawing.figure) for variant, kept in found.items()}
    facts = {variant: (*kept.facts, f"window ±{number(windows[variant])}") for variant, kept in found.items()}
    shared, labels = split_facts(facts, "\n")
    cells = [
        Surface(label, kept.picture, windows[variant], kept.real, kept.fake)
        for label, (variant, kept) in zip(labels, found.items(), strict=True)
    ]
    key = f"lines: {N_LEVELS} level sets of the critic, each cell's own, darker is higher"
    if any(kept.real is not None for kept in found.values()):
        key += "; orange: the data, green: generated samples"
    return draw_surfaces(cells, drawing.figure.columns, drawing.title, drawing.about(*shared, key))


def _sampled(records: Sequence[Record], store: Store, figure: SurfacesFigure) -> Kept:
    """Reads the first seed that kept its samples, or else the first seed."""
    first = None
    for record in records:
        kept = kept_of(record, store, figure, "(grid, grid)", _is_square)
        if kept.fake is not None:
            return kept
        first = first or kept
    assert first is not None  # a variant without records is not drawn
    return first


def _is_square(shape: tuple[int, ...]) -> bool:
    return len(shape) == 2 and shape[0] == shape[1] > 1


def _window(record: Record, figure: SurfacesFigure) -> float:
    """Returns half the width of a surface's square; the figure's own if a custom picture has no such option."""
    window = (record.setting.pictures or {})[figure.picture].options.get("window")
    return float(window) if isinstance(window, int | float) and window > 0 else figure.window


def draw_surfaces(cells: Sequence[Surface], columns: int, title: str, about: str) -> Figure:
    """Returns a figure with ``columns`` square cells in a row."""
    n_columns = min(columns, len(cells))
    n_rows = math.ceil(len(cells) / n_columns)
    words = 0.16 + 0.12 * max(cell.label.count("\n") for cell in cells)
    side = min((style.WIDTH - GAP) / n_columns - GAP, LARGEST)
    pitch = words + side + GAP
    figure = style.blank(max(n_columns * (side + GAP) + GAP, 6.0), 0.1 + n_rows * pitch, title, about)
    for place, cell in enumerate(cells):
        row, column = divmod(place, n_columns)
        left, bottom = GAP + column * (side + GAP), GAP + (n_rows - 1 - row) * pitch
        draw_surface(style.place(figure, left, bottom, side, side), cell)
    return figure


def draw_surface(axes: Axes, cell: Surface) -> None:
    """Draws level sets under the samples, or a text if the surface has none."""
    from matplotlib.colors import LinearSegmentedColormap  # see style.theme

    heights = levels(cell.values) if np.isfinite(cell.values).all() else None
    if heights is not None and len(heights):
        mesh = np.linspace(-cell.window, cell.window, len(cell.values))
        colours = LinearSegmentedColormap.from_list("heights", HEIGHTS)
        axes.contour(mesh, mesh, cell.values, levels=heights, cmap=colours, linewidths=0.7, zorder=1)
    for samples, colour, alpha, name in ((cell.real, style.DATA, 0.6, "real"), (cell.fake, FAKE, 0.3, "fake")):
        if samples is not None:
            shown = style.inside(samples, cell.window)
            style.draw_samples(axes, shown, colour, name, markersize=2.4, alpha=alpha, zorder=2)
    if heights is None or not len(heights):
        style.write(axes, "not finite" if heights is None else "constant")
    axes.set(xlim=(-cell.window, cell.window), ylim=(-cell.window, cell.window), aspect="equal", xticks=[], yticks=[])
    axes.set_title(cell.label, fontsize=8, pad=3, loc="center")
    axes.spines[:].set_visible(True)


def levels(values: Array) -> Array:
    """Returns evenly spaced heights between the lowest and highest value; none if the surface is too flat for them."""
    evenly = np.linspace(values.min(), values.max(), N_LEVELS + 2)
    return evenly[1:-1] if (np.diff(evenly) > 0).all() else evenly[:0]
