"""Figures of kind ``lines``: lines of real text beside lines that each variant generated."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from wganbench.analysis.figures import style
from wganbench.analysis.figures.artefacts import kept_of, with_picture
from wganbench.analysis.figures.drawing import Drawing, split_facts
from wganbench.analysis.figures.style import Array
from wganbench.records.store import Store
from wganbench.spec.figures import LinesFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FONT = "DejaVu Sans Mono"
SIZE = 7.5
"""The size of the characters in points; each is 0.602 of it wide."""
LINE, ABOVE = 0.15, 0.35
"""The inches for a line, and for the heading of a column."""
UNKNOWN = "\ufffd"

select = with_picture


def draw(drawing: Drawing[LinesFigure], store: Store) -> Figure:
    """Draws a column of real text and one per variant, for its first seed at its last step."""
    found = {
        variant: kept_of(records[0], store, drawing.figure, "(2, lines, length)", lambda s: len(s) == 3 and s[0] == 2)
        for variant, records in drawing.used.items()
    }
    shared, labels = split_facts({variant: kept.facts for variant, kept in found.items()}, "\n")
    columns = {"real": next(iter(found.values())).picture[1]}
    columns |= {label: kept.picture[0] for label, kept in zip(labels, found.values(), strict=True)}
    widths = [max(lines.shape[1] * 0.602 * SIZE / 72, 1.2) + 0.3 for lines in columns.values()]
    height = LINE * max(len(lines) for lines in columns.values()) + ABOVE
    figure = style.blank(max(sum(widths), 6.0), height, drawing.title, drawing.about(*shared))
    for place, (label, lines) in enumerate(columns.items()):
        axes = style.place(figure, 0.1 + sum(widths[:place]), 0.05, widths[place] - 0.2, height - ABOVE)
        draw_lines(axes, label, text_of(lines))
    return figure


def draw_lines(axes: Axes, label: str, lines: list[str]) -> None:
    """Writes lines below each other, under the label of their column."""
    axes.set_axis_off()
    axes.set_title(label)
    axes.set(xlim=(0, 1), ylim=(len(lines), 0))
    for place, line in enumerate(lines):
        axes.text(0, place + 0.5, line, va="center", family=FONT, fontsize=SIZE, parse_math=False)


def text_of(points: Array) -> list[str]:
    """Returns lines from their code points, ``(lines, length)``, with a sign for what the font cannot show."""
    known = _shown()
    return ["".join(chr(int(each)) if each in known else UNKNOWN for each in line) for line in points]


@cache
def _shown() -> frozenset[float]:
    """Returns the code points that the font has."""
    import matplotlib  # see style.theme
    from matplotlib.ft2font import FT2Font

    file = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSansMono.ttf"
    return frozenset(map(float, FT2Font(file).get_charmap()))
