"""Figures of kind ``curves``: measures over steps, or over another measure, with one panel for each measure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wganbench.analysis.figures import style
from wganbench.analysis.figures.drawing import Drawing, Used, n_diverged
from wganbench.analysis.figures.style import Array
from wganbench.analysis.tables.published import headline
from wganbench.records.record import Curve, Record
from wganbench.records.store import Store
from wganbench.spec.figures import CurvesFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Line:
    """A measure over steps, or against another measure, for the seeds of one variant.

    Attributes:
        position: The position of the variant in its spec, for ``style.look_of``.
        x: The steps, or the other measure at these steps, in the order of the steps; shape ``(k,)``.
        values: The measure, shape ``(seeds, k)``; NaN where a seed has no value.
        n_diverged: The number of seeds that ended early.
    """

    label: str
    position: int
    x: NDArray[np.integer] | Array
    values: Array
    n_diverged: int = 0

    @property
    def entry(self) -> str:
        """The line's entry in the legend."""
        seeds, ended = len(self.values), f", {self.n_diverged} diverged (×)" if self.n_diverged else ""
        if seeds == 1:
            return f"{self.label}: 1 seed{ended}"
        return f"{self.label}: mean and {style.band_name(seeds)} of {seeds} seeds{ended}"


def select(drawing: Drawing[CurvesFigure]) -> Used:
    """Returns the records that have a curve of one of the figure's measures."""
    measures = _measures(drawing)
    return drawing.where(lambda record: any(_has_curve(record, name, drawing.figure.against) for name in measures))


def _measures(drawing: Drawing[CurvesFigure]) -> list[str]:
    return drawing.figure.measures or headline(drawing.experiment)


def _has_curve(record: Record, measure: str, against: str | None) -> bool:
    """Returns whether a record has a curve of at least two steps; both measures need values at these."""
    names = [measure, against or measure]
    steps = [set(record.curves[name].steps) if name in record.curves else set() for name in names]
    return len(steps[0] & steps[1]) > 1


def draw(drawing: Drawing[CurvesFigure], store: Store) -> Figure:
    """Draws one panel per measure, two in a row, with one line per variant."""
    against = drawing.figure.against
    panels: dict[str, list[Line]] = {}
    for measure in _measures(drawing):
        if any(_has_curve(record, measure, against) for record in drawing.records):
            found = [
                _line(variant, drawing.position(variant), measure, records, against)
                for variant, records in drawing.used.items()
            ]
            panels[measure] = [line for line in found if line is not None]
    entries = {line.entry for lines in panels.values() for line in lines}
    figure = style.panels(len(panels), drawing.title, drawing.about(), entries=len(entries))
    for axes, (measure, lines) in zip(figure.axes, panels.items(), strict=True):
        draw_lines(axes, lines, x=_axis(against, drawing) if against else None)
        title, unit = drawing.title_and_unit(measure)
        axes.set(title=title, ylabel=style.beside(unit))
    style.legend_below(figure)
    return figure


def _axis(measure: str, drawing: Drawing[CurvesFigure]) -> str:
    """Returns the name of the x axis if a measure is drawn against another."""
    title, unit = drawing.title_and_unit(measure)
    name = title.partition(" ")[0]
    return f"{name} ({unit})" if unit else name


def _line(variant: str, position: int, measure: str, records: Sequence[Record], against: str | None) -> Line | None:
    """Returns the line over steps or, if ``against`` is given, over its mean at each step.

    That mean is over the seeds that have both measures at the step.
    """
    known = [record for record in records if {measure, against or measure} <= record.curves.keys()]
    curves = [record.curves[measure] for record in known]
    steps = sorted({step for curve in curves for step in curve.steps})
    if not steps:
        return None
    values = _at(steps, curves)
    x: NDArray[np.integer] | Array = np.array(steps)
    if against is not None:
        places = _at(steps, [record.curves[against] for record in known])
        both = ~np.isnan(values) & ~np.isnan(places)
        kept = both.any(axis=0)
        values, places = (np.where(both, array, np.nan)[:, kept] for array in (values, places))
        x = np.nanmean(places, axis=0)
    return Line(variant, position, x, values, n_diverged(records))


def _at(steps: Sequence[int], curves: Sequence[Curve]) -> Array:
    """Returns the values of each curve at ``steps``, shape ``(curves, steps)``; NaN where it has none."""
    place = {step: index for index, step in enumerate(steps)}
    values = np.full((len(curves), len(steps)), np.nan)
    for row, curve in zip(values, curves, strict=True):
        for step, value in zip(curve.steps, curve.values, strict=True):
            if step in place and value is not None:
                row[place[step]] = value
    return values


def draw_lines(axes: Axes, lines: Sequence[Line], *, x: str | None = None) -> None:
    """Draws one panel.

    Args:
        x: The name of the x axis if that does not show steps. It is then linear, as it is for steps at even distances;
            others are denser at the beginning, and are drawn by their logarithm.
    """
    from matplotlib.ticker import NullLocator  # see style.theme

    for line in lines:
        draw_line(axes, line)
    every = [float(place) for line in lines for place in line.x]
    farthest = max((place for place in every if place > 0), default=1.0)
    is_logarithmic = x is None and not _are_even({int(place) for place in every})
    if is_logarithmic:
        axes.set_xscale("symlog", linthresh=1, linscale=0.4)  # logarithmic from step 1, but with a step 0
        axes.xaxis.set_minor_locator(NullLocator())
    if x is None or farthest > 10:
        axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlim(min([0.0, *every]), farthest * (1.15 if is_logarithmic else 1.02))
    axes.set_ylim(bottom=min(axes.get_ylim()[0], 0))
    axes.set_xlabel(x or "generator step")


def _are_even(steps: Collection[int]) -> bool:
    """Returns whether no gap between neighbouring steps is more than twice as wide as another."""
    apart = np.diff(sorted(steps))
    return len(apart) > 1 and bool(apart.max() <= 2 * apart.min())


def draw_line(axes: Axes, line: Line) -> None:
    """Draws the mean over the seeds that have not ended, with a band over these; a seed that ended ends in a cross."""
    kept = ~np.isnan(line.values).all(axis=0)
    if not kept.any():
        return
    x, values = line.x[kept], line.values[:, kept]
    colour, dash = style.look_of(line.position)
    mean, marker = np.nanmean(values, axis=0), "o" if len(x) <= style.FEW else ""
    look = {"linestyle": dash, "marker": marker, "markersize": 3, "label": line.entry}
    style.draw_band(axes, x, mean, style.band(values), colour, **look)
    for seed in values:
        last = np.flatnonzero(~np.isnan(seed))
        if len(last) and last[-1] < len(x) - 1:
            axes.plot(x[last[-1]], seed[last[-1]], "x", color=colour, markersize=5)
