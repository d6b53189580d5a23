"""The look of all figures, their layout in panels, and the file they are saved in.

Nothing here uses pyplot or changes global settings: figures are made and saved inside ``theme()``. Colours are Paul
Tol's *muted* set, which colour-blind readers can distinguish.
"""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from wganbench.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

Array = NDArray[np.float64]
COLOURS = ("#332288", "#cc6677", "#117733", "#ddaa33", "#88ccee", "#882255", "#44aa99", "#999933", "#aa4499", "#444444")
DASHES = ("-", "--", ":", "-.")
MARKERS = "osD^vPX*"
WIDTH, DPI = 9.0, 160
"""The width in inches, and dots per inch: a README shows figures about 900 pixels wide, where 8 points are legible."""
INK, FRAME = "#333333", "#bbbbbb"
DATA = "#ee8833"
MARGIN = 0.02
"""The least space in inches between a label and the left edge of a figure."""
BOX = {"facecolor": "white", "edgecolor": "none", "pad": 2, "alpha": 0.8}
"""The background of a text that stands on data."""
INTERQUARTILE_FROM = 5
"""The number of seeds from which a band shows quartiles; fewer hardly have any."""
FEW = 25
"""The most points of a line that are marked, to show that the line between them was not measured."""


def theme() -> AbstractContextManager[None]:
    """Returns a context with the settings in which figures are drawn and saved."""
    import matplotlib
    import seaborn as sns  # both, with pandas, take a second, which a report that draws nothing does not have to wait

    own: dict[Any, Any] = {
        "font.sans-serif": ["DejaVu Sans"],  # matplotlib ships it, so that figures are the same on every machine
        "font.size": 8,
        "figure.dpi": DPI,
        "axes.titlelocation": "left",
        "axes.titlesize": 9,
        "axes.linewidth": 0.8,
        "axes.edgecolor": FRAME,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": "#e6e6e6",
        "grid.linewidth": 0.6,
        "legend.frameon": False,
        "patch.force_edgecolor": False,
        **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.labelcolor", "ytick.labelcolor"), INK),
        **dict.fromkeys(("xtick.color", "ytick.color"), FRAME),
    }
    return matplotlib.rc_context({**sns.axes_style("ticks"), **own})


def look_of(position: int) -> tuple[str, str]:
    """Returns the colour and dash of the variant at ``position`` in its spec; dashes differ once colours repeat."""
    return COLOURS[position % len(COLOURS)], DASHES[position // len(COLOURS) % len(DASHES)]


def looks_apart(positions: Iterable[int]) -> dict[int, int]:
    """Returns for each position that a figure shows the one whose look it gets, so that their colours differ.

    Each keeps its own look, except where an earlier one of the figure has its colour and another colour is free.
    """
    own, n = sorted(set(positions)), len(COLOURS)
    first = {position % n: position for position in reversed(own)}
    found = {}
    for position in own:
        free = (colour for colour in range(n) if colour not in first)
        colour = position % n if first[position % n] == position else next(free, position % n)
        first.setdefault(colour, position)
        found[position] = position - position % n + colour
    return found


# ---- layout -------------------------------------------------------------------------------------------------------


def blank(width: float, height: float, title: str, about: str) -> Figure:
    """Returns a figure with title and subtitle above an empty space of ``width`` × ``height`` inches."""
    from matplotlib.figure import Figure

    subtitle = textwrap.fill(about, int(width * 16.5))
    height = round((height + 0.3 + 0.15 * (1 + subtitle.count("\n"))) * DPI) / DPI  # else the canvas drops a row
    figure = Figure(figsize=(width, height))
    figure.text(0.1 / width, 1 - 0.08 / height, title, fontsize=9.5, va="top", color="black")
    figure.text(0.1 / width, 1 - 0.29 / height, subtitle, va="top")
    return figure


def place(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Adds Axes at a place given in inches, from the lower left corner of the figure."""
    across, up = figure.get_size_inches()
    return figure.add_axes((left / across, bottom / up, width / across, height / up))


def panels(
    n: int, title: str, about: str, *, entries: int = 0, legend_columns: int = 2, columns: int = 2, row: float = 2.35
) -> Figure:
    """Returns a titled figure of ``n`` empty panels, with room below for a legend.

    Args:
        entries: The number of entries of the legend, in ``legend_columns``.
        columns: The most panels in a row.
        row: The height of a row in inches.
    """
    n_columns = min(n, columns)
    n_rows = math.ceil(n / n_columns)
    bottom = 0.65 + 0.17 * math.ceil(entries / legend_columns) if entries else 0.5
    below_heading = row * n_rows + bottom - 0.5
    figure = blank(WIDTH, 0.28 + below_heading, title, about)
    height = figure.get_figheight()
    limits = {"left": 0.07, "right": 0.985, "top": below_heading / height, "bottom": bottom / height}
    grid = figure.add_gridspec(n_rows, n_columns, **limits, hspace=0.52, wspace=0.2)
    for panel in range(n):
        figure.add_subplot(grid[divmod(panel, n_columns)])
    return figure


def beside(unit: str) -> str:
    """Returns a label for the side of a panel, which is 34 letters high; a longer one takes several lines."""
    return textwrap.fill(unit, 34, break_long_words=False, break_on_hyphens=False)


def legend_below(figure: Figure, *, columns: int = 2) -> None:
    """Draws one legend for all panels, without duplicate entries."""
    entries: dict[str, Artist] = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    figure.legend(entries.values(), entries.keys(), loc="lower center", ncols=columns)


def label_cells(axes: Axes) -> None:
    """Shows the tick labels of ``axes`` as the names of columns, above, and of rows, and nothing else of the axes."""
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)


# ---- what several kinds draw --------------------------------------------------------------------------------------


def band_name(n_seeds: int) -> str:
    """Returns what a band over that many seeds shows: quartiles from five on, else the range."""
    return "quartiles" if n_seeds >= INTERQUARTILE_FROM else "range"


def band(values: Array) -> tuple[Array, Array]:
    """Returns the lower and upper limits of the band at each of ``k`` steps, where at least one seed has a value.

    Args:
        values: Shape ``(seeds, k)``.
    """
    if band_name(len(values)) == "range":
        return np.nanmin(values, axis=0), np.nanmax(values, axis=0)
    quantile = np.nanquantile if np.isnan(values).any() else np.quantile  # nanquantile works step by step
    low, high = quantile(values, [0.25, 0.75], axis=0)
    return low, high


def draw_band(axes: Axes, x: NDArray[Any], line: Array, limits: tuple[Array, Array], colour: str, **look: Any) -> None:
    """Draws a line in a band, whose lower and upper ``limits`` are given.

    ``seaborn.lineplot`` computes both from the seeds, but takes 1.5 ms for each point: 4 s for a large figure.
    """
    axes.fill_between(x, *limits, color=colour, alpha=0.14, linewidth=0)
    axes.plot(x, line, color=colour, **look)


def draw_samples(axes: Axes, samples: Array, colour: str, name: str, **look: Any) -> None:
    """Draws samples, ``(n, 2)``, as dots; ``name`` becomes their gid."""
    axes.plot(*samples.T, ".", mew=0, color=colour, gid=name, **look)


def inside(samples: NDArray[np.floating], window: float) -> Array:
    """Returns the samples within ±``window``, which excludes NaN and infinity."""
    points = samples.astype(np.float64)
    return points[(np.abs(points) <= window).all(axis=1)]


def write(axes: Axes, words: str) -> None:
    """Writes words into the middle of a panel."""
    axes.text(0.5, 0.5, words, transform=axes.transAxes, ha="center", va="center", bbox=BOX)


# ---- files --------------------------------------------------------------------------------------------------------


def save(figure: Figure, path: Path) -> None:
    """Writes the figure's `png`.

    Raises:
        RecordError: If the file cannot be written.
    """
    write_atomically(path, png(figure), replace=True)


def png(figure: Figure) -> bytes:
    """Returns a PNG with 256 colours, half the size of one with all; its bytes depend only on numbers and versions."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas, out = FigureCanvasAgg(figure), io.BytesIO()
    with theme():  # matplotlib makes some tick labels only now
        canvas.draw()
        if _make_room(figure, canvas):
            canvas.draw()
    pixels = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    palette = pixels.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    palette.save(out, "PNG", optimize=True)
    return out.getvalue()


def _make_room(figure: Figure, canvas: FigureCanvasAgg) -> bool:
    """Moves the left edge of a grid of panels to the right if a label beside them would leave the figure.

    Returns:
        Whether anything was moved.
    """
    from matplotlib.gridspec import GridSpec

    of_grid = [(axes, spec) for axes in figure.axes if (spec := axes.get_subplotspec()) is not None]
    boxes = [axes.get_tightbbox(canvas.get_renderer()) for axes, _ in of_grid]
    missing = max((MARGIN - box.x0 / figure.dpi for box in boxes if box is not None), default=0.0)
    if missing <= 0:
        return False
    for grid in {grid for _, spec in of_grid if isinstance(grid := spec.get_gridspec(), GridSpec)}:
        grid.left = grid.get_subplot_params(figure).left + missing / figure.get_figwidth()
    for axes, spec in of_grid:
        axes.set_position(spec.get_position(figure))
    return True
