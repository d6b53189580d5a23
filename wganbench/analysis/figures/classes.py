"""Figures of kind ``classes``: the share of each class among the images that each variant generated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from wganbench.analysis.figures import style
from wganbench.analysis.figures.artefacts import kept_of, unusable, with_picture
from wganbench.analysis.figures.drawing import Drawing, n_diverged
from wganbench.analysis.figures.style import Array
from wganbench.records.record import Record
from wganbench.records.store import Store
from wganbench.spec.figures import ClassesFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Shares:
    """The shares of the classes, for the seeds of one variant.

    Attributes:
        position: The position of the variant in its spec, for ``style.look_of``.
        values: The shares, shape ``(seeds, classes)``; NaN for a seed whose images were not finite.
        n_diverged: The number of seeds that ended early.
    """

    label: str
    position: int
    values: Array
    n_diverged: int = 0

    @property
    def title(self) -> str:
        """The title of the variant's panel, with the number of seeds behind it."""
        n, ended = len(self.values), f", {self.n_diverged} diverged" if self.n_diverged else ""
        return f"{self.label}: 1 seed{ended}" if n == 1 else f"{self.label}: mean and each of {n} seeds{ended}"


select = with_picture


def draw(drawing: Drawing[ClassesFigure], store: Store) -> Figure:
    """Draws one panel per variant, two in a row, at the last step that each run kept."""
    found = [_shares(drawing, store, variant, records) for variant, records in drawing.used.items()]
    by = sorted({record.score_protocol for record in drawing.records if record.score_protocol})
    about = drawing.about(f"classes by {' or '.join(by)}" if by else "", "the dashed line is an equal share")
    canvas = style.panels(len(found), drawing.title, about, row=2.2)
    highest = max([0.2, *(float(np.nanmax(each.values)) for each in found if np.isfinite(each.values).any())])
    for place, (axes, each) in enumerate(zip(canvas.axes, found, strict=True)):
        draw_shares(axes, each)
        axes.set(xlabel="class", ylabel="" if place % 2 else "share of the images", ylim=(0, 1.05 * highest))
    return canvas


def _shares(drawing: Drawing[ClassesFigure], store: Store, variant: str, records: Sequence[Record]) -> Shares:
    kept = [kept_of(record, store, drawing.figure, "(classes,)", lambda shape: len(shape) == 1) for record in records]
    for one in kept:
        if one.picture.shape != kept[0].picture.shape:
            sizes = f"{len(one.picture)} classes and that of seed {records[0].seed} {len(kept[0].picture)}"
            raise unusable(one.record, store, f"picture {drawing.figure.picture!r} has {sizes}")
    values = np.stack([one.picture for one in kept])
    return Shares(variant, drawing.position(variant), values, n_diverged(records))


def draw_shares(axes: Axes, of: Shares) -> None:
    """Draws the mean over the seeds as bars and each seed as a dot, or the words "not finite"."""
    axes.set_title(of.title)
    fine = of.values[np.isfinite(of.values).all(axis=1)]
    classes = np.arange(of.values.shape[1])
    axes.set_xticks(classes)
    axes.grid(visible=False, axis="x")
    if not len(fine):
        style.write(axes, "not finite")
        return
    colour, _ = style.look_of(of.position)
    axes.bar(classes, fine.mean(axis=0), color=colour, alpha=0.35, width=0.8)
    if len(fine) > 1:
        beside = np.linspace(-0.25, 0.25, len(fine))[:, None] + classes
        axes.plot(beside.ravel(), fine.ravel(), ".", color=colour, markersize=3, gid="seeds")
    axes.axhline(1 / len(classes), color=style.INK, linestyle="--", linewidth=0.8)
