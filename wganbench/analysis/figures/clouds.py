"""Figures of kind ``clouds``: the samples that runs kept over training, one row for each variant."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wganbench.analysis.figures import style
from wganbench.analysis.figures.artefacts import are_planar, arrays_of, npz, unusable
from wganbench.analysis.figures.drawing import Drawing, Used, ending
from wganbench.analysis.figures.style import Array
from wganbench.analysis.tables.cells import number
from wganbench.records.record import Record
from wganbench.records.store import Store
from wganbench.spec.figures import CloudsFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CLOUDS = "clouds (steps, fake and real)"
LABEL, BELOW = 1.35, 0.06
"""The inches for the names of the rows, and for the space below."""
DENSITY = ("#c9dcee00", "#c9dceee0", "#6ba3d0f0", "#1f5f9f")
"""The colours of the density estimate, from low to high."""


@dataclass(frozen=True)
class Cloud:
    """A method's samples over training.

    Attributes:
        label: The name of the row.
        steps: The generator steps, shape ``(k,)``.
        fake: The samples at these steps, shape ``(k, n, 2)``.
        real: Samples of the data, shape ``(m, 2)``.
        gone: The text of an empty cell, such as ``"diverged"``.
    """

    label: str
    steps: NDArray[np.integer]
    fake: NDArray[np.floating]
    real: NDArray[np.floating]
    gone: str = ""


def select(drawing: Drawing[CloudsFigure]) -> Used:
    """Returns the records of runs that kept arrays."""
    return drawing.where(lambda record: npz(record) is not None)


def draw(drawing: Drawing[CloudsFigure], store: Store) -> Figure:
    """Draws one row per variant, for the first seed that kept its samples."""
    rows = [row for variant, records in drawing.used.items() for row in _cloud(variant, records, store)]
    if not rows:
        wrong = f"holds no {CLOUDS}, nor does that of any other seed or variant"
        raise unusable(drawing.records[0], store, wrong)
    window = drawing.figure.window
    key = f"dots: generated samples, blue: their density, orange: the data; window ±{number(window)}"
    n_columns = len(_steps(rows))
    cell = min((style.WIDTH - LABEL) / n_columns, 1.6)
    width = max(LABEL + cell * n_columns, 6.0)
    figure = style.blank(width, 0.3 + cell * len(rows) + BELOW, drawing.title, drawing.about(key))
    size = cell * n_columns - 0.005 * width, cell * len(rows)
    draw_clouds(style.place(figure, LABEL, BELOW, *size), rows, window=window)
    return figure


def _cloud(variant: str, records: Iterable[Record], store: Store) -> list[Cloud]:
    """Returns the row of the first seed that kept its samples, if any; runs that keep pictures may have no samples."""
    for record in records:
        arrays = arrays_of(record, store, CLOUDS)
        fake, real = arrays.get("fake"), arrays.get("real")
        if fake is None and record.setting.pictures:
            continue
        if fake is None or real is None or not are_planar(fake, real, arrays["steps"]):
            raise unusable(record, store, f"holds no {CLOUDS}")
        return [Cloud(f"{variant}\nseed {record.seed}", arrays["steps"], fake, real, ending(record))]
    return []


def _steps(rows: Sequence[Cloud]) -> list[int]:
    return sorted({int(step) for row in rows for step in row.steps})


def draw_clouds(axes: Axes, rows: Sequence[Cloud], *, window: float = 4.0) -> None:
    """Draws cells of methods (down) × steps (across): samples on their density estimate on the data, ±``window``.

    All cells share ``axes``, each shifted to its place, because a hundred Axes take seconds to draw.
    """
    columns, pitch = _steps(rows), 2.12 * window
    for down, row in enumerate(rows):
        at = {int(step): samples for step, samples in zip(row.steps, row.fake, strict=True)}
        for across, step in enumerate(columns):
            _draw_cell(axes, at.get(step), row, np.array([pitch * across, -pitch * down]), window)
    axes.set_xlim(-window * 1.06, pitch * (len(columns) - 1) + window * 1.06)
    axes.set_ylim(-pitch * (len(rows) - 1) - window * 1.06, window * 1.06)
    axes.set_aspect("equal")
    axes.set_xticks([pitch * across for across in range(len(columns))], [f"step {step:,}" for step in columns])
    axes.set_yticks([-pitch * down for down in range(len(rows))], [row.label for row in rows])
    style.label_cells(axes)


def _draw_cell(axes: Axes, samples: NDArray[np.floating] | None, row: Cloud, centre: Array, window: float) -> None:
    """Draws ``samples``, ``(n, 2)``, around ``centre``, with the share outside the window in a corner."""
    from matplotlib.colors import LinearSegmentedColormap  # see style.theme
    from matplotlib.patches import Rectangle

    left, low = centre - window
    frame = Rectangle((left, low), 2 * window, 2 * window, facecolor="none", edgecolor=style.FRAME, linewidth=0.6)
    axes.add_patch(frame)
    if samples is None:
        axes.text(centre[0], centre[1], row.gone, ha="center", va="center", fontsize=7)
        return
    estimate, extent = density(samples, window), (left, left + 2 * window, low, low + 2 * window)
    real, fake = style.inside(row.real, window), style.inside(samples, window)
    style.draw_samples(axes, real + centre, style.DATA, "real", markersize=2, alpha=0.5, zorder=0)
    colours = LinearSegmentedColormap.from_list("density", DENSITY)
    axes.imshow(estimate, cmap=colours, vmin=0, extent=extent, origin="lower", interpolation="bilinear", zorder=1)
    style.draw_samples(axes, fake + centre, "#111133", "fake", markersize=1.6, alpha=0.35, zorder=2)
    outside = 1 - len(fake) / len(samples)
    if outside >= 0.005:
        x, y = left + 0.08 * window, low + 0.08 * window
        axes.text(x, y, f"{outside:.0%} outside", fontsize=6, va="bottom", bbox={**style.BOX, "pad": 1})


def density(points: NDArray[np.floating], window: float, grid: int = 128) -> Array:
    """Gaussian kernel density estimate of ``points``, ``(n, 2)``, on ``[-window, window]²``, up to a factor.

    The kernel has Scott's width, but at least two mesh cells in every direction, as in the measure ``kde_peaks``, so
    that a cloud that collapsed to a point or line, with a singular covariance, has a density too. Points are counted on
    a mesh of twice the window and convolved by FFT, which is a hundred times faster than a sum over samples.

    Returns:
        The density, shape ``(grid, grid)``, with rows from low to high y.
    """
    points, cell = points[np.isfinite(points).all(axis=1)].astype(np.float64), 2 * window / grid
    if not len(points):
        return np.zeros((grid, grid))
    edges = np.linspace(-2 * window, 2 * window, 2 * grid + 1)
    counts, _, _ = np.histogram2d(points[:, 1], points[:, 0], bins=(edges, edges))
    variances, axes = np.linalg.eigh(np.cov(points.T) if len(points) > 1 else np.zeros((2, 2)))
    widths = np.clip(np.sqrt(np.maximum(variances, 0)) * len(points) ** (-1 / 6), 2 * cell, window)
    kernel = (axes * widths**2) @ axes.T
    u, v = np.fft.rfftfreq(2 * grid, cell)[None, :], np.fft.fftfreq(2 * grid, cell)[:, None]
    spectrum = np.exp(-2 * math.pi**2 * (kernel[0, 0] * u**2 + 2 * kernel[0, 1] * u * v + kernel[1, 1] * v**2))
    smooth = np.fft.irfft2(np.fft.rfft2(counts) * spectrum, s=counts.shape)
    return np.maximum(smooth[grid // 2 : -grid // 2, grid // 2 : -grid // 2], 0)
