"""The figures of a judgement: all differences in units of their margins, and the runs of each experiment in strips."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from wganbench.analysis.figures import style
from wganbench.analysis.judged.judgement import OVERVIEW, Judgement, Strips
from wganbench.analysis.judged.pairs import Judgement as Word
from wganbench.analysis.judged.pairs import Settled
from wganbench.analysis.tables.cells import number

LOOKS: dict[Word, tuple[str, str]] = {
    "better": (">", "#117733"),
    "worse": ("<", "#882255"),
    "equivalent": ("s", "#332288"),
    "open": ("o", "#444444"),
}
"""The mark and the colour of each judgement; that of *open* is hollow."""
CANDIDATE, REFERENCE = "#332288", "#cc6677"
WITHIN = "#e8e4d8"
"""The colour of the band within which two methods are equivalent."""
FEW_DECADES = 2.0
"""The span of positive numbers, in powers of ten, up to which an axis is linear."""
ROW, PANEL = 0.3, 0.95
"""The height in inches of a line of the overview, and of a panel of strips."""


def draw(judgement: Judgement) -> Iterator[tuple[str, Figure]]:
    """Yields the path in the folder and the figure: the overview first, then one for each candidate and experiment."""
    with style.theme():
        if judgement.strips:
            yield OVERVIEW, overview(judgement)
        for strips in judgement.strips:
            yield strips.file, draw_strips(strips)


# ---- all differences ------------------------------------------------------------------------------------------------


def overview(judgement: Judgement) -> Figure:
    """Draws the difference and its interval on each line, in units of the margin; the word and the mark judge it."""
    lines: list[Settled | str] = []  # a text is the heading of a candidate
    for name, some in judgement.settled.items():
        lines += [name, *some] if len(judgement.settled) > 1 else some
    about = (
        "Difference of the mean scores in units of the declared margin, with its 95 % interval; to the right the "
        "candidate is better. Within the band both are equivalent. The axis is linear in the band, else logarithmic."
    )
    title = f"{', '.join(judgement.settled)}: differences from the methods that are replaced"
    canvas = style.blank(style.WIDTH, ROW * len(lines) + 0.55, title, about)
    axes = style.place(canvas, 3.5, 0.5, style.WIDTH - 4.6, ROW * len(lines))
    axes.set_xscale("symlog", linthresh=1.0, linscale=0.8)
    axes.axvspan(-1, 1, color=WITHIN, zorder=0, gid="margin")
    axes.axvline(0, color=style.FRAME, linewidth=0.8, zorder=1)
    beside: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "va": "center", "fontsize": 7.5}
    for place, line in enumerate(lines):
        if isinstance(line, str):
            axes.text(-0.02, place, line, ha="right", weight="bold", **beside)
            continue
        pairs = line.pairs
        axes.text(-0.02, place, f"{pairs.experiment}, {pairs.variant}: {pairs.measure}", ha="right", **beside)
        axes.text(1.02, place, line.judgement, ha="left", weight="bold", **beside)
        _draw_difference(axes, place, line)
    axes.set(
        ylim=(len(lines) - 0.5, -0.5), yticks=[], xlim=_limits([each for each in lines if isinstance(each, Settled)])
    )
    axes.set_xlabel("difference / margin")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    axes.xaxis.set_minor_locator(NullLocator())
    return canvas


def _draw_difference(axes: Axes, place: int, settled: Settled) -> None:
    """Draws a line's difference and interval; one that is not finite lies at the end of the axis, as a text."""
    mark, colour = LOOKS[settled.judgement]
    within, interval = settled.pairs.counted.within, settled.interval
    look: dict[str, Any]
    if settled.difference is None:
        x, side, text = _without_number(settled)
        axes.text(
            x, place, text, transform=axes.get_yaxis_transform(), ha=side, va="center", fontsize=7, style="italic"
        )
        return
    if interval is not None:
        ends = interval.low / within, interval.high / within
        axes.plot(ends, (place, place), "-", color=colour, linewidth=1.6, zorder=2, gid="interval")
    face = "white" if settled.judgement == "open" else colour
    look = {"marker": mark, "markersize": 7, "mfc": face, "mec": colour, "mew": 1.2}
    axes.plot([settled.difference / within], [place], linestyle="", zorder=3, gid=settled.judgement, **look)


def _without_number(settled: Settled) -> tuple[float, Literal["left", "right"], str]:
    """Returns where in the axes, from 0 to 1, a line without a finite difference has a text, its side, and the text."""
    pairs = settled.pairs
    if not pairs.runs:
        return 0.01, "left", "no pairs of runs"
    counts = [sum(not math.isfinite(value) for value in values) for values in (pairs.candidate, pairs.reference)]
    if counts[0]:
        return 0.01, "left", f"◂ {counts[0]} of the candidate without a number"
    return 0.99, "right", f"{counts[1]} of the reference without a number ▸"


def _limits(lines: Sequence[Settled]) -> tuple[float, float]:
    """Returns the ends of the axis: beyond all numbers, and at least beyond the band on both sides."""
    numbers = [0.0]
    for each in lines:
        ends = [each.difference, *((each.interval.low, each.interval.high) if each.interval else ())]
        numbers += [value / each.pairs.counted.within for value in ends if value is not None and math.isfinite(value)]
    return min(-2.0, 1.6 * min(numbers)), max(2.0, 1.6 * max(numbers))


# ---- the runs of an experiment --------------------------------------------------------------------------------------


def draw_strips(strips: Strips) -> Figure:
    """Draws two panels a line: the runs of both methods, joined where the seed is the same, and their differences."""
    about = (
        "Left: the runs of both methods, those of one seed joined. Right: their differences, above 0 if the candidate "
        "is better, the mean with its 95 % interval, and the band of the margin. × is a run without a finite value."
    )
    n = len(strips.lines)
    canvas = style.blank(style.WIDTH, (PANEL + 0.6) * n + 0.05, f"{strips.candidate} in {strips.experiment}", about)
    for place, settled in enumerate(strips.lines):
        bottom = (PANEL + 0.6) * (n - place - 1) + 0.3
        left = style.place(canvas, 0.95, bottom, 3.7, PANEL)
        right = style.place(canvas, 5.45, bottom, 3.35, PANEL)
        pairs = settled.pairs
        target = "" if pairs.counted.target is None else f", best at {number(pairs.counted.target)}"
        left.set_title(f"{pairs.variant}: {pairs.measure}{target}")
        right.set_title(settled.judgement, weight="bold")
        draw_values(left, settled)
        draw_differences(right, settled)
    return canvas


def draw_values(axes: Axes, settled: Settled) -> None:
    """Draws the runs of the candidate above those of the reference; runs without a finite value lie at the right."""
    pairs = settled.pairs
    rows = {1.0: (pairs.candidate, "o", CANDIDATE), 0.0: (pairs.reference, "D", REFERENCE)}
    known = [value for values, *_ in rows.values() for value in values if math.isfinite(value)]
    if pairs.counted.target is not None:
        axes.axvline(pairs.counted.target, color=style.FRAME, linestyle="--", linewidth=1, gid="target")
    if known and min(known) > 0 and math.log10(max(known) / min(known)) > FEW_DECADES:
        axes.set_xscale("log")
    for both in zip(pairs.reference, pairs.candidate, strict=True):
        if all(map(math.isfinite, both)):
            axes.plot(both, (0.0, 1.0), "-", color=style.FRAME, linewidth=0.6, zorder=1, gid="pair")
    for height, (values, mark, colour) in rows.items():
        inside = [value for value in values if math.isfinite(value)]
        axes.plot(inside, [height] * len(inside), mark, color=colour, alpha=0.75, markersize=5, mew=0, zorder=2)
        if len(inside) < len(values):
            text = f"× {len(values) - len(inside)}"
            axes.text(1.01, height, text, transform=axes.get_yaxis_transform(), va="center", color=colour)
    axes.set(yticks=[0, 1], yticklabels=["reference", "candidate"], ylim=(-0.5, 1.5))


def draw_differences(axes: Axes, settled: Settled) -> None:
    """Draws the difference of each pair, and above them the mean with its interval."""
    mark, colour = LOOKS[settled.judgement]
    within = settled.pairs.counted.within
    axes.axvspan(-within, within, color=WITHIN, zorder=0, gid="margin")
    axes.axvline(0, color=style.FRAME, linewidth=0.8, zorder=1)
    inside = [value for value in settled.pairs.differences if math.isfinite(value)]
    heights = -0.05 - 0.3 * (np.arange(len(inside)) % 3 - 1) / 2  # apart, so that equal differences are both seen
    axes.plot(inside, heights, "o", color=style.INK, alpha=0.55, markersize=4, mew=0, zorder=2, gid="differences")
    if settled.difference is not None:
        if settled.interval is not None:
            ends = settled.interval.low, settled.interval.high
            axes.plot(ends, (1.0, 1.0), "-", color=colour, linewidth=1.8, zorder=2, gid="interval")
        face = "white" if settled.judgement == "open" else colour
        axes.plot([settled.difference], [1.0], mark, mfc=face, mec=colour, markersize=7, zorder=3, gid="mean")
    shown = [*inside, -1.6 * within, 1.6 * within]
    spare = 0.04 * (max(shown) - min(shown))
    axes.set(yticks=[0, 1], yticklabels=["pairs", "mean"], ylim=(-0.5, 1.5))
    axes.set_xlim(min(shown) - spare, max(shown) + spare)
