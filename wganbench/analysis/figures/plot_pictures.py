"""Plots of the arrays that a run keeps: gradient norms by layer, weight histograms, critic surfaces.

These are the three kinds of plots in figure 1 of Gulrajani et al. (2017).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from wganbench.analysis.figures import plot
from wganbench.analysis.figures.plot import Array

FAKE = "#117733"
N_LEVELS = 20
_HEIGHTS = LinearSegmentedColormap.from_list("heights", ["#b9cbe6", "#5577bb", "#221155"])

# ---- layers -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Norms:
    """Gradient norms by layer, for the seeds of one variant.

    Attributes:
        position: The position of the variant in its spec, for ``style``.
        values: The norms, shape ``(seeds, layers)``, from the output back to the input; non-negative, or NaN where a
            seed has none.
        n_diverged: The number of seeds that ended early.
    """

    label: str
    position: int
    values: Array
    n_diverged: int = 0


def layers(axes: Axes, lines: Sequence[Norms]) -> None:
    """Draws norms by layer, one line per variant, from the output on the left back to the input, layer 1."""
    for place, line in enumerate(lines):
        layer_line(axes, line, height=0.025 + 0.03 * place)
    if any((line.values == 0).any() for line in lines):
        strip = 0.03 * (1 + len(lines))
        low, high = axes.get_ylim()
        axes.set_ylim(low - (high - low) * strip / (1 - strip), high)  # keeps the crosses below all lines
    depths = {line.values.shape[1] for line in lines}
    last = max(depths)
    axes.set_xlim(last + 0.02 * last, 1 - 0.02 * last)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=20, steps=[1, 2, 5, 10], integer=True))
    output = f" ({last})" if len(depths) == 1 else ""
    x = f"layer, from the output{output} back to the input (1)"
    plot.label_axes(axes, title="", x=x, y="gradient norm (log10)")


def layer_line(axes: Axes, line: Norms, *, height: float = 0.025) -> None:
    """Draws one variant: the geometric mean over seeds, and ``band`` over these.

    A norm of 0 has no logarithm, so it is drawn as a cross at ``height``, a share of the panel's height.
    """
    numbers = np.arange(line.values.shape[1], 0, -1)
    zero, fine = line.values == 0, np.isfinite(line.values) & (line.values > 0)
    logs = np.log10(line.values, out=np.full(line.values.shape, np.nan), where=fine)
    middle, low, high = (np.full(len(numbers), np.nan) for _ in range(3))
    name, kept = "range", fine.any(axis=0)
    if kept.any():
        middle[kept] = np.nanmean(logs[:, kept], axis=0)
        name, low[kept], high[kept] = plot.band(logs[:, kept])
    colour, dash = plot.style(line.position)
    n = len(line.values)
    what = "1 seed" if n == 1 else f"geometric mean and {name} of {n} seeds"
    n_odd = int((~fine & ~zero).sum())
    notes = [f"{line.n_diverged} diverged"] if line.n_diverged else []
    notes += [f"{zero.sum()} zero norm{'s' if zero.sum() > 1 else ''} (×)"] if zero.any() else []
    notes += [f"{n_odd} norm{'s' if n_odd > 1 else ''} not finite, left out"] if n_odd else []
    label = f"{line.label}: {', '.join([what, *notes])}"
    axes.fill_between(numbers, low, high, color=colour, alpha=0.14, linewidth=0)
    axes.plot(numbers, middle, dash, marker="o", ms=3, color=colour, linewidth=1.5, label=label)
    crosses = numbers[zero.any(axis=0)]
    heights, frame = np.full(len(crosses), height), axes.get_xaxis_transform()
    axes.plot(crosses, heights, "x", transform=frame, clip_on=False, color=colour, markersize=5, gid="zero")


def layers_figure(lines: Sequence[Norms], *, title: str, about: str = "") -> Figure:
    """Returns the figure of kind ``layers``: one panel with the legend below."""
    figure = plot.panels_figure(1, title=title, about=about, legend_rows=len(lines), row=3.4)
    layers(figure.axes[0], lines)
    plot.legend_below(figure, columns=1)
    return figure


# ---- histograms ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Histogram:
    """A histogram of one run.

    Attributes:
        position: The position of the variant in its spec, for ``style``.
        bins: The left edge, right edge and share of each bin, shape ``(bins, 3)``.
    """

    label: str
    position: int
    bins: Array


def histogram(axes: Axes, of: Histogram, *, quantity: str = "value") -> None:
    """Draws filled bars over the run's own range of ``quantity``, or the words "not finite"."""
    plot.label_axes(axes, title=of.label, x=quantity, y="share")
    if not np.isfinite(of.bins).all():
        _say(axes, "not finite")
        axes.set(xticks=[], yticks=[])
        return
    left, right, share = of.bins.T
    colour, _ = plot.style(of.position)
    # The thin edge closes the seams between bars, and makes a bar without width visible.
    axes.bar(left, share, right - left, align="edge", color=colour, edgecolor=colour, linewidth=0.3)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 5, 10], symmetric=True))


def _say(axes: Axes, words: str) -> None:
    box = {"facecolor": "white", "edgecolor": "none", "pad": 2, "alpha": 0.8}
    axes.text(0.5, 0.5, words, transform=axes.transAxes, ha="center", va="center", fontsize=8, color=plot.INK, bbox=box)


def histograms_figure(panels: Sequence[Histogram], *, title: str, about: str = "", quantity: str = "value") -> Figure:
    """Returns the figure of kind ``histograms``: one panel per variant, two or three in a row."""
    columns = 3 if len(panels) > 4 else 2
    figure = plot.panels_figure(len(panels), title=title, about=about, columns=columns, row=2.2)
    for place, (axes, panel) in enumerate(zip(figure.axes, panels, strict=True)):
        histogram(axes, panel, quantity=quantity)
        if place % columns:
            axes.set_ylabel("")
    return figure


# ---- surfaces -----------------------------------------------------------------------------------------------------


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


def levels(values: Array) -> Array:
    """The heights of the level sets, evenly spaced from lowest to highest; none if the surface is too flat for them."""
    evenly = np.linspace(values.min(), values.max(), N_LEVELS + 2)
    return evenly[1:-1] if (np.diff(evenly) > 0).all() else evenly[:0]


def surface(axes: Axes, cell: Surface) -> None:
    """Draws level sets under the samples, or a text if the surface has none."""
    heights = levels(cell.values) if np.isfinite(cell.values).all() else None
    if heights is not None and len(heights):
        mesh = np.linspace(-cell.window, cell.window, len(cell.values))
        axes.contour(mesh, mesh, cell.values, levels=heights, cmap=_HEIGHTS, linewidths=0.7, zorder=1)
    for samples, colour, alpha, name in ((cell.real, plot.DATA, 0.6, "real"), (cell.fake, FAKE, 0.3, "fake")):
        if samples is not None:
            inside = plot.inside(samples, cell.window)
            axes.plot(*inside.T, ".", mew=0, markersize=2.4, color=colour, alpha=alpha, zorder=2, gid=name)
    if heights is None or not len(heights):
        _say(axes, "not finite" if heights is None else "constant")
    axes.set(xlim=(-cell.window, cell.window), ylim=(-cell.window, cell.window), aspect="equal", xticks=[], yticks=[])
    axes.set_title(cell.label, fontsize=8, color=plot.INK, pad=3)
    axes.spines[:].set_color("#bbbbbb")


def surfaces_figure(cells: Sequence[Surface], *, columns: int = 3, title: str, about: str = "") -> Figure:
    """Returns the figure of kind ``surfaces``: one cell per variant, ``columns`` in a row."""
    n_columns = min(columns, len(cells))
    n_rows = math.ceil(len(cells) / n_columns)
    gap, words = 0.1, 0.16 + 0.12 * max(cell.label.count("\n") for cell in cells)
    side = min((plot.WIDTH - gap) / n_columns - gap, 2.85)
    width = max(n_columns * (side + gap) + gap, 6.0)
    top = 0.1 + plot.heading(about, width)
    height = top + n_rows * (words + side + gap)
    figure = Figure(figsize=(width, height), dpi=plot.DPI)
    for place, cell in enumerate(cells):
        row, column = divmod(place, n_columns)
        left, low = gap + column * (side + gap), height - top - row * (words + side + gap) - words - side
        surface(figure.add_axes((left / width, low / height, side / width, side / height)), cell)
    plot.entitle(figure, title, about)
    return figure
