"""The figures of a report: one module a kind, which selects the records that it can show and draws them."""

from wganbench.analysis.figures.drawing import Drawing
from wganbench.analysis.figures.inputs import data_digest, tools_digest
from wganbench.analysis.figures.selection import animate, draw, drawings_of, figures_of
from wganbench.analysis.figures.style import save

__all__ = ["Drawing", "animate", "data_digest", "draw", "drawings_of", "figures_of", "save", "tools_digest"]
