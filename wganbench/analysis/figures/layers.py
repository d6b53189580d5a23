"""Figures of kind ``layers``: a norm for each layer, such as those of figure 1b of Gulrajani et al. (2017)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wganbench.analysis.figures import style
from wganbench.analysis.figures.artefacts import kept_of, unusable, with_picture
from wganbench.analysis.figures.drawing import Drawing, n_diverged
from wganbench.analysis.figures.style import Array
from wganbench.records.store import Store
from wganbench.spec.figures import LayersFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Norms:
    """Gradient norms by layer, for the seeds of one variant.

    Attributes:
        position: The position of the variant in its spec, for ``style.look_of``.
        values: The norms, shape ``(seeds, layers)``, from the output back to the input; non-negative, or NaN where a
            seed has none.
        n_diverged: The number of seeds that ended early.
    """

    label: str
    position: int
    values: Array
    n_diverged: int = 0


select = with_picture


def draw(drawing: Drawing[LayersFigure], store: Store) -> Figure:
    """Draws one line per variant over its critic's layers, at the last step that each run kept."""
    lines, steps, figure = [], set(), drawing.figure
    for variant, records in drawing.used.items():
        kept = [kept_of(record, store, figure, "(layers,)", lambda shape: len(shape) == 1) for record in records]
        for one in kept:
            if one.picture.shape != kept[0].picture.shape:
                layers = f"{len(one.picture)} layers and that of seed {records[0].seed} {len(kept[0].picture)}"
                raise unusable(one.record, store, f"picture {figure.picture!r} has {layers}")
        steps |= {one.step for one in kept}
        values = np.stack([one.picture for one in kept])
        lines.append(Norms(variant, drawing.position(variant), values, n_diverged(records)))
    low, high = min(steps), max(steps)
    when = f"at step {high:,}" if low == high else f"at the last step that was kept, {low:,} to {high:,}"
    about = drawing.about(when)
    canvas = style.panels(1, drawing.title, about, entries=len(lines), legend_columns=1, row=3.4)
    draw_norms(canvas.axes[0], lines)
    style.legend_below(canvas, columns=1)
    return canvas


def draw_norms(axes: Axes, lines: Sequence[Norms]) -> None:
    """Draws norms by layer, one line per variant, from the output on the left back to the input, layer 1."""
    from matplotlib.ticker import MaxNLocator  # see style.theme

    for place, line in enumerate(lines):
        draw_line(axes, line, height=0.025 + 0.03 * place)
    if any((line.values == 0).any() for line in lines):
        strip = 0.03 * (1 + len(lines))
        low, high = axes.get_ylim()
        axes.set_ylim(low - (high - low) * strip / (1 - strip), high)  # keeps the crosses below all lines
    depths = {line.values.shape[1] for line in lines}
    last = max(depths)
    axes.set_xlim(last + 0.02 * last, 1 - 0.02 * last)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=20, steps=[1, 2, 5, 10], integer=True))
    output = f" ({last})" if len(depths) == 1 else ""
    axes.set(xlabel=f"layer, from the output{output} back to the input (1)", ylabel="gradient norm (log10)")


def draw_line(axes: Axes, line: Norms, *, height: float = 0.025) -> None:
    """Draws the geometric mean over the seeds of one variant, with a band over these.

    A norm of 0 has no logarithm, so it is drawn as a cross at ``height``, a share of the panel's height.
    """
    numbers = np.arange(line.values.shape[1], 0, -1)
    zero, fine = line.values == 0, np.isfinite(line.values) & (line.values > 0)
    logs = np.log10(line.values, out=np.full(line.values.shape, np.nan), where=fine)
    middle, low, high = (np.full(len(numbers), np.nan) for _ in range(3))
    kept = fine.any(axis=0)
    if kept.any():
        middle[kept] = np.nanmean(logs[:, kept], axis=0)
        low[kept], high[kept] = style.band(logs[:, kept])
    colour, dash = style.look_of(line.position)
    look = {"linestyle": dash, "marker": "o", "markersize": 3, "label": _entry(line, zero, fine)}
    style.draw_band(axes, numbers, middle, (low, high), colour, **look)
    crosses = numbers[zero.any(axis=0)]
    heights, frame = np.full(len(crosses), height), axes.get_xaxis_transform()
    axes.plot(crosses, heights, "x", transform=frame, clip_on=False, color=colour, markersize=5, gid="zero")


def _entry(line: Norms, zero: NDArray[np.bool_], fine: NDArray[np.bool_]) -> str:
    """Returns the line's entry in the legend, which counts the norms that are zero, and those neither zero nor fine."""
    n, n_zero, n_odd = len(line.values), int(zero.sum()), int((~fine & ~zero).sum())
    parts = ["1 seed" if n == 1 else f"geometric mean and {style.band_name(n)} of {n} seeds"]
    parts += [f"{line.n_diverged} diverged"] if line.n_diverged else []
    parts += [f"{n_zero} zero norm{'s' if n_zero > 1 else ''} (×)"] if n_zero else []
    parts += [f"{n_odd} norm{'s' if n_odd > 1 else ''} not finite, left out"] if n_odd else []
    return f"{line.label}: {', '.join(parts)}"
