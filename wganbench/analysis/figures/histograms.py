"""Figures of kind ``histograms``: the shares between bin edges that runs kept, such as those of their weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from wganbench.analysis.figures import style
from wganbench.analysis.figures.artefacts import kept_of, with_picture
from wganbench.analysis.figures.drawing import Drawing, split_facts
from wganbench.analysis.figures.style import Array
from wganbench.records.store import Store
from wganbench.spec.figures import HistogramsFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Histogram:
    """A histogram of one run.

    Attributes:
        position: The position of the variant in its spec, for ``style.look_of``.
        bins: The left edge, right edge and share of each bin, shape ``(bins, 3)``.
    """

    label: str
    position: int
    bins: Array


select = with_picture


def draw(drawing: Drawing[HistogramsFigure], store: Store) -> Figure:
    """Draws one panel per variant, two or three in a row, for its first seed."""
    figure = drawing.figure
    found = {
        variant: kept_of(records[0], store, figure, "(bins, 3)", lambda shape: len(shape) == 2 and shape[1] == 3)
        for variant, records in drawing.used.items()
    }
    shared, labels = split_facts({variant: kept.facts for variant, kept in found.items()}, ", ")
    quantity = figure.picture.removesuffix("_histogram").replace("_", " ")
    columns = 3 if len(found) > 4 else 2
    about = drawing.about(*shared, "each panel has its own range")
    canvas = style.panels(len(found), drawing.title, about, columns=columns, row=2.2)
    for place, (axes, label, variant) in enumerate(zip(canvas.axes, labels, found, strict=True)):
        draw_histogram(axes, Histogram(label, drawing.position(variant), found[variant].picture))
        axes.set(xlabel=quantity, ylabel="" if place % columns else "share")
    return canvas


def draw_histogram(axes: Axes, of: Histogram) -> None:
    """Draws filled bars over the run's own range, or the words "not finite"."""
    from matplotlib.ticker import MaxNLocator  # see style.theme

    axes.set_title(of.label)
    if not np.isfinite(of.bins).all():
        style.write(axes, "not finite")
        axes.set(xticks=[], yticks=[])
        return
    left, right, share = of.bins.T
    colour, _ = style.look_of(of.position)
    # The thin edge closes the seams between bars, and makes a bar without width visible.
    axes.bar(left, share, right - left, align="edge", color=colour, edgecolor=colour, linewidth=0.3)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 5, 10], symmetric=True))
