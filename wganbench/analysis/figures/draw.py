"""Draws a figure according to its kind."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import matplotlib.figure

from wganbench.analysis.architectures import Sample, largest, samples_of
from wganbench.analysis.figures import grids, plot_grids, success
from wganbench.analysis.figures.clouds import draw_clouds
from wganbench.analysis.figures.curves import draw_curves
from wganbench.analysis.figures.drawing import Drawing, about, title_of
from wganbench.analysis.figures.pictures import draw_histograms, draw_layers, draw_surfaces
from wganbench.analysis.figures.points import draw_points
from wganbench.records.store import Store


def _draw_grids(drawing: Drawing, store: Store) -> matplotlib.figure.Figure:
    rows = list(grids.rows_of(drawing.used, store).values())
    told = about(drawing, "in each row the same latents at every step")
    return plot_grids.grids_figure(rows, title=title_of(drawing), about=told)


def _draw_success(drawing: Drawing, store: Store) -> matplotlib.figure.Figure:
    return success.success_figure(_sample(drawing), partial(about, drawing), title_of(drawing))


def _draw_factors(drawing: Drawing, store: Store) -> matplotlib.figure.Figure:
    return success.factors_figure(_sample(drawing), partial(about, drawing), title_of(drawing))


def _sample(drawing: Drawing) -> Sample:
    records = [record for some in drawing.used.values() for record in some]
    sample = largest(samples_of(drawing.experiment, records, drawing.profile))
    assert sample is not None  # otherwise the figure would have nothing to draw
    return sample


_KINDS: dict[str, Callable[[Drawing, Store], matplotlib.figure.Figure]] = {
    "clouds": draw_clouds,
    "grids": _draw_grids,
    "curves": draw_curves,
    "layers": draw_layers,
    "histograms": draw_histograms,
    "surfaces": draw_surfaces,
    "points": draw_points,
    "success": _draw_success,
    "factors": _draw_factors,
}


def draw(drawing: Drawing, store: Store) -> matplotlib.figure.Figure:
    """Draws the figure from the numbers or artefacts of its records.

    Raises:
        RecordError: If an artefact is missing or not what its record says.
    """
    return _KINDS[drawing.figure.kind](drawing, store)


def animate(drawing: Drawing, store: Store) -> dict[str, bytes]:
    """Returns the content of ``drawing.animations`` by file name; raises the same errors as ``draw``."""
    rows = grids.rows_of(drawing.used, store) if drawing.animations else {}
    return {drawing.animations[variant]: plot_grids.animation(row) for variant, row in rows.items()}
