"""Figures of kind ``points``: final values over a number in the setting, with the law that they should follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from wganbench.analysis.figures import style
from wganbench.analysis.figures.drawing import Drawing, Used
from wganbench.analysis.figures.style import Array
from wganbench.records.record import Record
from wganbench.records.store import Store
from wganbench.spec.figures import PointsFigure, number_at

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LAW = "#999999"
LOGARITHMIC_FROM = 100
"""The ratio of the largest to the smallest number from which an axis is logarithmic, if all are above 0."""


@dataclass(frozen=True)
class Dots:
    """Final values of one group of variants, each at its own x.

    Attributes:
        label: The name of the group in the legend; empty if it is the only one.
        position: The position of the group in its figure, for ``style.look_of``.
        x: The x of each variant, shape ``(variants,)``.
        values: An array for each variant, with one number per run; NaN where a run has no final value.
    """

    label: str
    position: int
    x: Array
    values: tuple[Array, ...]

    @property
    def entry(self) -> str:
        """The group's entry in the legend."""
        few, many = min(map(len, self.values)), max(map(len, self.values))
        seeds = f"mean of {many if few == many else f'{few} to {many}'} seeds, small: each" if many > 1 else "1 seed"
        return f"{self.label}: {seeds}" if self.label else seeds


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


def select(drawing: Drawing[PointsFigure]) -> Used:
    """Returns the records of runs that did not fail, if any has a final value.

    A diverged run has none, and is counted in its panel.
    """
    figure = drawing.figure
    used = drawing.where(lambda each: each.status != "failed" and number_at(each.setting, figure.x) is not None)
    every = [record for records in used.values() for record in records]
    return used if any(_final(record, name) is not None for record in every for name in figure.measures) else {}


def _final(record: Record, measure: str) -> float | None:
    """Returns the final value of a finished run; None for other runs."""
    return record.measures.get(measure) if record.status == "finished" else None


def draw(drawing: Drawing[PointsFigure], store: Store) -> Figure:
    """Draws one panel per measure, two in a row, with one colour per group of variants."""
    figure = drawing.figure
    groups = figure.groups or {"": list(drawing.used)}
    panels: dict[str, tuple[list[Dots], list[Law]]] = {}
    for measure, law in zip(figure.measures, figure.laws or [""] * len(figure.measures), strict=True):
        dots = [_dots(name, place, _finals(drawing, groups[name], measure)) for place, name in enumerate(groups)]
        known = [group for group in dots if any(np.isfinite(values).any() for values in group.values)]
        if known:
            panels[measure] = known, _laws(law, {name: _finals(drawing, groups[name], law) for name in groups})
    entries = {dots.entry for some, _ in panels.values() for dots in some}
    entries |= {law.label for _, laws in panels.values() for law in laws}
    canvas = style.panels(len(panels), drawing.title, drawing.about(), entries=len(entries))
    for axes, (measure, (some, laws)) in zip(canvas.axes, panels.items(), strict=True):
        draw_points(axes, some, laws)
        title, unit = drawing.title_and_unit(measure)
        axes.set(xlabel=figure.x_label or figure.x, ylabel=style.beside(unit), title=title)
    style.legend_below(canvas)
    return canvas


Finals = list[tuple[float, Array]]
"""The x of each variant, ascending, with the final value of each run; NaN where there is none."""


def _finals(drawing: Drawing[PointsFigure], variants: Sequence[str], measure: str) -> Finals:
    """Returns the final values of the variants that have runs with ``measure``."""
    found: Finals = []
    for variant in variants:
        records = [record for record in drawing.used.get(variant, ()) if measure in record.setting.measures]
        x = number_at(records[0].setting, drawing.figure.x) if records else None
        if x is not None:
            values = [_final(record, measure) for record in records]
            found.append((x, np.array([np.nan if value is None else value for value in values])))
    return sorted(found, key=lambda item: item[0])


def _dots(name: str, position: int, finals: Finals) -> Dots:
    return Dots(name, position, np.array([x for x, _ in finals]), tuple(values for _, values in finals))


def _laws(law: str, finals: Mapping[str, Finals]) -> list[Law]:
    """Returns one law for all groups if they agree, and otherwise one for each group."""
    means = {
        name: {x: float(np.nanmean(values)) for x, values in found if np.isfinite(values).any()}
        for name, found in finals.items()
    }
    together = {x: y for some in means.values() for x, y in some.items()}
    agree = all(np.isclose(y, together[x], rtol=1e-3, atol=0) for some in means.values() for x, y in some.items())
    laws = [(law, together, None)] if agree else [(f"{law} of {name}", means[name], i) for i, name in enumerate(means)]
    return [
        Law(label, np.array(sorted(some)), np.array([some[x] for x in sorted(some)]), position)
        for label, some, position in laws
        if some
    ]


def draw_points(axes: Axes, groups: Sequence[Dots], laws: Sequence[Law] = ()) -> None:
    """Draws means over seeds as large marks and single seeds as small ones, on the laws.

    An axis is logarithmic if all numbers on it are above 0 and the largest is at least ``LOGARITHMIC_FROM`` times the
    smallest. Runs without a number are counted in a corner.
    """
    from matplotlib.ticker import NullFormatter  # see style.theme

    for law in laws:
        colour = LAW if law.position is None else style.look_of(law.position)[0]
        # A law is known only at its marks: between two of them it may jump, as a divergence between two lines does.
        (line,) = axes.plot(law.x, law.y, ":", color=colour, linewidth=0.8, label=f"law: {law.label}", zorder=1)
        line.set(marker="_", markersize=13, markeredgewidth=1.4, gid="law")
    for dots in groups:
        draw_group(axes, dots)
    values = np.concatenate([runs for dots in groups for runs in dots.values])
    axes.set_xscale(_scale(np.concatenate([dots.x for dots in groups])))
    axes.set_yscale(_scale(np.concatenate([values, *(law.y for law in laws)])))
    for axis in (axes.xaxis, axes.yaxis):
        if axis.get_scale() == "log":
            axis.set_major_formatter("{x:g}")
            axis.set_minor_formatter(NullFormatter())
    n_missing = int(np.isnan(values).sum())
    if n_missing:
        axes.set_title(f"{n_missing} of {len(values)} runs without a number", fontsize=7, loc="right")


def _scale(numbers: Array) -> str:
    known = numbers[np.isfinite(numbers)]
    return "log" if known.min() > 0 and known.max() / known.min() >= LOGARITHMIC_FROM else "linear"


def draw_group(axes: Axes, dots: Dots) -> None:
    """Draws one group; if its variants have one seed each, a mark shows that seed."""
    import seaborn as sns  # see style.theme

    x, y = np.repeat(dots.x, [len(values) for values in dots.values]), np.concatenate(dots.values)
    x, y = x[np.isfinite(y)], y[np.isfinite(y)]
    colour, marker = style.look_of(dots.position)[0], style.MARKERS[dots.position % len(style.MARKERS)]
    look: dict[str, Any] = {"color": colour, "marker": marker, "linestyle": ""}
    axes.plot(x, y, markersize=3, mew=0, alpha=0.35, gid="seeds", zorder=2, **look)
    look |= {"markersize": 6, "mew": 0.5, "gid": "means", "zorder": 3}
    sns.lineplot(x=x, y=y, errorbar=None, label=dots.entry, legend=False, ax=axes, **look)
