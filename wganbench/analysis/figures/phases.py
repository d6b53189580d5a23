"""Figures of kind ``phases``: paths of two measures in the plane, as figure 3 of Mescheder et al. (2018) shows them.

For the two networks of a Dirac-GAN, the measures are their parameters θ and ψ, and the gradients of the losses are
known in closed form: ψθ is the score of the fake, 0 that of the real sample, and ψ the critic's slope at every point.
Their vector field is drawn behind the paths.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from wganbench.analysis.figures import style
from wganbench.analysis.figures.drawing import Drawing, Used
from wganbench.analysis.figures.style import Array
from wganbench.analysis.tables.cells import number
from wganbench.records.record import Record
from wganbench.records.store import Store
from wganbench.spec import Component, Setting
from wganbench.spec.figures import PhasesFigure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ARROWS = 13
"""The number of arrows in a row."""
GAP, WORDS = 0.12, 0.3
"""The inches between cells, and those of the words above a cell."""

Slopes = Callable[[Array], Array]

OBJECTIVES: dict[str, tuple[Slopes, Slopes]] = {
    "minimax": (expit, lambda s: -expit(s)),
    "non_saturating": (expit, lambda s: -expit(-s)),
    "least_squares": (lambda s: s, lambda s: 2 * (s - 1)),
    "wasserstein": (np.ones_like, lambda s: -np.ones_like(s)),
    "hinge": (lambda s: np.where(s > -1, 1.0, 0.0), lambda s: -np.ones_like(s)),
    "relativistic_paired": (expit, lambda s: -expit(-s)),
    "relativistic_average": (lambda s: 2 * expit(s), lambda s: -2 * expit(-s)),
}
"""The derivatives of the critic's and of the generator's loss by the score of the fake."""

PENALTIES: dict[str, Callable[[Array], Array]] = {
    "gradient_penalty": lambda p: 2 * (np.abs(p) - 1) * np.sign(p),
    "one_sided_penalty": lambda p: 2 * np.maximum(np.abs(p) - 1, 0) * np.sign(p),
    "one_sided_linear_penalty": lambda p: np.where(np.abs(p) > 1, np.sign(p), 0.0),
    "zero_centred": lambda p: 2 * p,
    "dragan": lambda p: 2 * (np.abs(p) - 1) * np.sign(p),
    "r1": lambda p: p,
    "r2": lambda p: p,
    "r1_r2": lambda p: 2 * p,
}
"""The derivative of each penalty of weight 1, or of γ = 1, by the critic's slope."""


@dataclass(frozen=True)
class Cell:
    """The paths of one variant.

    Attributes:
        paths: The two measures over the steps, each ``(k, 2)``; NaN where they are not finite.
        setting: The setting, for the vector field.
    """

    label: str
    paths: Sequence[Array]
    setting: Setting


def select(drawing: Drawing[PhasesFigure]) -> Used:
    """Returns the records that have both measures at two steps or more."""
    return drawing.where(lambda record: len(_path(record, drawing.figure)) > 1)


def _path(record: Record, figure: PhasesFigure) -> Array:
    """Returns the two measures at the steps at which both were taken, ``(k, 2)``."""
    x, y = (record.curves.get(label) for label in (figure.x, figure.y))
    if x is None or y is None:
        return np.zeros((0, 2))
    at = dict(zip(y.steps, y.values, strict=True))
    points = [(value, at[step]) for step, value in zip(x.steps, x.values, strict=True) if step in at]
    return np.array(points, dtype=np.float64).reshape(-1, 2)


def draw(drawing: Drawing[PhasesFigure], store: Store) -> Figure:
    """Draws a cell per variant, with the paths of all its seeds and the distance from the origin at their ends."""
    figure = drawing.figure
    cells = []
    for variant, records in drawing.used.items():
        paths = [_path(record, figure) for record in records]
        ends = [float(np.hypot(*path[-1])) for path in paths]
        low, high = number(min(ends)), number(max(ends))
        cells.append(Cell(f"{variant}\n{low if low == high else f'{low} to {high}'}", paths, records[0].setting))
    key = f"across: {figure.x}, up: {figure.y}, ±{number(figure.window)}; circle: start, square: end, whose distance "
    key += "from the equilibrium (+) is the number; arrows: directions of simultaneous gradient steps"
    steps = drawing.records[0].curves[figure.x].steps
    key += f"; lines join every {steps[1] - steps[0]} steps" if steps[1] - steps[0] > 1 else ""
    return draw_cells(cells, figure, drawing.title, drawing.about(key))


def draw_cells(cells: Sequence[Cell], figure: PhasesFigure, title: str, about: str) -> Figure:
    """Returns a figure with square cells, ``figure.columns`` in a row."""
    n_columns = min(figure.columns, len(cells))
    n_rows = math.ceil(len(cells) / n_columns)
    side = (style.WIDTH - GAP) / figure.columns - GAP
    pitch = WORDS + side + GAP
    canvas = style.blank(max(n_columns * (side + GAP) + GAP, 6.0), 0.1 + n_rows * pitch, title, about)
    for place, cell in enumerate(cells):
        row, column = divmod(place, n_columns)
        bottom = GAP + (n_rows - 1 - row) * pitch
        draw_cell(style.place(canvas, GAP + column * (side + GAP), bottom, side, side), cell, figure.window)
    return canvas


def draw_cell(axes: Axes, cell: Cell, window: float) -> None:
    """Draws the paths of a variant in its vector field, if that is known."""
    places = np.linspace(-window, window, ARROWS + 2)[1:-1]
    theta, psi = np.meshgrid(places, places)
    field = directions(cell.setting, theta, psi)
    if field is not None:
        axes.quiver(theta, psi, *field, color="#c4c4c4", pivot="mid", scale=1.3 * ARROWS, width=0.006, zorder=1)
    axes.plot(0, 0, "+", color=style.INK, markersize=6, zorder=2)
    for path in cell.paths:
        axes.plot(*path.T, "-", linewidth=0.8, color=style.COLOURS[0], zorder=3)
        axes.plot(*path[0], "o", markersize=3.5, color=style.COLOURS[0], zorder=3)
        axes.plot(*path[-1], "s", markersize=3.5, color=style.COLOURS[1], zorder=4)
    axes.set(xlim=(-window, window), ylim=(-window, window), xticks=[], yticks=[])
    axes.set_title(cell.label, fontsize=7, pad=3, loc="center")
    axes.spines[:].set_visible(True)


def directions(setting: Setting, theta: Array, psi: Array) -> tuple[Array, Array] | None:
    """Returns the direction of steepest descent of both players at (θ, ψ), of length 1, or 0 where they rest.

    None if the setting is no Dirac-GAN, or its losses have no closed form here.
    """
    networks = (setting.generator, setting.critic)
    if [each and each.name for each in networks] != ["dirac_generator", "dirac_critic"] or setting.pack is not None:
        return None
    if setting.objective.name not in OBJECTIVES:
        return None
    of_critic, of_generator = OBJECTIVES[setting.objective.name]
    score = theta * psi
    down = [-of_generator(score) * psi, -of_critic(score) * theta]
    for constraint in setting.constraints:
        if constraint.name in PENALTIES:
            down[1] = down[1] - _weight(constraint) * PENALTIES[constraint.name](psi)
        elif constraint.name in ("clip", "rescale"):  # ψ is moved back to its bound, and no further
            beyond = np.abs(psi) > constraint.options["clip_value"]
            down[1] = np.where(beyond, -psi, down[1])
        else:
            return None
    length = np.hypot(*down)
    across, up = (np.divide(each, length, out=np.zeros_like(length), where=length > 0) for each in down)
    return across, up


def _weight(constraint: Component) -> float:
    return float(constraint.options["gamma" if "gamma" in constraint.options else "penalty_weight"])
