"""Measures of the last steps of training: the running median of a loss, and the angles of the critic's optimiser."""

import math
from collections.abc import Mapping, Sequence

import numpy as np


def loss_median(recent_losses: Mapping[str, Sequence[float]], *, of: str = "critic_loss", window: int = 101) -> float:
    """The median of a training loss over the last steps, as in the loss curves of Arjovsky et al. 2017 (figures 3, 4).

    Their curves have a value at each generator step and a median filter of width 101. Here the window ends at the step.

    Args:
        of: ``critic_loss`` or ``generator_loss``; the critic's is that of the last critic step of each generator step,
            including a penalty.
        window: Number of steps; at the beginning of a run, all steps so far.

    Returns:
        Any sign, in the unit of the loss, neither better nor worse; NaN at step 0, or if one of the values is not
        finite.
    """
    values = np.array(recent_losses.get(of, ())[-window:])
    return float(np.median(values)) if len(values) and np.isfinite(values).all() else math.nan


def step_cosine(recent_cosines: Sequence[float], *, window: int = 101) -> float:
    """The mean cosine between the critic optimiser's step and the negative gradient, over the last generator steps.

    Arjovsky et al. 2017, § 4: with Adam, the cosine turned negative when training became unstable.

    Args:
        window: Number of generator steps, each with the cosine of its last critic step.

    Returns:
        −1 to 1, neither better nor worse; NaN at step 0, with an optimiser whose step is not known, or if a gradient
        was 0 or not finite.
    """
    values = np.array(recent_cosines[-window:])
    return float(values.mean()) if len(values) else math.nan


def negative_step_share(recent_cosines: Sequence[float], *, window: int = 101) -> float:
    """The share of the last generator steps at which the cosine of `step_cosine` was negative; same arguments.

    Returns:
        0 to 1, lower is better; NaN as for `step_cosine`.
    """
    values = np.array(recent_cosines[-window:])
    return float((values < 0).mean()) if len(values) and np.isfinite(values).all() else math.nan
