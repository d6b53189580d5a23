"""The distribution of a generator's samples over the modes of a mixture with known centres.

The mixture may be custom: `wganbench.data.contract.Modes` states the attributes that it must have. If it has no
``weights``, its modes have equal weight.
"""

import math

import torch
from torch import Tensor

from wganbench.data.contract import Modes, weights_of


def modes_covered(fake: Tensor, data: Modes, *, within: float = 3.0) -> float:
    """The number of modes that are nearest to at least one sample close to them (Srivastava et al. 2017, VEEGAN).

    One stray sample is enough, so a cloud spread over the whole plane covers every mode: read it with `share_within`.
    A mode of weight w is missing from n real samples with probability (1 − w)ⁿ.

    Args:
        fake: Shape ``(n, dim)``.
        data: The mixture.
        within: Largest distance that counts as close, in standard deviations of a mode.

    Returns:
        0 to the number of modes of positive weight, higher is better; NaN if a sample is not finite.
    """
    if not fake.isfinite().all():
        return math.nan
    distance, mode = _nearest(fake, data)
    counts = mode[distance <= within * data.std].bincount(minlength=len(data.centres))
    return float((counts * (_weights(data).to(counts.device) > 0)).count_nonzero())


def share_within(fake: Tensor, data: Modes, *, within: float = 3.0) -> float:
    """The share of samples close to any mode, the "high quality" samples of VEEGAN (Srivastava et al. 2017).

    Neither the identity nor the weight of the mode matters.

    Args:
        fake: Shape ``(n, dim)``.
        data: The mixture.
        within: Largest distance that counts as close, in standard deviations of a mode.

    Returns:
        0 to 1, higher is better up to the share of real samples, ``1 − exp(−within²/2)``, which is 0.9889 at 3; samples
        narrower than the modes exceed it. NaN if a sample is not finite.
    """
    if not fake.isfinite().all():
        return math.nan
    distance, _ = _nearest(fake, data)
    return (distance <= within * data.std).double().mean().item()


def reverse_kl(fake: Tensor, data: Modes) -> float:
    """The KL divergence of the generated histogram over modes from the data's weights (Lin et al. 2018, PacGAN).

    The formula is ``Σ p log(p / w)``; in PacGAN, w is 1/modes. Every sample counts for its nearest mode, however far.

    Args:
        fake: Shape ``(n, dim)``.
        data: The mixture.

    Returns:
        Nats, lower is better: 0 to log(1 / least weight), which is log(number of modes) for equal weights. Infinite if
        a sample is at a mode of weight 0; NaN if one is not finite.
    """
    if not fake.isfinite().all():
        return math.nan
    _, mode = _nearest(fake, data)
    modes = len(data.centres)
    counts = torch.bincount(mode, minlength=modes).double()
    if weights_of(data) is None:
        ratio = counts * modes / len(fake)  # p over 1/modes
        return torch.xlogy(ratio, ratio).mean().item()
    share = counts / len(fake)
    return (torch.xlogy(share, share) - torch.xlogy(share, _weights(data).to(share))).sum().item()


def _weights(data: Modes) -> Tensor:
    """The weights of all modes, ``(modes,)``, float64, summing to 1."""
    weights, modes = weights_of(data), len(data.centres)
    weights = torch.ones(modes) if weights is None else weights
    return weights.double() / weights.double().sum()


def _nearest(fake: Tensor, data: Modes) -> tuple[Tensor, Tensor]:
    """The distance to the nearest centre, float64, and the index of that centre, each ``(n,)``."""
    fake = fake.double()  # cdist multiplies matrices, whose rounding error in TF32 is wider than a mode
    distance, mode = torch.cdist(fake, data.centres.to(fake)).min(dim=1)
    return distance, mode
