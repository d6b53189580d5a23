"""Draws figures from the pictures that runs keep: norms by layer, histograms, surfaces."""

from __future__ import annotations

import matplotlib.figure
import numpy as np

from wganbench.analysis.figures import plot_pictures
from wganbench.analysis.figures.artefacts import facts_of, kept_of, sampled, told_apart, unusable, window_of
from wganbench.analysis.figures.drawing import Drawing, about, n_diverged, title_of
from wganbench.analysis.tables.cells import number
from wganbench.records.store import Store


def draw_layers(drawing: Drawing, store: Store) -> matplotlib.figure.Figure:
    """Draws one line per variant over its critic's layers."""
    lines, steps, positions = [], set(), list(drawing.experiment.variants)
    for variant, records in drawing.used.items():
        kept = [kept_of(record, store, drawing.figure) for record in records]
        for one in kept:
            if one.picture.shape != kept[0].picture.shape:
                layers = f"{len(one.picture)} layers and that of seed {records[0].seed} {len(kept[0].picture)}"
                raise unusable(one.record, store, f"picture {drawing.figure.picture!r} has {layers}")
        steps |= {one.step for one in kept}
        values = np.stack([one.picture for one in kept])
        lines.append(plot_pictures.Norms(variant, positions.index(variant), values, n_diverged(records)))
    low, high = min(steps), max(steps)
    when = f"at step {high:,}" if low == high else f"at the last step that was kept, {low:,} to {high:,}"
    return plot_pictures.layers_figure(lines, title=title_of(drawing), about=about(drawing, when))


def draw_histograms(drawing: Drawing, store: Store) -> matplotlib.figure.Figure:
    """Draws one panel per variant, for its first seed."""
    figure, positions = drawing.figure, list(drawing.experiment.variants)
    found = {variant: kept_of(records[0], store, figure) for variant, records in drawing.used.items()}
    shared, labels = told_apart({variant: facts_of(kept) for variant, kept in found.items()}, ", ")
    panels = [
        plot_pictures.Histogram(label, positions.index(variant), kept.picture)
        for label, (variant, kept) in zip(labels, found.items(), strict=True)
    ]
    quantity = (figure.picture or "").removesuffix("_histogram").replace("_", " ")
    told = about(drawing, *shared, "each panel has its own range")
    return plot_pictures.histograms_figure(panels, title=title_of(drawing), about=told, quantity=quantity)


def draw_surfaces(drawing: Drawing, store: Store) -> matplotlib.figure.Figure:
    """Draws one cell per variant, for one seed, with its samples if it kept them."""
    figure = drawing.figure
    found = {variant: sampled(records, store, figure) for variant, records in drawing.used.items()}
    windows = {variant: window_of(kept.record, figure) for variant, kept in found.items()}
    facts = {variant: (*facts_of(kept), f"window ±{number(windows[variant])}") for variant, kept in found.items()}
    shared, labels = told_apart(facts, "\n")
    cells = [
        plot_pictures.Surface(label, kept.picture, windows[variant], kept.real, kept.fake)
        for label, (variant, kept) in zip(labels, found.items(), strict=True)
    ]
    key = f"lines: {plot_pictures.N_LEVELS} level sets of the critic, each cell's own, darker is higher"
    if any(kept.real is not None for kept in found.values()):
        key += "; orange: the data, green: generated samples"
    told = about(drawing, *shared, key)
    return plot_pictures.surfaces_figure(cells, columns=figure.columns, title=title_of(drawing), about=told)
