"""When a measure is taken."""

from __future__ import annotations

import numpy as np

LOSS_POINTS = 100
"""Of the curves of losses."""


def schedule(steps: int, points: int, *, even: bool = False) -> list[int]:
    """At most ``points`` generator steps from 0 to ``steps``: half of them regular, half logarithmic.

    Collapse and recovery happen early, convergence late, so both spacings are needed. A single point is the last step.

    Args:
        even: Make all of them regular, so that each part of a run counts by its length. The steps of p points are then
            among those of (p − 1)·m + 1 points.
    """
    if points == 1:
        return [steps]
    regular = points if even else max(2, points - points // 2)
    logarithmic = np.geomspace(1, steps, points - regular + 1)[:-1]
    chosen = {*np.linspace(0, steps, regular).round().astype(int), *logarithmic.round().astype(int)}
    return sorted(int(step) for step in chosen)


def moments(steps: int, fractions: list[float]) -> list[int]:
    """The steps at these fractions of a run, without repetition."""
    return sorted({round(fraction * steps) for fraction in fractions})
