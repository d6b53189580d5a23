"""Strip plots: one dot for each run of a check, and lines for its interval, its bound and what is published.

Places across are in percent of the width, so that a plot fills any screen; places down are in pixels.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from wganbench.analysis.html.scale import Scale, scale_for
from wganbench.analysis.stats import Interval
from wganbench.analysis.tables.cells import number

Kind = Literal["bound", "published", "zero"]

RADIUS = 4
"""The radius of a dot, in pixels."""
BIN = 1.5
"""The width, in percent, within which dots are stacked."""
TALL = 1.5
"""How tall a block of dots in one bin is at most, in times of its width."""
LABEL, BELOW, AXIS = 20, 14, 20
"""The pixels for the name of a strip, for the interval under its dots, and for the axis below all strips."""
EDGES = (3.0, 97.0)
"""Where runs without a number lie, in percent: on the left below, and on the right above all numbers."""


@dataclass(frozen=True)
class Dot:
    """One run, or one architecture, of a strip.

    Attributes:
        value: The number that the check reads; it is not drawn if ``at_edge``.
        at_edge: -1 or 1 for a run without a number of its own, which lies at the left or right edge; else 0.
        text: What the dot is, for readers: its seed, value, status and run id.
        run: The run id.
    """

    value: float
    at_edge: int
    text: str
    run: str


@dataclass(frozen=True)
class Line:
    """A line across all strips: a bound of the claim, a published value, or zero."""

    value: float
    kind: Kind
    text: str


@dataclass(frozen=True)
class Strip:
    """The dots of one variant, or one row of a plot that shows a difference or a share.

    Attributes:
        centre: The estimate; None if none belongs to this strip.
        interval: The interval of the estimate.
        lines: Lines of this strip alone.
    """

    label: str
    dots: tuple[Dot, ...] = ()
    centre: float | None = None
    interval: Interval | None = None
    lines: tuple[Line, ...] = ()

    def numbers(self) -> list[float]:
        """Returns all numbers that are drawn."""
        found = [dot.value for dot in self.dots if not dot.at_edge]
        found += [line.value for line in self.lines]
        found += [] if self.centre is None else [self.centre]
        return found + ([self.interval.low, self.interval.high] if self.interval else [])


@dataclass(frozen=True)
class Chart:
    """What a strip plot shows: the strips above each other, and the lines across all of them."""

    title: str
    strips: tuple[Strip, ...]
    lines: tuple[Line, ...] = ()


# ---- as it is drawn -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mark:
    """A dot where it is drawn: ``x`` in percent and then ``shift`` in pixels to the right, ``y`` in pixels."""

    x: float
    shift: float
    y: float
    is_run: bool
    text: str


@dataclass(frozen=True)
class Rule:
    """A vertical line where it is drawn."""

    x: float
    top: int
    bottom: int
    kind: Kind


@dataclass(frozen=True)
class Row:
    """A strip where it is drawn.

    Attributes:
        baseline: The y of its name.
        marks: Its dots.
        whisker: The y of the interval.
        low, high, centre: The places of the interval's ends and of the estimate; None if there is none.
    """

    label: str
    baseline: int
    marks: tuple[Mark, ...]
    whisker: int
    low: float | None
    high: float | None
    centre: float | None


@dataclass(frozen=True)
class Plot:
    """A chart laid out for SVG.

    Attributes:
        height: The height in pixels.
        floor: The y of the axis.
        edges: The edges that hold runs, as the left end and the width of each, in percent.
        legend: The kind and the text of each line, and of the interval.
        summary: What the plot shows, in a sentence for those who do not see it.
    """

    title: str
    height: int
    floor: int
    rows: tuple[Row, ...]
    rules: tuple[Rule, ...]
    ticks: tuple[tuple[float, str], ...]
    edges: tuple[tuple[float, float], ...]
    legend: tuple[tuple[str, str], ...]
    summary: str


def lay_out(chart: Chart) -> Plot:
    """Places everything that a chart shows."""
    scale = scale_for([line.value for line in chart.lines] + [x for strip in chart.strips for x in strip.numbers()])
    top, rows, rules = 0, [], []
    for strip in chart.strips:
        row, bottom = _row(strip, scale, top)
        rows.append(row)
        rules += [Rule(scale.place(line.value), top + LABEL, bottom, line.kind) for line in strip.lines]
        top = bottom
    across = [Rule(scale.place(line.value), LABEL - 2, top, line.kind) for line in chart.lines]
    used = {dot.at_edge for strip in chart.strips for dot in strip.dots}
    return Plot(
        title=f"{chart.title}, on a logarithmic axis" if scale.is_log else chart.title,
        height=top + AXIS,
        floor=top,
        rows=tuple(rows),
        rules=(*across, *rules),
        ticks=tuple(scale.ticks()),
        edges=tuple(edge for side, edge in ((-1, (0.0, 6.0)), (1, (94.0, 6.0))) if side in used),
        legend=tuple(_legend(chart)),
        summary="; ".join([chart.title, *map(_in_words, chart.strips), *(line.text for line in chart.lines)]),
    )


def _row(strip: Strip, scale: Scale, top: int) -> tuple[Row, int]:
    """Returns a strip in its place, and the y below it."""
    across = [EDGES[dot.at_edge > 0] if dot.at_edge else scale.place(dot.value) for dot in strip.dots]
    bins = [round(x / BIN) for x in across]
    counted, size = Counter(bins), 2 * RADIUS + 1
    rows = {own: math.ceil(math.sqrt(TALL * n)) for own, n in counted.items()}
    height = max(rows.values(), default=1) * size + 1
    floor, seen, marks = top + LABEL + height, Counter[int](), []
    for dot, x, own in zip(strip.dots, across, bins, strict=True):
        column, up = divmod(seen[own], rows[own])
        n_columns = math.ceil(counted[own] / rows[own])
        seen[own] += 1
        shift = (column - (n_columns - 1) / 2) * size
        marks.append(Mark(x, shift, floor - RADIUS - 1 - up * size, not dot.at_edge, dot.text))
    limits = (None, None) if strip.interval is None else (strip.interval.low, strip.interval.high)
    low, high, centre = (_place(scale, value) for value in (*limits, strip.centre))
    floor = floor if strip.dots else top + LABEL
    row = Row(strip.label, top + LABEL - 6, tuple(marks), floor + BELOW // 2, low, high, centre)
    return row, floor + BELOW


def _place(scale: Scale, value: float | None) -> float | None:
    """The place of a number; an infinite one lies at the end of the axis."""
    if value is None or math.isnan(value):
        return None
    return scale.place(max(min(value, 1e300), -1e300))


def _legend(chart: Chart) -> Iterable[tuple[str, str]]:
    intervals = [strip.interval for strip in chart.strips if strip.interval]
    if intervals:
        yield "interval", f"estimate and its interval ({intervals[0].method}, unadjusted)"
    elif any(strip.centre is not None for strip in chart.strips):
        yield "centre", "estimate"
    lines = [*chart.lines, *(line for strip in chart.strips for line in strip.lines)]
    yield from dict.fromkeys((line.kind, line.text) for line in lines)
    at_edge = [dot.text for strip in chart.strips for dot in strip.dots if dot.at_edge]
    if at_edge:
        yield "edge", f"at the edge, without a number of their own: {len(at_edge)}"


def _in_words(strip: Strip) -> str:
    inside = [dot.value for dot in strip.dots if not dot.at_edge]
    parts = [f"from {number(min(inside))} to {number(max(inside))}"] if inside else []
    n_edge = len(strip.dots) - len(inside)
    parts += [f"{n_edge} at the edge"] if n_edge else []
    parts += [f"estimate {number(strip.centre)}"] if strip.centre is not None else []
    return f"{strip.label}: {', '.join(parts)}" if parts else strip.label
