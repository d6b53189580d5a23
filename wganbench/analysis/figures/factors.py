"""Figures of kind ``factors``: the scores of random architectures by factor, such as depth or normalisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from wganbench.analysis import stats
from wganbench.analysis.architectures import Sample
from wganbench.analysis.figures import style
from wganbench.analysis.figures.drawing import Drawing, Used
from wganbench.analysis.figures.style import Array
from wganbench.analysis.figures.success import describe, sample_of
from wganbench.records.store import Store
from wganbench.spec import Component, Setting
from wganbench.spec.figures import FactorsFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FACTORS = ("depth", "normalisation", "nonlinearity", "filters")
ROLES = ("generator", "critic")
ORDER = ("without", "with", "relu", "leaky_relu", "softplus", "tanh")
"""The order of values that are not numbers; others follow by name."""
APART = 0.2
"""The distance between the means of the two methods at one value; swarms are twice as far apart, values by 1."""


@dataclass(frozen=True)
class Factor:
    """A design choice for one network, with the architectures at each of its values.

    Attributes:
        scores: By value, the scores of the architectures, shape ``(architectures, 2)``, with one column per method.
    """

    name: str
    role: str
    scores: Mapping[str | int, Array]


def select(drawing: Drawing[FactorsFigure]) -> Used:
    """Returns all records if there is a sample of architectures with known factors, and none otherwise."""
    sample = sample_of(drawing)
    return drawing.used if sample is not None and factors_of(sample) else {}


def factors_of(sample: Sample) -> list[Factor]:
    """Returns the factors that a network of the sample has."""
    found = []
    for name in FACTORS:
        for role in ROLES:
            by_value: dict[str | int, list[tuple[float, float]]] = {}
            for each in sample.architectures:
                value = chosen(each.settings[0], role, name)
                if value is not None:
                    by_value.setdefault(value, []).append(each.scores)
            if by_value:
                found.append(Factor(name, role, {key: np.array(by_value[key]) for key in sorted(by_value, key=_place)}))
    return found


def chosen(setting: Setting, role: str, factor: str) -> str | int | None:
    """Returns the value of a factor in the network of that role; None if it has none.

    Filters are counted as in the network, after any division. Normalisation is only ``with`` or ``without``, as each
    method has its own kind.
    """
    network: Component | None = getattr(setting, role)
    options = network.arguments if network is not None else {}
    value: object = None
    if factor == "depth":
        value = options.get("depth")
    elif factor == "nonlinearity":
        value = options.get("activation")
    elif factor == "normalisation" and "norm" in options:
        value = "without" if options["norm"] == "none" else "with"
    elif factor == "filters":
        value = options.get("filters")
    return value if isinstance(value, str | int) else None


def _place(value: str | int) -> tuple[int, str]:
    if isinstance(value, int):
        return value, ""
    return ORDER.index(value) if value in ORDER else len(ORDER), value


def draw(drawing: Drawing[FactorsFigure], store: Store) -> Figure:
    """Draws one panel per factor and network, two in a row, all with the same range."""
    sample = sample_of(drawing)
    assert sample is not None  # otherwise no records would be selected
    marks = "large: mean with its 95 % Student's t interval (cut at the frame), small: each architecture"
    about, found = drawing.about(*describe(sample), marks), factors_of(sample)
    figure = style.panels(len(found), drawing.title, about, entries=2, row=2.1)
    scores = np.concatenate([scores for factor in found for scores in factor.scores.values()])
    low, high = scores.min(), scores.max()  # an interval over two architectures may be far longer, and is cut off
    margin = 0.05 * (high - low) or 1.0
    for axes, factor in zip(figure.axes, found, strict=True):
        draw_factor(axes, factor, sample.table.methods)
        axes.set(title=f"{factor.role}: {factor.name}", xlabel="", ylabel=sample.table.measure)
        axes.set_ylim(low - margin, high + margin)
    style.legend_below(figure)
    return figure


def draw_factor(axes: Axes, factor: Factor, methods: Sequence[str]) -> None:
    """Draws means as large marks with intervals, single architectures as faint points, and their number below."""
    import pandas as pd
    import seaborn as sns  # see style.theme

    labels = {value: f"{str(value).replace('_', ' ')}\nn = {len(scores)}" for value, scores in factor.scores.items()}
    rows = [
        {"value": labels[value], "method": method, "score": score}
        for value, scores in factor.scores.items()
        for pair in scores
        for method, score in zip(methods, pair, strict=True)
    ]
    look = {"data": pd.DataFrame(rows), "x": "value", "y": "score", "hue": "method", "ax": axes, "legend": False}
    look["palette"] = dict(zip(methods, style.COLOURS, strict=False))
    sns.swarmplot(**look, dodge=True, size=2.5, alpha=0.3, warn_thresh=1, gid="architectures")
    mark = {"markers": list(style.MARKERS[:2]), "markersize": 5, "mec": "white", "mew": 0.5, "linestyle": "none"}
    bars = {"linewidth": 1.5, "gid": "interval"}
    sns.pointplot(**look, **mark, dodge=APART, errorbar=_interval, err_kws=bars, gid="means")
    for line, method in zip([line for line in axes.lines if line.get_gid() == "means"], methods, strict=True):
        line.set_label(method)
    axes.tick_params(axis="x", length=0)


def _interval(scores: Array) -> tuple[float, float]:
    limits = stats.student_interval(scores)
    return (limits.low, limits.high) if limits else (np.nan, np.nan)
