"""Plots of clouds and curves, and helpers for all figure kinds; each function draws numbers on the Axes it is given.

Nothing here reads or shows a figure, and pyplot with its global state is not used. Colours are Paul Tol's *muted* set,
which colour-blind readers can distinguish; a variant has the colour of its position in the spec in every figure. The
other kinds are in ``plot_grids``, ``plot_pictures``, ``plot_points`` and ``plot_success``.
"""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import NullLocator
from numpy.typing import NDArray
from PIL import Image

from wganbench.files import write_atomically

Array = NDArray[np.float64]
COLOURS = ("#332288", "#cc6677", "#117733", "#ddaa33", "#88ccee", "#882255", "#44aa99", "#999933", "#aa4499", "#444444")
DASHES = ("-", "--", ":", "-.")
WIDTH, DPI = 9.0, 160
"""The width in inches, and dots per inch: a README shows figures about 900 pixels wide, where 8 points are legible."""
INK = "#333333"
DATA = "#ee8833"
_DENSITY = LinearSegmentedColormap.from_list("density", ["#c9dcee00", "#c9dceee0", "#6ba3d0f0", "#1f5f9f"])


def style(position: int) -> tuple[str, str]:
    """The colour and dash of the variant at ``position`` in its spec; dashes differ once colours repeat."""
    return COLOURS[position % len(COLOURS)], DASHES[position // len(COLOURS) % len(DASHES)]


# ---- shared by all kinds ------------------------------------------------------------------------------------------


def _wrapped(about: str, width: float) -> str:
    return "\n".join(textwrap.wrap(about, int(width * 16.5)))


def heading(about: str, width: float) -> float:
    """The height of title and subtitle in inches."""
    return 0.3 + 0.15 * len(_wrapped(about, width).splitlines())


def entitle(figure: Figure, title: str, about: str) -> None:
    """Draws title and subtitle at the top, where ``heading`` inches were reserved."""
    width, height = figure.get_size_inches()
    figure.text(0.1 / width, 1 - 0.08 / height, title, fontsize=9.5, va="top", color="black")
    figure.text(0.1 / width, 1 - 0.29 / height, _wrapped(about, width), fontsize=8, va="top", color=INK)


def label_axes(axes: Axes, *, title: str, x: str, y: str) -> None:
    """Sets a panel's title, axis labels and unobtrusive frame."""
    axes.set_title(title, fontsize=9, loc="left", color=INK)
    axes.set_xlabel(x, fontsize=8, color=INK)
    axes.set_ylabel(y, fontsize=8, color=INK)
    axes.tick_params(labelsize=8, color="#bbbbbb", labelcolor=INK)
    axes.grid(color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[:].set_color("#bbbbbb")


def panels_figure(
    n: int, *, title: str, about: str, columns: int = 2, legend_rows: int = 0, row: float = 2.35
) -> Figure:
    """Returns a titled figure of ``n`` empty panels, ``row`` inches high, with room for ``legend_rows`` below."""
    n_columns = min(n, columns)
    n_rows = math.ceil(n / n_columns)
    top, bottom = 0.28 + heading(about, WIDTH), (0.65 if legend_rows else 0.5) + 0.17 * legend_rows
    height = top + row * n_rows + bottom - 0.5
    figure = Figure(figsize=(WIDTH, height), dpi=DPI)
    limits = {"left": 0.07, "right": 0.985, "top": 1 - top / height, "bottom": bottom / height}
    grid = figure.add_gridspec(n_rows, n_columns, **limits, hspace=0.52, wspace=0.2)
    for place in range(n):
        figure.add_subplot(grid[divmod(place, n_columns)])
    entitle(figure, title, about)
    return figure


def legend_below(figure: Figure, *, columns: int = 2) -> None:
    """Draws one legend for all panels, without duplicate entries."""
    handles: dict[str, Artist] = {}
    for axes in figure.axes:
        handles = {label: handle for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)} | handles
    figure.legend(
        handles.values(), handles.keys(), loc="lower center", ncols=columns, fontsize=8, frameon=False, labelcolor=INK
    )


# ---- clouds of samples --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cloud:
    """A method's samples over training.

    Attributes:
        label: The name of the row.
        steps: The generator steps, shape ``(k,)``.
        fake: The samples at these steps, shape ``(k, n, 2)``.
        real: Samples of the data, shape ``(m, 2)``.
        gone: The text of an empty cell, such as ``"diverged"``.
    """

    label: str
    steps: NDArray[np.integer]
    fake: NDArray[np.floating]
    real: NDArray[np.floating]
    gone: str = ""


def density(points: NDArray[np.floating], window: float, grid: int = 128) -> Array:
    """Gaussian kernel density estimate of ``points``, ``(n, 2)``, on ``[-window, window]²``, up to a factor.

    The kernel has Scott's width, but at least two mesh cells in every direction, as in the measure ``kde_peaks``, so
    that a cloud that collapsed to a point or line, with a singular covariance, has a density too. Points are counted on
    a mesh of twice the window and convolved by FFT, which is a hundred times faster than a sum over samples.

    Returns:
        The density, shape ``(grid, grid)``, with rows from low to high y.
    """
    points, cell = points[np.isfinite(points).all(axis=1)].astype(np.float64), 2 * window / grid
    if not len(points):
        return np.zeros((grid, grid))
    edges = np.linspace(-2 * window, 2 * window, 2 * grid + 1)
    counts, _, _ = np.histogram2d(points[:, 1], points[:, 0], bins=(edges, edges))
    variances, axes = np.linalg.eigh(np.cov(points.T) if len(points) > 1 else np.zeros((2, 2)))
    widths = np.clip(np.sqrt(np.maximum(variances, 0)) * len(points) ** (-1 / 6), 2 * cell, window)
    kernel = (axes * widths**2) @ axes.T
    u, v = np.fft.rfftfreq(2 * grid, cell)[None, :], np.fft.fftfreq(2 * grid, cell)[:, None]
    spectrum = np.exp(-2 * math.pi**2 * (kernel[0, 0] * u**2 + 2 * kernel[0, 1] * u * v + kernel[1, 1] * v**2))
    smooth = np.fft.irfft2(np.fft.rfft2(counts) * spectrum, s=counts.shape)
    return np.maximum(smooth[grid // 2 : -grid // 2, grid // 2 : -grid // 2], 0)


def clouds(axes: Axes, rows: Sequence[Cloud], *, window: float = 4.0) -> None:
    """Draws cells of methods (down) × steps (across): samples on their density estimate on the data, ±``window``.

    All cells share ``axes``, each shifted to its place, because a hundred Axes take seconds to draw.
    """
    columns = sorted({int(step) for row in rows for step in row.steps})
    pitch = 2.12 * window
    for down, row in enumerate(rows):
        at = {int(step): samples for step, samples in zip(row.steps, row.fake, strict=True)}
        for across, step in enumerate(columns):
            cloud(axes, at.get(step), row, np.array([pitch * across, -pitch * down]), window)
    axes.set_xlim(-window * 1.06, pitch * (len(columns) - 1) + window * 1.06)
    axes.set_ylim(-pitch * (len(rows) - 1) - window * 1.06, window * 1.06)
    axes.set_aspect("equal")
    axes.set_xticks([pitch * across for across in range(len(columns))], [f"step {step:,}" for step in columns])
    axes.set_yticks([-pitch * down for down in range(len(rows))], [row.label for row in rows])
    axes.xaxis.tick_top()
    axes.tick_params(length=0, labelsize=8, labelcolor=INK)
    axes.spines[:].set_visible(False)


def cloud(axes: Axes, samples: NDArray[np.floating] | None, row: Cloud, centre: Array, window: float) -> None:
    """Draws one cell: ``samples``, ``(n, 2)``, around ``centre``, with the share outside the window in a corner."""
    left, low = centre - window
    axes.add_patch(Rectangle((left, low), 2 * window, 2 * window, facecolor="none", edgecolor="#bbbbbb", linewidth=0.6))
    if samples is None:
        axes.text(centre[0], centre[1], row.gone, ha="center", va="center", fontsize=7, color=INK)
        return
    estimate, extent = density(samples, window), (left, left + 2 * window, low, low + 2 * window)
    data, shown = inside(row.real, window), inside(samples, window)
    axes.plot(*(data + centre).T, ".", mew=0, markersize=2, color=DATA, alpha=0.5, zorder=0, gid="real")
    axes.imshow(estimate, cmap=_DENSITY, vmin=0, extent=extent, origin="lower", interpolation="bilinear", zorder=1)
    axes.plot(*(shown + centre).T, ".", mew=0, markersize=1.6, color="#111133", alpha=0.35, zorder=2, gid="fake")
    outside = 1 - len(shown) / len(samples)
    if outside >= 0.005:
        box = {"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.8}
        x, y = left + 0.08 * window, low + 0.08 * window
        axes.text(x, y, f"{outside:.0%} outside", fontsize=6, color=INK, va="bottom", bbox=box)


def inside(samples: NDArray[np.floating], window: float) -> Array:
    """The samples within ±``window``, which excludes NaN and infinity."""
    points = samples.astype(np.float64)
    return points[(np.abs(points) <= window).all(axis=1)]


def clouds_figure(rows: Sequence[Cloud], *, title: str, about: str = "", window: float = 4.0) -> Figure:
    """Returns the figure of kind ``clouds``, with ``about`` under the title."""
    n_columns = len({int(step) for row in rows for step in row.steps})
    label, below = 1.35, 0.06
    cell = min((WIDTH - label) / n_columns, 1.6)
    width = max(label + cell * n_columns, 6.0)
    top = 0.3 + heading(about, width)
    height = top + cell * len(rows) + below
    figure = Figure(figsize=(width, height), dpi=DPI)
    place = (label / width, below / height, cell * n_columns / width - 0.005, cell * len(rows) / height)
    clouds(figure.add_axes(place), rows, window=window)
    entitle(figure, title, about)
    return figure


# ---- curves -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """A measure over steps, or against another measure, for the seeds of one variant.

    Attributes:
        position: The position of the variant in its spec, for ``style``.
        x: The steps, or the other measure at these steps, in the order of the steps; shape ``(k,)``.
        values: The measure, shape ``(seeds, k)``; NaN where a seed has no value.
        n_diverged: The number of seeds that ended early.
    """

    label: str
    position: int
    x: NDArray[np.integer] | Array
    values: Array
    n_diverged: int = 0


@dataclass(frozen=True)
class Panel:
    """The lines of one measure.

    Attributes:
        x: The name of the x axis if it does not show steps; the axis is then linear.
    """

    title: str
    unit: str
    lines: tuple[Line, ...]
    x: str | None = None


INTERQUARTILE_FROM = 5
"""The number of seeds from which a band shows quartiles; fewer hardly have any."""
FEW = 25
"""The most points of a line that are marked, to show that the line between them was not measured."""


def band(values: Array) -> tuple[str, Array, Array]:
    """The name and, at each step, the limits of the band over seeds: quartiles for five or more, else the range."""
    if len(values) >= INTERQUARTILE_FROM:
        quantile = np.nanquantile if np.isnan(values).any() else np.quantile  # nanquantile works step by step
        return "quartiles", *quantile(values, [0.25, 0.75], axis=0)
    return "range", np.nanmin(values, axis=0), np.nanmax(values, axis=0)


def curves(axes: Axes, panel: Panel) -> None:
    """Draws a line per variant, the mean over seeds with a band; each seed that diverged ends in a cross."""
    for line in panel.lines:
        curve(axes, line)
    every = [float(x) for line in panel.lines for x in line.x]
    farthest = max((x for x in every if x > 0), default=1.0)
    if panel.x is None:
        axes.set_xscale("symlog", linthresh=1, linscale=0.4)  # logarithmic from step 1, but with a step 0
        axes.xaxis.set_minor_locator(NullLocator())
    if panel.x is None or farthest > 10:
        axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlim(min([0.0, *every]), farthest * (1.15 if panel.x is None else 1.02))
    axes.set_ylim(bottom=min(axes.get_ylim()[0], 0))
    label_axes(axes, title=panel.title, x=panel.x or "generator step", y=panel.unit)


def curve(axes: Axes, line: Line) -> None:
    """Draws one variant: the mean over the seeds that have not ended, and ``band`` over these."""
    kept = ~np.isnan(line.values).all(axis=0)
    if not kept.any():
        return
    x, values = line.x[kept], line.values[:, kept]
    colour, dash = style(line.position)
    name, low, high = band(values)
    ended = f", {line.n_diverged} diverged (×)" if line.n_diverged else ""
    label = f"{line.label}: mean and {name} of {len(values)} seeds{ended}"
    label = f"{line.label}: 1 seed{ended}" if len(values) == 1 else label
    axes.fill_between(x, low, high, color=colour, alpha=0.14, linewidth=0)
    marker = "o" if len(x) <= FEW else ""
    axes.plot(x, np.nanmean(values, axis=0), dash, marker=marker, ms=3, color=colour, linewidth=1.5, label=label)
    for seed in values:
        last = np.flatnonzero(~np.isnan(seed))
        if len(last) and last[-1] < len(x) - 1:
            axes.plot(x[last[-1]], seed[last[-1]], "x", color=colour, markersize=5)


def curves_figure(panels: Sequence[Panel], *, title: str, about: str = "") -> Figure:
    """Returns the figure of kind ``curves``: a panel per measure, two in a row, with the legend below.

    The text ``about`` is under the title.
    """
    legend_rows = math.ceil(max(len(panel.lines) for panel in panels) / 2)
    figure = panels_figure(len(panels), title=title, about=about, legend_rows=legend_rows)
    for axes, panel in zip(figure.axes, panels, strict=True):
        curves(axes, panel)
    legend_below(figure)
    return figure


# ---- files --------------------------------------------------------------------------------------------------------


def save(figure: Figure, path: Path) -> None:
    """Writes a PNG with 256 colours, half the size of one with all; its bytes depend only on numbers and versions.

    Raises:
        RecordError: If the file cannot be written.
    """
    canvas, out = FigureCanvasAgg(figure), io.BytesIO()
    canvas.draw()
    pixels = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    palette = pixels.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    palette.save(out, "PNG", optimize=True)
    write_atomically(path, out.getvalue(), replace=True)
