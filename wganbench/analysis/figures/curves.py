"""Draws the figure of the curves of runs, over steps or over another measure."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.figure
import numpy as np
from numpy.typing import NDArray

from wganbench.analysis.figures import plot
from wganbench.analysis.figures.drawing import Drawing, about, curves_of, n_diverged, title_and_unit, title_of
from wganbench.analysis.figures.plot import Array
from wganbench.records.record import Curve, Record
from wganbench.records.store import Store


def draw_curves(drawing: Drawing, store: Store) -> matplotlib.figure.Figure:
    """Draws one panel per measure, with one line per variant."""
    return plot.curves_figure(_panels(drawing), title=title_of(drawing), about=about(drawing))


def _panels(drawing: Drawing) -> list[plot.Panel]:
    """Returns a panel for each measure that has a curve."""
    panels, positions = [], list(drawing.experiment.variants)
    every = [record for records in drawing.used.values() for record in records]
    measures = dict.fromkeys(name for record in every for name in curves_of(drawing.experiment, drawing.figure, record))
    against = drawing.figure.against
    x = _axis(against, drawing) if against else None
    for measure in measures:
        found = [
            _line(variant, positions.index(variant), measure, records, against)
            for variant, records in drawing.used.items()
        ]
        lines = tuple(line for line in found if line)
        if lines:
            panels.append(plot.Panel(*title_and_unit(measure, drawing), lines, x))
    return panels


def _axis(measure: str, drawing: Drawing) -> str:
    """The name of the x axis if a measure is drawn against another."""
    title, unit = title_and_unit(measure, drawing)
    name = title.partition(" ")[0]
    return f"{name} ({unit})" if unit else name


def _line(
    variant: str, position: int, measure: str, records: Sequence[Record], against: str | None = None
) -> plot.Line | None:
    """Returns the line over steps or, if ``against`` is given, over its mean at each step.

    That mean is over the seeds that have both measures at the step.
    """
    wanted = {measure, against or measure}
    known = [record for record in records if wanted <= record.curves.keys()]
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
    return plot.Line(variant, position, x, values, n_diverged(records))


def _at(steps: Sequence[int], curves: Sequence[Curve]) -> Array:
    """The values of each curve at ``steps``, shape ``(curves, steps)``; NaN where it has none."""
    place = {step: index for index, step in enumerate(steps)}
    values = np.full((len(curves), len(steps)), np.nan)
    for row, curve in zip(values, curves, strict=True):
        known = [(place[step], value) for step, value in zip(curve.steps, curve.values, strict=True) if step in place]
        for index, value in known:
            row[index] = np.nan if value is None else value
    return values
