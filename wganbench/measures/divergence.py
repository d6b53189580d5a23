"""Divergences that lines apart saturate, and what a generator can learn from them (Arjovsky et al. 2017, Example 1).

The discrete ones compare even points as atoms. They are the divergences of the distributions themselves where those lie
apart or agree, as two parallel segments do; where the supports overlap in part, the atoms need not meet.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from wganbench.data.fixed_generators import Data, Fixed
from wganbench.measures.coupling import even_pairs

Critic = Callable[[Tensor], Tensor]


def discrete_js(data: Data, fixed: Fixed, *, samples: int = 1000) -> float:
    """Jensen–Shannon divergence of the even points from what the fixed generator makes of them.

    Args:
        data: The real distribution; one with a closed form.
        fixed: A generator without noise.
        samples: Number of points; two are one atom if they agree to 9 decimals.

    Returns:
        Nats, 0 to log 2, neither better nor worse.
    """
    real, fake = _atoms(data, fixed, samples)
    middle = (real + fake) / 2  # above 0: every atom is of one of the two
    return (torch.xlogy(real, real / middle).sum() + torch.xlogy(fake, fake / middle).sum()).item() / 2


def discrete_tv(data: Data, fixed: Fixed, *, samples: int = 1000) -> float:
    """Total variation between the even points and what the fixed generator makes of them; arguments of `discrete_js`.

    Returns:
        0 to 1, neither better nor worse.
    """
    real, fake = _atoms(data, fixed, samples)
    return (real - fake).abs().sum().item() / 2


def missing_mass(data: Data, fixed: Fixed, *, samples: int = 1000) -> float:
    """Share of the data where the fixed generator has none; arguments of `discrete_js`.

    KL(data‖generator) is infinite just where this is positive; a record cannot hold the infinity itself.

    Returns:
        0 to 1, neither better nor worse.
    """
    real, fake = _atoms(data, fixed, samples)
    return real[fake == 0].sum().item()


def js_bound(critic: Critic, real: Tensor, fake: Tensor) -> float:
    """What a discriminator proves of the Jensen–Shannon divergence, ``log 2 + (E log D(real) + E log(1 − D(fake)))/2``.

    Arjovsky et al. 2017, § 2 and Fig. 4.

    Args:
        critic: Maps ``(n, *sample_shape)`` to the logits of D, ``(n,)``.
        real, fake: Shape ``(n, *sample_shape)`` each; the two n may differ.

    Returns:
        Nats, at most log 2, any sign; lower is better: the discriminator tells the two apart less. NaN if a fake sample
        is not finite.
    """
    if not fake.isfinite().all():
        return math.nan
    sure_real, sure_fake = logsigmoid(critic(real).double()), logsigmoid(-critic(fake).double())
    return math.log(2) + (sure_real.mean() + sure_fake.mean()).item() / 2


def js_bound_gradient(critic: Critic, fake: Tensor) -> float:
    """Derivative of `js_bound` as every fake moves along the first axis: what the minimax generator learns from.

    Args:
        critic: Maps ``(n, dim)`` to the logits of D, ``(n,)``; must not mix rows.
        fake: Shape ``(n, dim)``.

    Returns:
        Nats per unit of the samples, any sign, neither better nor worse; 0 where D is sure of every fake. NaN if a fake
        sample is not finite.
    """
    if not fake.isfinite().all():
        return math.nan
    scores, slopes = _first_slopes(critic, fake)
    # By hand and in float64: what a sure discriminator leaves, e⁻¹⁵⁰, autograd would round to 0 in float32.
    return -(scores.sigmoid() * slopes).mean().item() / 2


def estimate_gradient(critic: Critic, fake: Tensor) -> float:
    """Derivative of the Wasserstein estimate as every fake moves along the first axis, −E ∂f/∂x₁ (Theorem 3).

    Args:
        critic: Maps ``(n, dim)`` to ``(n,)``; must not mix rows.
        fake: Shape ``(n, dim)``.

    Returns:
        Critic units per unit of the samples, any sign, neither better nor worse. NaN if a fake sample is not finite.
    """
    if not fake.isfinite().all():
        return math.nan
    _, slopes = _first_slopes(critic, fake)
    return -slopes.mean().item()


def js_bound_gradient_size(critic: Critic, fake: Tensor) -> float:
    """Absolute value of `js_bound_gradient`, higher is better: more to learn from."""
    return abs(js_bound_gradient(critic, fake))


def estimate_gradient_size(critic: Critic, fake: Tensor) -> float:
    """Absolute value of `estimate_gradient`, higher is better: more to learn from."""
    return abs(estimate_gradient(critic, fake))


def _atoms(data: Data, fixed: Fixed, samples: int) -> tuple[Tensor, Tensor]:
    """Mass of the real and the generated points on each atom of either, ``(atoms,)`` each, float64, summing to 1."""
    points = torch.cat(even_pairs(data, fixed, samples)).round(decimals=9)
    atoms, atom = points.unique(dim=0, return_inverse=True)
    real, fake = (rows.bincount(minlength=len(atoms)).double() / samples for rows in atom.split(samples))
    return real, fake


def _first_slopes(critic: Critic, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Scores of the fakes and their derivatives along the first axis, ``(n,)`` each, float64."""
    points = fake.detach().requires_grad_()
    with torch.enable_grad():
        scores = critic(points)
        (gradient,) = torch.autograd.grad(scores.sum(), points)  # rows do not mix: each row's own gradient
    return scores.detach().double(), gradient[:, 0].double()
