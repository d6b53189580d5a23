"""How a generator's samples fall on the modes of a mixture whose centres are known."""

import math

import torch
from torch import Tensor

from wganbench.data.toy import Mixture


def modes_covered(fake: Tensor, data: Mixture, *, within: float = 3.0) -> float:
    """Number of modes that are nearest to at least one sample close to them (Srivastava et al. 2017, VEEGAN).

    One stray sample is enough, so a cloud spread over the whole plane covers every mode: read it with `share_within`.

    Args:
        fake: Shape ``(n, 2)``.
        data: The mixture.
        within: What is close, in standard deviations of a mode.

    Returns:
        0 to the number of modes, higher is better; NaN if a sample is not finite.
    """
    if not fake.isfinite().all():
        return math.nan
    distance, mode = _nearest(fake, data)
    return float(mode[distance <= within * data.std].bincount().count_nonzero())


def share_within(fake: Tensor, data: Mixture, *, within: float = 3.0) -> float:
    """Share of the samples close to their nearest mode, the "high quality" samples of VEEGAN (Srivastava et al. 2017).

    Args:
        fake: Shape ``(n, 2)``.
        data: The mixture.
        within: What is close, in standard deviations of a mode.

    Returns:
        0 to 1, higher is better up to the data's own share, ``1 − exp(−within²/2)``: 0.9889 at 3; samples narrower than
        the modes exceed it. NaN if a sample is not finite.
    """
    if not fake.isfinite().all():
        return math.nan
    distance, _ = _nearest(fake, data)
    return (distance <= within * data.std).double().mean().item()


def reverse_kl(fake: Tensor, data: Mixture) -> float:
    """KL divergence of the generated histogram over modes from the uniform one (Lin et al. 2018, PacGAN).

    Every sample counts for its nearest mode, however far.

    Args:
        fake: Shape ``(n, 2)``.
        data: The mixture.

    Returns:
        Nats, 0 to log(number of modes), lower is better; NaN if a sample is not finite.
    """
    if not fake.isfinite().all():
        return math.nan
    _, mode = _nearest(fake, data)
    modes = len(data.centres)
    ratio = torch.bincount(mode, minlength=modes).double() * modes / len(fake)  # p over 1/modes
    return torch.xlogy(ratio, ratio).mean().item()


def _nearest(fake: Tensor, data: Mixture) -> tuple[Tensor, Tensor]:
    """Distance to the nearest centre, float64, and the index of that centre, each ``(n,)``."""
    fake = fake.double()  # cdist multiplies matrices; in TF32 the rounding of that is wider than a mode
    distance, mode = torch.cdist(fake, data.centres.to(fake)).min(dim=1)
    return distance, mode
