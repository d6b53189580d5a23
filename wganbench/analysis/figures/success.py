"""Draws the two figures of the scores of random architectures."""

from __future__ import annotations

from collections.abc import Callable

import matplotlib.figure
import numpy as np

from wganbench.analysis.architectures import Sample
from wganbench.analysis.figures.factors import factors_of
from wganbench.analysis.figures.plot_success import Choices, Rates, Scores, choices_figure, rates_figure
from wganbench.analysis.tables.success import architectures, rows_of, with_each

About = Callable[..., str]
"""A function that makes the line under the title from the runs that are drawn and any further texts."""


def can_draw(kind: str, sample: Sample) -> bool:
    """Returns whether the sample has thresholds (for kind ``success``) or networks with known factors (for others)."""
    return bool(sample.thresholds) if kind == "success" else bool(factors_of(sample))


def success_figure(sample: Sample, about: About, title: str) -> matplotlib.figure.Figure:
    """Draws success rates over the thresholds, with the published ones if they are comparable."""
    rows, n = rows_of(sample), sample.n
    methods = []
    for column, method in enumerate(sample.table.methods):
        intervals = [row.intervals[column] for row in rows]
        published = [with_each(row.published)[column] / sum(row.published) for row in rows if row.published]
        methods.append(
            Rates(
                method,
                column,
                np.array([row.threshold for row in rows]),
                np.array([row.successes[column] / n for row in rows]),
                np.array([interval.low for interval in intervals]),
                np.array([interval.high for interval in intervals]),
                np.array(published) if published else None,
            )
        )
    x = f"threshold of {sample.table.measure}, {sample.protocol or 'a score of no named protocol'}"
    of, like = _said(sample)
    return rates_figure(methods, x=x, of=of, title=title, about=about(like, "bands: Wilson intervals, 95 %"))


def factors_figure(sample: Sample, about: About, title: str) -> matplotlib.figure.Figure:
    """Draws scores by the factors that were chosen for generator and critic."""
    panels = []
    for factor in factors_of(sample):
        methods = tuple(
            Scores(
                method,
                column,
                tuple(level.scores[:, column] for level in factor.levels),
                tuple(level.intervals[column] for level in factor.levels),
            )
            for column, method in enumerate(sample.table.methods)
        )
        panels.append(Choices(f"{factor.role}: {factor.name}", tuple(level.value for level in factor.levels), methods))
    marks = "large: mean with its 95 % Student's t interval (cut at the frame), small: each architecture"
    return choices_figure(panels, y=sample.table.measure, title=title, about=about(*_said(sample), marks))


def _said(sample: Sample) -> tuple[str, str]:
    """The number of architectures, and a description of the sample if it is not the paper's."""
    others = f", the most of {sample.is_one_of} samples" if sample.is_one_of > 1 else ""
    return f"{architectures(sample.n)}{others}", "" if sample.is_the_papers else sample.unlike_the_paper
