"""Draws the figure of the final values of runs over a number in their settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import matplotlib.figure
import numpy as np

from wganbench.analysis.figures import plot_points
from wganbench.analysis.figures.drawing import Drawing, about, final_of, title_and_unit, title_of
from wganbench.records.store import Store
from wganbench.spec.experiment import number_at


def draw_points(drawing: Drawing, store: Store) -> matplotlib.figure.Figure:
    """Draws one panel per measure, with one colour per group of variants."""
    figure = drawing.figure
    groups = figure.groups or {"": list(drawing.used)}
    planes = []
    for measure, law in zip(figure.measures, figure.laws or [""] * len(figure.measures), strict=True):
        found = [_dots(name, place, _finals_of(drawing, groups[name], measure)) for place, name in enumerate(groups)]
        dots = tuple(some for some in found if some is not None)
        if dots:
            planes.append(plot_points.Plane(*title_and_unit(measure, drawing), dots, _laws(drawing, groups, law)))
    x = figure.x_label or figure.x or ""
    return plot_points.points_figure(planes, x=x, title=title_of(drawing), about=about(drawing))


Finals = list[tuple[float, list[float]]]
"""The x of each variant, with the final value of each run; NaN where there is none."""


def _finals_of(drawing: Drawing, variants: Iterable[str], measure: str) -> Finals:
    """The final values of the variants that have runs with ``measure``, sorted by x."""
    found: Finals = []
    for variant in variants:
        records = [record for record in drawing.used.get(variant, ()) if measure in record.setting.measures]
        x = number_at(records[0].setting, drawing.figure.x or "") if records else None
        if x is not None:
            values = [final_of(record, measure) for record in records]
            found.append((x, [np.nan if value is None else value for value in values]))
    return sorted(found, key=lambda item: item[0])


def _dots(name: str, position: int, finals: Finals) -> plot_points.Dots | None:
    """Returns the dots of a group; None if none of its runs has a value."""
    if not any(np.isfinite(values).any() for _, values in finals):
        return None
    values = tuple(np.array(some) for _, some in finals)
    return plot_points.Dots(name, position, np.array([x for x, _ in finals]), values)


def _laws(drawing: Drawing, groups: Mapping[str, Sequence[str]], law: str) -> tuple[plot_points.Law, ...]:
    """Returns one law for all groups if they agree, and otherwise one for each group."""
    means = {
        name: {
            x: float(np.nanmean(values)) for x, values in _finals_of(drawing, members, law) if np.isfinite(values).any()
        }
        for name, members in groups.items()
    }
    together: dict[float, float] = {}
    for some in means.values():
        together |= some
    agree = all(np.isclose(y, together[x], rtol=1e-3, atol=0) for some in means.values() for x, y in some.items())
    if agree:
        return (_law(law, together, None),) if together else ()
    return tuple(
        _law(f"{law} of {name}", some, position) for position, (name, some) in enumerate(means.items()) if some
    )


def _law(label: str, means: Mapping[float, float], position: int | None) -> plot_points.Law:
    x = sorted(means)
    return plot_points.Law(label, np.array(x), np.array([means[at] for at in x]), position)
