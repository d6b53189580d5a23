"""Plots of random architectures with two methods: success rates over thresholds, and scores by design choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from wganbench.analysis.figures import plot
from wganbench.analysis.figures.plot import Array
from wganbench.analysis.stats import Interval

MARKERS = "os"
APART = 0.17
"""Half the distance between the two methods at one value; adjacent values are 1 apart."""
JITTER = 0.06


@dataclass(frozen=True)
class Rates:
    """A method's success rate over thresholds.

    Attributes:
        position: The position of the method in its spec, for ``style``.
        thresholds, rates, low, high: Arrays of shape ``(thresholds,)``; rates and their limits are shares.
        published: The source's rates, of the same shape; None if they are not comparable.
    """

    label: str
    position: int
    thresholds: Array
    rates: Array
    low: Array
    high: Array
    published: Array | None = None


def rates(axes: Axes, methods: Sequence[Rates], *, x: str, of: str) -> None:
    """Draws a line with a band per method, and the published rates dashed in the same colour.

    The title ``of`` says what the rates are shares of.
    """
    for place, method in enumerate(methods):
        colour, _ = plot.style(method.position)
        axes.fill_between(method.thresholds, method.low, method.high, color=colour, alpha=0.14, linewidth=0)
        (line,) = axes.plot(
            method.thresholds, method.rates, color=colour, linewidth=1.5, label=method.label, gid="rates"
        )
        line.set(marker=MARKERS[place % len(MARKERS)], markersize=4, markeredgecolor="white", markeredgewidth=0.5)
    for method in methods:
        if method.published is not None:
            label = f"{method.label}, published"
            colour, _ = plot.style(method.position)
            axes.plot(
                method.thresholds, method.published, "--", color=colour, linewidth=1, label=label, gid="published"
            )
    axes.set_ylim(-0.02, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=""))
    plot.label_axes(axes, title=of, x=x, y="% above the threshold")


def rates_figure(methods: Sequence[Rates], *, x: str, of: str, title: str, about: str = "") -> Figure:
    """Returns the figure of kind ``success``."""
    n_rows = 1 + any(method.published is not None for method in methods)
    figure = plot.panels_figure(1, title=title, about=about, legend_rows=n_rows, row=3.6)
    rates(figure.axes[0], methods, x=x, of=of)
    plot.legend_below(figure)
    return figure


@dataclass(frozen=True)
class Scores:
    """The scores of a method at each value of a factor.

    Attributes:
        position: The position of the method in its spec, for ``style``.
        values: An array for each value of the factor, with one number per architecture.
        intervals: The intervals of the means; None where there is none.
    """

    label: str
    position: int
    values: tuple[Array, ...]
    intervals: tuple[Interval | None, ...]


@dataclass(frozen=True)
class Choices:
    """A factor of one network, with its values and the scores of each method at each value."""

    title: str
    values: tuple[str, ...]
    methods: tuple[Scores, ...]


def choices(axes: Axes, of: Choices, *, y: str) -> None:
    """Draws means as large marks with intervals, single architectures as faint points, and their number below."""
    middle = (len(of.methods) - 1) / 2
    for place, method in enumerate(of.methods):
        colour, marker = plot.style(method.position)[0], MARKERS[place % len(MARKERS)]
        at = np.arange(len(of.values)) + 2 * APART * (place - middle)
        spread = [np.linspace(-JITTER, JITTER, len(each)) if len(each) > 1 else np.zeros(1) for each in method.values]
        x = np.concatenate([centre + offsets for centre, offsets in zip(at, spread, strict=True)])
        axes.plot(x, np.concatenate(method.values), marker, color=colour, mew=0, ms=2.5, alpha=0.3, gid="architectures")
        for centre, interval in zip(at, method.intervals, strict=True):
            if interval is not None:
                axes.plot([centre] * 2, [interval.low, interval.high], color=colour, linewidth=1.5, gid="interval")
        means = [each.mean() for each in method.values]
        (line,) = axes.plot(at, means, marker, color=colour, ms=5, label=method.label, gid="means", zorder=3)
        line.set(markeredgecolor="white", markeredgewidth=0.5)
    counts = [len(each) for each in of.methods[0].values]
    labels = [f"{value.replace('_', ' ')}\nn = {n}" for value, n in zip(of.values, counts, strict=True)]
    axes.set_xlim(-0.5, len(of.values) - 0.5)
    plot.label_axes(axes, title=of.title, x="", y=y)
    axes.set_xticks(range(len(of.values)), labels)
    axes.tick_params(axis="x", length=0)
    axes.grid(visible=False, axis="x")


def choices_figure(panels: Sequence[Choices], *, y: str, title: str, about: str = "") -> Figure:
    """Returns the figure of kind ``factors``: a panel per factor and network, two in a row, all with the same range."""
    figure = plot.panels_figure(len(panels), title=title, about=about, legend_rows=1, row=2.1)
    for axes, panel in zip(figure.axes, panels, strict=True):
        choices(axes, panel, y=y)
    scores = np.concatenate([each for panel in panels for method in panel.methods for each in method.values])
    low, high = scores.min(), scores.max()  # an interval over two architectures may be far longer, and is cut off
    margin = 0.05 * (high - low) or 1.0
    for axes in figure.axes:
        axes.set_ylim(low - margin, high + margin)
    plot.legend_below(figure)
    return figure
