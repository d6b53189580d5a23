"""Figures of kind ``success``: the share of random architectures that score above a threshold, for two methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from wganbench.analysis.architectures import Sample, largest, samples_of
from wganbench.analysis.figures import style
from wganbench.analysis.figures.drawing import Drawing, Used
from wganbench.analysis.tables.success import architectures, rows_of, with_each
from wganbench.records.store import Store
from wganbench.spec.figures import FactorsFigure, SuccessFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def select(drawing: Drawing[SuccessFigure]) -> Used:
    """Returns all records if there is a sample of architectures with thresholds, and none otherwise."""
    sample = sample_of(drawing)
    return drawing.used if sample is not None and sample.thresholds else {}


def sample_of(drawing: Drawing[SuccessFigure] | Drawing[FactorsFigure]) -> Sample | None:
    """Returns the largest sample of architectures among the records."""
    return largest(samples_of(drawing.experiment, drawing.records, drawing.profile))


def describe(sample: Sample) -> tuple[str, str]:
    """Returns the number of architectures, and a description of the sample if it is not the paper's."""
    others = f", the most of {sample.is_one_of} samples" if sample.is_one_of > 1 else ""
    return f"{architectures(sample.n)}{others}", "" if sample.is_the_papers else sample.unlike_the_paper


def draw(drawing: Drawing[SuccessFigure], store: Store) -> Figure:
    """Draws success rates over the thresholds, with the published ones if they are comparable."""
    sample = sample_of(drawing)
    assert sample is not None  # otherwise no records would be selected
    of, unlike = describe(sample)
    about = drawing.about(unlike, "bands: Wilson intervals, 95 %")
    figure = style.panels(1, drawing.title, about, entries=4 if sample.is_the_papers else 2, row=3.6)
    draw_rates(figure.axes[0], sample)
    figure.axes[0].set_title(of)
    style.legend_below(figure)
    return figure


def draw_rates(axes: Axes, sample: Sample) -> None:
    """Draws a line with a band per method, and the published rates dashed in the same colour."""
    from matplotlib.ticker import PercentFormatter  # see style.theme

    rows = rows_of(sample)
    thresholds = np.array([row.threshold for row in rows])
    for place, method in enumerate(sample.table.methods):
        intervals = [row.intervals[place] for row in rows]
        limits = np.array([each.low for each in intervals]), np.array([each.high for each in intervals])
        rates = np.array([row.successes[place] / sample.n for row in rows])
        look: dict[str, Any] = {"marker": style.MARKERS[place], "markersize": 4, "mec": "white", "mew": 0.5}
        style.draw_band(axes, thresholds, rates, limits, style.COLOURS[place], label=method, gid="rates", **look)
    for place, method in enumerate(sample.table.methods):
        published = [with_each(row.published)[place] / sum(row.published) for row in rows if row.published]
        if published:
            (line,) = axes.plot(thresholds, published, "--", color=style.COLOURS[place], linewidth=1, gid="published")
            line.set_label(f"{method}, published")
    axes.set_ylim(-0.02, 1.02)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=""))
    protocol = sample.protocol or "a score of no named protocol"
    axes.set(xlabel=f"threshold of {sample.table.measure}, {protocol}", ylabel="% above the threshold")
