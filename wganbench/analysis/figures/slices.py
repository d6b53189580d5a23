"""Figures of kind ``slices``: critics along a line, as in figure 2 of Arjovsky et al. (2017).

A discriminator is drawn as D, the sigmoid of its scores. A critic, whose scores have no scale, is drawn from its
smallest value on the line to its largest. Beside them is the size of the gradient that a generator learns from: that of
log(1 − D), or of the critic itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from wganbench.analysis.figures import style
from wganbench.analysis.figures.artefacts import arrays_of, kept_of, unusable, with_picture
from wganbench.analysis.figures.drawing import Drawing
from wganbench.analysis.figures.style import Array
from wganbench.records.record import Record
from wganbench.records.store import Store
from wganbench.spec.figures import SlicesFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DISCRIMINATORS = ("minimax", "non_saturating")
"""The objectives whose scores are the logits of a discriminator."""
BINS = 60


@dataclass(frozen=True)
class Slice:
    """The critics of one variant along a line.

    Attributes:
        position: The position of the variant in its spec, for ``style.look_of``.
        points: The points on the line, shape ``(k,)``, rising.
        scores: The scores there, shape ``(seeds, k)``.
        is_discriminator: Whether the scores are logits.
    """

    label: str
    position: int
    points: Array
    scores: Array
    is_discriminator: bool = False

    @property
    def heights(self) -> Array:
        """D, or the scores from each seed's smallest, 0, to its largest, 1; NaN for a critic without a slope."""
        if self.is_discriminator:
            heights: Array = expit(self.scores)
            return heights
        low = self.scores.min(axis=1, keepdims=True)
        return _ratio(self.scores - low, np.ptp(self.scores, axis=1, keepdims=True))

    @property
    def gradients(self) -> Array:
        """The size of the generator's gradient as a share of its largest on the line, per seed."""
        sizes = np.abs(np.gradient(self.scores, self.points, axis=1))
        if self.is_discriminator:
            sizes = sizes * expit(self.scores)  # the derivative of log(1 − D) is −D times that of the logit
        return _ratio(sizes, sizes.max(axis=1, keepdims=True))


select = with_picture


def draw(drawing: Drawing[SlicesFigure], store: Store) -> Figure:
    """Draws two panels, the values and the gradients, with one line per variant at the last step of each run."""
    slices = [_slice(drawing, store, variant, records) for variant, records in drawing.used.items()]
    steps = {record.steps_done for record in drawing.records}
    when = f"at step {max(steps):,}" if len(steps) == 1 else "at the last step of each run"
    canvas = style.panels(2, drawing.title, drawing.about(when), entries=len(slices) + 2, row=2.6)
    left, right = canvas.axes
    first = next(iter(drawing.used.values()))[0]
    for name, colour in (("real", style.DATA), ("fake", style.INK)):
        samples = arrays_of(first, store, "samples").get(name)
        if samples is not None and samples.shape[-1] == 1:
            draw_samples(left, samples.reshape(-1, samples.shape[-2])[-1], colour, f"{name} samples, their density")
    draw_slices(left, right, slices)
    style.legend_below(canvas)
    return canvas


def _slice(drawing: Drawing[SlicesFigure], store: Store, variant: str, records: Sequence[Record]) -> Slice:
    kept = [
        kept_of(record, store, drawing.figure, "(points, 2)", lambda shape: len(shape) == 2 and shape[1] == 2)
        for record in records
    ]
    points = kept[0].picture[:, 0]
    for one in kept:
        if not np.array_equal(one.picture[:, 0], points):
            wrong = f"picture {drawing.figure.picture!r} has other points than that of seed {records[0].seed}"
            raise unusable(one.record, store, wrong)
    scores = np.stack([one.picture[:, 1] for one in kept])
    is_discriminator = records[0].setting.objective.name in DISCRIMINATORS
    return Slice(variant, drawing.position(variant), points, scores, is_discriminator)


def draw_slices(left: Axes, right: Axes, slices: Sequence[Slice]) -> None:
    """Draws the mean over the seeds of each variant with a band: values on the ``left``, gradients on the ``right``."""
    for one in slices:
        colour, dash = style.look_of(one.position)
        n = len(one.scores)
        seeds = "1 seed" if n == 1 else f"mean and {style.band_name(n)} of {n} seeds"
        kind = "D" if one.is_discriminator else "critic"
        for axes, values in ((left, one.heights), (right, one.gradients)):
            fine = values[np.isfinite(values).all(axis=1)]
            if len(fine):
                look = {"linestyle": dash, "label": f"{one.label} ({kind}): {seeds}"}
                style.draw_band(axes, one.points, fine.mean(axis=0), style.band(fine), colour, **look)
    left.set(title="D, or the critic from its smallest to its largest value", xlabel="sample")
    right.set(title="gradient of the generator, as a share of its largest", xlabel="sample")


def draw_samples(axes: Axes, samples: NDArray[np.floating], colour: str, name: str) -> None:
    """Draws a filled histogram of samples, ``(n,)``, whose highest bar is half as high as the panel's values."""
    finite = samples[np.isfinite(samples)].astype(np.float64)
    if not len(finite):
        return
    counts, edges = np.histogram(finite, bins=BINS)
    axes.stairs(0.5 * counts / counts.max(), edges, fill=True, color=colour, alpha=0.3, label=name)


def _ratio(values: Array, by: Array) -> Array:
    """Divides ``values`` by ``by``; NaN where that is 0."""
    return np.divide(values, by, out=np.full(values.shape, np.nan), where=by != 0)
