"""The figures of a report: one module a kind, which selects the records that it can show and draws them."""

from wganbench.analysis.figures.drawing import Drawing
from wganbench.analysis.figures.selection import animate, draw, drawings_of, figures_of, left_over
from wganbench.analysis.figures.style import save

__all__ = ["Drawing", "animate", "draw", "drawings_of", "figures_of", "left_over", "save"]
