"""The steps at which measures are taken."""

from __future__ import annotations

import numpy as np

LOSS_POINTS = 100
"""The number of points in each loss curve."""


def schedule(steps: int, points: int, *, even: bool = False) -> list[int]:
    """Returns at most ``points`` generator steps from 0 to ``steps``, half evenly and half logarithmically spaced.

    Collapse and recovery happen early and convergence late, so both spacings are needed. A single point is the last
    step.

    Args:
        steps: The number of generator steps in the run.
        points: The largest number of steps to return.
        even: Whether to space all steps evenly, so that each part of a run is weighted by its length. The steps for p
            points are then among those for (p − 1)·m + 1 points.
    """
    if points == 1:
        return [steps]
    regular = points if even else max(2, points - points // 2)
    logarithmic = np.geomspace(1, steps, points - regular + 1)[:-1]
    chosen = {*np.linspace(0, steps, regular).round().astype(int), *logarithmic.round().astype(int)}
    return sorted(int(step) for step in chosen)


def moments(steps: int, fractions: list[float]) -> list[int]:
    """Returns the steps at these fractions of a run, sorted and without repetition."""
    return sorted({round(fraction * steps) for fraction in fractions})
