"""The picture of ``wganbench sample`` for points in the plane: samples, paths between them, or sums and differences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wganbench.analysis.figures import style
from wganbench.analysis.figures.style import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WINDOW_SHARE = 1.3
"""The half-width of the window, in largest coordinates of the data."""
SIDE = 5.0
"""The side of the picture in inches."""
NAMES = ("a", "b", "c", "a − b + c")


def draw_points(points: NDArray[np.floating], real: NDArray[np.floating], title: str, about: str) -> Figure:
    """Draws samples on the data; rows of more than one are drawn as lines from their first point to their last.

    Args:
        points: Shape ``(rows, columns, 2)``.
        real: Samples of the data, ``(n, 2)``.
    """
    with style.theme():
        figure = style.blank(SIDE, SIDE, title, about)
        axes = style.place(figure, 0.35, 0.3, SIDE - 0.5, SIDE - 0.4)
        window = WINDOW_SHARE * float(np.abs(real).max())
        style.draw_samples(axes, real.astype(np.float64), style.DATA, "real", markersize=2.5, alpha=0.5)
        rows: Array = points.astype(np.float64)
        if rows.shape[1] > 1:
            for row in rows:
                axes.plot(*row.T, color="#1f5f9f", linewidth=0.8, alpha=0.7)
        style.draw_samples(axes, rows.reshape(-1, 2), "#111133", "fake", markersize=4, alpha=0.6)
        axes.set(xlim=(-window, window), ylim=(-window, window), aspect="equal")
        outside = 1 - len(style.inside(rows.reshape(-1, 2), window)) / max(1, rows[..., 0].size)
        if outside:
            axes.text(-0.95 * window, -0.95 * window, f"{outside:.0%} outside", fontsize=7, bbox=style.BOX)
    return figure


def draw_analogies(points: NDArray[np.floating], real: NDArray[np.floating], title: str, about: str) -> Figure:
    """Draws the samples of a, b, c and of a − b + c, each with its name, for each row.

    Args:
        points: Shape ``(rows, 4, 2)``.
        real: Samples of the data, ``(n, 2)``.
    """
    figure = draw_points(points, real, title, about)
    for row in points:
        for name, (x, y) in zip(NAMES, row, strict=True):
            figure.axes[0].annotate(name, (x, y), xytext=(3, 3), textcoords="offset points", fontsize=7, clip_on=True)
    return figure
