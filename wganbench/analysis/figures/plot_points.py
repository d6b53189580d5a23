"""Plots of measures over a number in the setting, with the law that they should follow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from wganbench.analysis.figures import plot
from wganbench.analysis.figures.plot import Array

MARKERS = "osD^vPX*"
LAW = "#999999"
LOGARITHMIC_FROM = 100
"""The ratio of the largest to the smallest number from which an axis is logarithmic, if all are above 0."""


@dataclass(frozen=True)
class Dots:
    """Final values of one group of variants, each at its own x.

    Attributes:
        label: The name of the group in the legend; empty if it is the only one.
        position: The position of the group in its figure, for ``style``.
        x: The x of each variant, shape ``(variants,)``.
        values: An array for each variant, with one number per run; NaN where a run has no final value.
    """

    label: str
    position: int
    x: Array
    values: tuple[Array, ...]


@dataclass(frozen=True)
class Law:
    """The values that a measure should have.

    Attributes:
        x, y: Arrays of shape ``(k,)``, with x ascending.
        position: The position of the group that the law is for; None if it is for all groups.
    """

    label: str
    x: Array
    y: Array
    position: int | None = None


@dataclass(frozen=True)
class Plane:
    """The groups of one measure, and its law: none, one for all groups, or one per group."""

    title: str
    unit: str
    dots: tuple[Dots, ...]
    laws: tuple[Law, ...] = ()


def points(axes: Axes, plane: Plane, *, x: str) -> None:
    """Draws means over seeds as large marks and single seeds as small ones, on the law; ``x`` is the name of the axis.

    An axis is logarithmic if all numbers on it are above 0 and the largest is at least ``LOGARITHMIC_FROM`` times the
    smallest. Runs without a number are counted in a corner.
    """
    for law in plane.laws:
        colour = LAW if law.position is None else plot.style(law.position)[0]
        # A law is known only at its marks: between two of them it may jump, as a divergence between two lines does.
        (line,) = axes.plot(law.x, law.y, ":", color=colour, linewidth=0.8, label=f"law: {law.label}", zorder=1)
        line.set(marker="_", markersize=13, markeredgewidth=1.4, gid="law")
    for dots in plane.dots:
        group(axes, dots)
    values = np.concatenate([runs for dots in plane.dots for runs in dots.values])
    axes.set_xscale(_scale(np.concatenate([dots.x for dots in plane.dots])))
    axes.set_yscale(_scale(np.concatenate([values, *(law.y for law in plane.laws)])))
    for axis in (axes.xaxis, axes.yaxis):
        if axis.get_scale() == "log":
            axis.set_major_formatter("{x:g}")
            axis.set_minor_formatter(NullFormatter())
    plot.label_axes(axes, title=plane.title, x=x, y=plane.unit)
    axes.tick_params(which="minor", color="#bbbbbb")
    n_missing = int(np.isnan(values).sum())
    if n_missing:
        axes.set_title(f"{n_missing} of {len(values)} runs without a number", fontsize=7, loc="right", color=plot.INK)


def _scale(numbers: Array) -> str:
    known = numbers[np.isfinite(numbers)]
    return "log" if known.min() > 0 and known.max() / known.min() >= LOGARITHMIC_FROM else "linear"


def group(axes: Axes, dots: Dots) -> None:
    """Draws one group; if its variants have one seed each, a mark shows that seed."""
    runs = [len(values) for values in dots.values]
    few, many = min(runs), max(runs)
    label = "1 seed" if many == 1 else f"mean of {many if few == many else f'{few} to {many}'} seeds, small: each"
    label = f"{dots.label}: {label}" if dots.label else label
    known = [(x, values[np.isfinite(values)]) for x, values in zip(dots.x, dots.values, strict=True)]
    known = [(x, values) for x, values in known if len(values)]
    each = np.array([(x, value) for x, values in known for value in values]).reshape(-1, 2)
    means = np.array([(x, values.mean()) for x, values in known]).reshape(-1, 2)
    colour, marker = plot.style(dots.position)[0], MARKERS[dots.position % len(MARKERS)]
    axes.plot(*each.T, marker, color=colour, mew=0, ms=3, alpha=0.35, gid="seeds", zorder=2)
    axes.plot(*means.T, marker, color=colour, mec="white", mew=0.5, ms=6, label=label, gid="means", zorder=3)


def points_figure(planes: Sequence[Plane], *, x: str, title: str, about: str = "") -> Figure:
    """Returns the figure of kind ``points``: a panel per measure, two in a row, with the legend below."""
    labels = {dots.label for plane in planes for dots in plane.dots}
    labels |= {f"law {law.label}" for plane in planes for law in plane.laws}
    figure = plot.panels_figure(len(planes), title=title, about=about, legend_rows=math.ceil(len(labels) / 2))
    for axes, plane in zip(figure.axes, planes, strict=True):
        points(axes, plane, x=x)
    plot.legend_below(figure)
    return figure
